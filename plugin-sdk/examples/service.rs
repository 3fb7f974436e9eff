//! Keeps the retransmits of one service, and drops all others.
//!
//! With `networks`, `slow_peers` and `kind_summary` the samples that each SDK has, in its language: they give the same
//! answers.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Port of the service, at the peer.
        port: u16 = 443,
    }
}

struct Service(Settings);

impl Plugin for Service {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Service(settings))
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::keep_if(event.peer().port() == self.0.port))
    }
}

export_plugin!(Service);
