//! The live probe: the host prints what the kernel retransmits, in every environment.
//!
//! Tests named `root_…` need root. Each makes its own network namespaces and checks the events of these
//! alone, since a host sees the retransmits of all tests that run at the same time.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "network")]
#[path = "../../deliver/tests/support/mod.rs"]
mod receivers;
mod support;

mod attempts;
mod bulk;
mod captures;
mod causes;
mod census;
mod census_chain;
mod chain;
mod check;
mod container;
mod demo;
mod end;
mod fields;
mod filters;
mod filters_owner;
mod hostile;
mod idle;
mod metrics;
mod names;
mod overload;
mod owner;
mod owner_crowd;
mod owner_hoard;
mod owner_status;
mod preflight;
mod privileges;
mod reconcile;
mod reconfigure;
mod record;
mod record_disk;
mod record_files;
mod retransmits;
mod seed_faults;
mod service;
mod service_journal;
mod signatures;
#[cfg(feature = "network")]
mod sinks;
mod streams;
mod top;
mod tracepoint;
mod unattended;
