//! The program from the outside: command lines, standard streams, signals, terminals, and the build.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "network")]
#[path = "../../deliver/tests/support/mod.rs"]
mod receivers;

mod alerts_file;
mod architecture;
mod bad_filters;
mod bad_input;
mod columns;
mod config;
mod deploy;
mod deploy_systemd;
mod journal;
mod layout;
mod manual;
mod metrics;
mod metrics_docs;
mod metrics_prometheus;
mod metrics_top;
mod plugin_commands;
mod plugin_docs;
mod plugin_explain;
mod plugin_languages;
mod plugin_new;
mod plugin_profile;
mod plugin_test;
mod prerequisites;
#[cfg(feature = "network")]
mod registry;
#[cfg(feature = "network")]
mod registry_refused;
mod signals;
#[cfg(feature = "network")]
mod sinks;
#[cfg(feature = "network")]
mod sinks_refused;
mod statistics;
mod streams;
mod terminals;
mod top;
mod top_terminal;
mod tutorial;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Raises an alert for the first event of each peer.
const ALERTS: &[&str] = &["--plugin", "threshold-alert", "--set", "threshold=1"];
