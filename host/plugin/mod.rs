//! Plugins: components that are loaded, instantiated and configured, and that process events.
//!
//! A [`Spec`] describes a plugin and its limits. [`Plugin::start`] loads it, which gives a [`Prepared`] plugin and its
//! first [`Instance`]. Further instances are made from the [`Prepared`] plugin in some microseconds each, because a
//! [`Fault`] ends an instance.

pub mod bundled;
pub mod census_use;
pub mod componentize;
pub mod description;
#[cfg(fuzzing)]
pub mod fuzzing;
mod load;
mod prepared;
pub mod run;
pub mod runtime;
pub mod sources;
pub mod spec;
mod wasi;
pub mod worker;

pub use self::load::LoadError;
pub use self::load::cache;
pub use self::load::engine::Engine;
pub use self::load::may_import_census;
pub use self::load::signature;
pub use self::prepared::OnDisk;
pub use self::prepared::Plugin;
pub use self::prepared::Prepared;
pub use self::prepared::StartError;
pub use self::runtime::bad_answer::BadAnswer;
pub use self::runtime::fault::Cause;
pub use self::runtime::fault::Export;
pub use self::runtime::fault::Fault;
pub use self::runtime::files_read::FilesRead;
pub use self::runtime::instance::Instance;
pub use self::runtime::instance::Snapshot;
pub use self::runtime::outcome::Outcome;
pub use self::runtime::staged_effects::Metric;
pub use self::runtime::staged_effects::Staged;
pub use self::runtime::staged_effects::StagedAlert;
pub use self::runtime::store::CallContext;
pub use self::runtime::store::TimerContext;
pub use self::spec::OnFault;
pub use self::spec::Spec;
pub use self::spec::digest::Digest;
pub use self::spec::digest::ParseDigestError;
pub use self::spec::grants::GrantError;
pub use self::spec::grants::Grants;
pub use self::spec::limits::Limits;
pub use self::spec::limits::MAX_STACK;
pub use self::spec::limits::THREAD_STACK;
pub use self::spec::origin::Origin;
pub use self::spec::settings::Settings;
pub use self::spec::verify_key::ParseKeyError;
pub use self::spec::verify_key::VerifyKey;
pub use self::worker::compiler::Compiler;
