//! One plugin: a component that is loaded, instantiated and configured, and takes events.
//!
//! A [`Spec`] says which one and within which limits; [`Plugin::start`] makes it ready. What it
//! [`Prepared`] gives new [`Instance`]s for a few microseconds each, because a [`Fault`] is the end
//! of an instance.

mod bad_answer;
mod cache;
pub mod compile;
mod component;
pub mod confinement;
mod contract;
pub mod cpu;
mod digest;
mod engine;
mod fault;
mod files;
pub mod footprint;
#[cfg(fuzzing)]
pub mod fuzzing;
mod instance;
mod limits;
mod load;
mod logs;
mod meter;
mod origin;
mod powers;
mod prepared;
mod regular;
mod sealed;
pub mod settings;
mod spec;
mod staged;
mod store;
mod wasi;

pub use self::bad_answer::BadAnswer;
pub use self::digest::Digest;
pub use self::digest::NoDigest;
pub use self::engine::Compiler;
pub use self::engine::Engine;
pub use self::fault::Cause;
pub use self::fault::Export;
pub use self::fault::Fault;
pub use self::instance::Instance;
pub use self::instance::Outcome;
pub use self::instance::Snapshot;
pub use self::limits::Limits;
pub use self::limits::MOST_STACK;
pub use self::limits::THREAD_STACK;
pub use self::load::LoadError;
pub use self::origin::Origin;
pub use self::origin::origin;
pub use self::powers::Powers;
pub use self::powers::PowersError;
pub use self::prepared::Plugin;
pub use self::prepared::Prepared;
pub use self::prepared::StartError;
pub use self::prepared::digest_now;
pub use self::spec::OnFault;
pub use self::spec::Spec;
pub use self::staged::Staged;
pub use self::staged::StagedAlert;
pub use self::store::Earlier;
