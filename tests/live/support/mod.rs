//! Shared by the tests on the live probe: private networks, the host as a child process, and counters
//! to compare its events with.

pub mod attempts;
pub mod burst;
pub mod bystander;
pub mod captures;
pub mod census;
pub mod container;
pub mod expect;
pub mod handshake;
pub mod host;
pub mod kernel;
pub mod lab;
pub mod mib;
pub mod misses;
pub mod mptcp;
pub mod netns;
pub mod oracle;
pub mod owners;
pub mod pmtu;
pub mod processes;
pub mod reconcile;
pub mod root;
pub mod sockopt;
pub mod timers;
pub mod tracefs;
pub mod unit;

pub use root::Root;
pub use root::root_test;
pub use root::root_test_alone;
