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

struct Network {
    networks: PrefixMap<()>,
    name: String,
}

impl Plugin for Network {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let mut networks = PrefixMap::new();
        for network in settings.networks.iter() {
            networks.insert(*network, ());
        }
        Ok(Network {
            networks,
            name: settings.name,
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        if self.networks.get(event.peer().ip()).is_some() {
            event.set_label("network", &self.name);
        }
        Ok(Verdict::Keep)
    }
}

export_plugin!(Network);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn a_peer_in_the_network_gets_the_label() -> Result<()> {
        let events: Vec<Record> = Synth::new(1).take(100).collect();
        let peer = events[0].peer().ip();
        let outcome = Scenario::new()
            .setting("networks", peer.to_string())
            .setting("name", "here")
            .events(events)
            .run::<Network>()?;
        assert_eq!(outcome.kept.len(), 100);
        for kept in &outcome.kept {
            let expected = (kept.record.peer().ip() == peer).then_some("here");
            assert_eq!(kept.label("network"), expected);
        }
        Ok(())
    }
}
