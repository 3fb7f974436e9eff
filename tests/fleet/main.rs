//! A fleet on a real nats-server: hosts publish, consumers share the partitions, and any of them is killed.

#[path = "../common/http.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod http;
#[path = "../common/ledger.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod ledger;
#[path = "../common/pipes.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod pipes;
#[path = "../common/screens.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod screens;
#[path = "../../fleet/tests/support/server.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod server;

#[path = "../../deliver/tests/support/mod.rs"]
mod receivers;

mod alerts;
mod consumers;
mod foreign;
mod hosts;
mod kills;
mod observers;
mod processes;
