//! Plugins and their chain: what a plugin may do, what its faults cost, and how a new version replaces
//! it.

#[path = "../common/mod.rs"]
mod common;
mod support;

mod answers;
mod chain;
mod chain_end;
mod change;
mod compilation;
mod faults;
mod granted_files;
mod grants;
mod quarantine;
mod readme;
mod reload;
mod reload_refused;
mod sandbox;
mod settings;
mod signatures;
mod signatures_watched;
mod watch_files;
