//! Labels events with the name of the network that the peer is in.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// The network, such as 10.0.0.0/8 or 2001:db8::/32.
        network: String = "10.0.0.0/8".to_owned(),
        /// The value of the label `network` for peers in the network.
        name: String = "internal".to_owned(),
    }
}

struct TagNetwork {
    network: Network,
    name: String,
}

impl Plugin for TagNetwork {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let network = Network::parse(&settings.network);
        Ok(TagNetwork {
            network: network.context("network: expected a network such as 10.0.0.0/8")?,
            name: settings.name,
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        if self.network.contains(event.peer().ip()) {
            event.set_label("network", &self.name);
        }
        Ok(Verdict::Keep)
    }
}

export_plugin!(TagNetwork);

/// The leading bits that the addresses of a network share.
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
        let most = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        (bits <= most).then_some(Network { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let shared = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared >= self.bits
    }
}

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
        for text in ["10.0.0.0", "10.0.0.0/33", "ten/8", "2001:db8::/129"] {
            let scenario = Scenario::new().setting("network", text);
            let error = scenario.run::<TagNetwork>().expect_err(text).to_string();
            assert_eq!(error, "network: expected a network such as 10.0.0.0/8");
        }
    }
}
