//! Keeps the retransmits of one service, and drops all others.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Port of the service, at the peer.
        port: u16 = 443,
    }
}

struct Service {
    port: u16,
}

impl Plugin for Service {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Service {
            port: settings.port,
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::keep_if(event.peer().port() == self.port))
    }
}

export_plugin!(Service);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn other_ports_are_dropped() -> Result<()> {
        let events: Vec<Record> = Synth::new(1).take(100).collect();
        let port = events[0].peer().port();
        let of_port = events.iter().filter(|event| event.peer().port() == port);
        let expected = of_port.count();
        let outcome = Scenario::new()
            .setting("port", port)
            .events(events)
            .run::<Service>()?;
        assert_eq!(outcome.kept.len(), expected);
        assert!(
            outcome
                .kept
                .iter()
                .all(|kept| kept.record.peer().port() == port)
        );
        Ok(())
    }
}
