//! Labels events with the name of the network that the peer is in.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// The network, such as 10.0.0.0/8 or 2001:db8::/32.
        network: Cidr = Cidr::truncate(IpAddr::from([10, 0, 0, 0]), 8),
        /// The value of the label `network` for peers in the network.
        name: String = "internal".to_owned(),
    }
}

struct TagNetwork(Settings);

impl Plugin for TagNetwork {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(TagNetwork(settings))
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        if self.0.network.contains(event.peer().ip()) {
            event.set_label("network", &self.0.name);
        }
        Ok(Verdict::Keep)
    }
}

export_plugin!(TagNetwork);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn peers_within_the_network_are_labelled() -> Result<()> {
        let outcome = Scenario::new()
            .setting("network", "2001:db8::/32")
            .setting("name", "documentation")
            .events(Synth::new(1).take(1_000))
            .run::<TagNetwork>()?;
        assert_eq!(outcome.kept.len(), 1_000);
        assert!(outcome.kept.iter().any(|kept| !kept.labels.is_empty()));
        for kept in &outcome.kept {
            let label = kept.record.peer().is_ipv6().then_some("documentation");
            assert_eq!(kept.label("network"), label);
        }
        Ok(())
    }

    #[test]
    fn text_that_is_not_a_network_is_refused() {
        for (text, expected) in [
            (
                "10.0.0.1/8",
                "network: 10.0.0.1/8 has bits after the first 8: expected 10.0.0.0/8",
            ),
            (
                "10.0.0.0/33",
                "network: 10.0.0.0/33 has too many bits: expected at most 32",
            ),
        ] {
            let scenario = Scenario::new().setting("network", text);
            let error = scenario.run::<TagNetwork>().expect_err(text).to_string();
            assert_eq!(error, expected);
        }
    }
}
