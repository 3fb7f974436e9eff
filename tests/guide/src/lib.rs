#![doc = include_str!("../../../docs/writing-plugins.md")]
//! The guide for plugin authors. It is no part of the SDK's documentation, because the package of the SDK has no files of
//! the repository around it.
