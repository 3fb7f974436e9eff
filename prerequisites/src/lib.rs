//! Empty: this crate consists of its build script, which checks the prerequisites of the build.
//!
//! Without it, the build of libbpf stops at the first missing header, with many lines of compiler output.
//! This crate has no dependencies, so that cargo builds it among the first.
