//! Plugins in registries of OCI, such as ghcr.io: gets them, and puts them there.
//!
//! ```text
//! address      oci://REGISTRY/NAME[:TAG|@sha256:…]
//! client       what is got and put, in which order
//! artifact     what a plugin is in a registry: its manifest
//! requests     requests, redirects and logins, each limited in time and size
//! challenge    what a registry asks for before it answers
//! credentials  the user and the password for that
//! digest       SHA-256, as registries write it
//! ```
//!
//! What a registry sends is checked: a manifest against the digest in the address, if it has one, and each layer against
//! the digest in the manifest. Who has made a plugin is a question of its signature, which is for the caller to check.

mod address;
mod artifact;
mod challenge;
mod client;
mod credentials;
mod digest;
mod error;
mod requests;

pub use address::Address;
pub use address::AddressError;
pub use artifact::NotAPlugin;
pub use artifact::Plugin;
pub use client::Limits;
pub use client::Pulled;
pub use client::Registry;
pub use digest::Digest;
pub use error::RegistryError;
