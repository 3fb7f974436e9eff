//! Labels retransmits to networks of our own.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// The networks, such as 10.0.0.0/8.
        networks: OneOrMany<Cidr> = OneOrMany(Vec::new()),
        /// Value of the label "network" for peers in one of them.
        name: String = "internal".to_owned(),
    }
}

struct Networks(Settings);

impl Plugin for Networks {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Networks(settings))
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        let peer = event.peer().ip();
        if self.0.networks.iter().any(|network| network.contains(peer)) {
            event.set_label("network", &self.0.name);
        }
        Ok(Verdict::Keep)
    }
}

export_plugin!(Networks);
