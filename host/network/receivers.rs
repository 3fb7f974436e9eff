//! The receivers of a run: which ones the configuration asks for, and how they change when it is read again.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use retrans_deliver::Outlets;

use super::Refused;
use crate::config::Network;
use crate::plugin::Origin;
use crate::plugin::Spec;
use crate::plugin::bundled;
use crate::sink::FINISH_TIMEOUT;

/// What the sink in the chain's thread and that which changes it share.
pub struct Deliveries {
    pub(super) outlets: Outlets,
    /// Shortest time between two sets of metrics.
    interval: Mutex<Duration>,
}

impl Deliveries {
    /// To these receivers, with metrics at this interval.
    pub(super) fn new(outlets: Outlets, interval: Duration) -> Deliveries {
        Deliveries {
            outlets,
            interval: Mutex::new(interval),
        }
    }

    /// Shortest time between two sets of metrics.
    pub(super) fn interval(&self) -> Duration {
        *self.interval_mut()
    }

    fn interval_mut(&self) -> MutexGuard<'_, Duration> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the receivers of a run.
pub struct Receivers {
    deliveries: Arc<Deliveries>,
    /// The process may make connections: it had receivers at the start.
    can_connect: bool,
    /// What is in force.
    network: Network,
}

impl Receivers {
    pub(super) fn new(
        deliveries: Arc<Deliveries>,
        can_connect: bool,
        network: Network,
    ) -> Receivers {
        Receivers {
            deliveries,
            can_connect,
            network,
        }
    }

    /// Changes what is delivered, beside these plugins. Returns what has changed, each as a line for the log. What is queued
    /// for a receiver that is gone has as much time as at the end of a run.
    ///
    /// # Errors
    ///
    /// If a receiver cannot be used, or if there was none at the start. All stay as they are then.
    pub fn change(&mut self, network: &Network, plugins: &[Spec]) -> Result<Vec<String>, Refused> {
        let names = names(network);
        if !names.is_empty() && !self.can_connect {
            return Err(Refused::NoneAtStart);
        }
        let config = receivers_of(network, plugins);
        let changed = self.deliveries.outlets.change(&config, FINISH_TIMEOUT);
        let changed = changed.map_err(|error| Refused::Unusable(error.to_string()))?;
        let interval = network.metrics_interval;
        *self.deliveries.interval_mut() = interval;
        let mut said = Vec::new();
        if !changed.is_empty() {
            let list = |names: &[String]| match names {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            said.push(format!(
                "the sinks are now: {} (started: {}; ended: {})",
                list(&names),
                list(&changed.started),
                list(&changed.ended)
            ));
        }
        let limit = config.alerts_per_minute;
        if limit != self.network.receivers.alerts_per_minute {
            let limit = limit.map_or("not set".to_owned(), |limit| limit.to_string());
            said.push(format!("alerts-per-minute is now {limit}"));
        }
        if interval != self.network.metrics_interval {
            said.push(format!(
                "the time between two sets of metrics is now {interval:?}"
            ));
        }
        self.network = network.clone();
        Ok(said)
    }
}

/// The names of the sinks.
pub fn names(network: &Network) -> Vec<String> {
    let receivers = &network.receivers;
    let alertmanagers = receivers.alertmanagers.iter().map(|sink| &sink.name);
    let webhooks = receivers.webhooks.iter().map(|sink| &sink.name);
    let otlp = receivers.otlp.iter().map(|sink| &sink.name);
    alertmanagers.chain(webhooks).chain(otlp).cloned().collect()
}

/// The receivers of alerts of these plugins.
pub(super) fn receivers_of(network: &Network, plugins: &[Spec]) -> retrans_deliver::Config {
    let mut receivers = network.receivers.clone();
    let resolving = resolving_plugins(plugins);
    for alertmanager in &mut receivers.alertmanagers {
        alertmanager.resolving_plugins.extend(resolving.clone());
    }
    receivers
}

/// The instances of plugins that resolve each of their alerts.
fn resolving_plugins(plugins: &[Spec]) -> Vec<String> {
    let resolves = |origin: &Origin| match origin {
        Origin::Bundled(name) => bundled::RESOLVING_ALERTS.contains(name),
        Origin::File(_) => false,
    };
    let plugins = plugins.iter();
    let plugins = plugins.filter(|plugin| resolves(&plugin.origin));
    plugins.map(|plugin| plugin.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use retrans_deliver::webhook;
    use retrans_deliver::webhook::UrlSource;

    use super::*;

    fn network(names: &[&str]) -> Network {
        let mut network = Network::default();
        let url = UrlSource::Text("http://127.0.0.1:9/".to_owned());
        let webhooks = names.iter().map(|name| webhook::Config {
            name: (*name).to_owned(),
            ..webhook::Config::new(url.clone(), "web-1")
        });
        network.receivers.webhooks.extend(webhooks);
        network
    }

    /// Receivers whose thread does not run.
    fn receivers(network: &Network) -> Receivers {
        let prepared = retrans_deliver::prepare(&network.receivers);
        let (outlets, _) = prepared.expect("nothing to read");
        let deliveries = Deliveries::new(outlets, network.metrics_interval);
        let can_connect = !names(network).is_empty();
        Receivers::new(Arc::new(deliveries), can_connect, network.clone())
    }

    #[test]
    fn each_change_is_a_line_and_what_is_the_same_is_none() {
        let mut receivers = receivers(&network(&["a"]));
        let mut change = |network: &Network| receivers.change(network, &[]).expect("a change");
        assert_eq!(change(&network(&["a"])), [""; 0]);
        let added = ["the sinks are now: a, b (started: b; ended: none)"];
        assert_eq!(change(&network(&["a", "b"])), added);
        let removed = ["the sinks are now: none (started: none; ended: a, b)"];
        assert_eq!(change(&network(&[])), removed);
        let mut other = network(&["c"]);
        other.metrics_interval = Duration::from_secs(10);
        other.receivers.alerts_per_minute = NonZeroU32::new(7);
        let expected = [
            "the sinks are now: c (started: c; ended: none)",
            "alerts-per-minute is now 7",
            "the time between two sets of metrics is now 10s",
        ];
        assert_eq!(change(&other), expected);
        other.receivers.alerts_per_minute = None;
        assert_eq!(change(&other), ["alerts-per-minute is now not set"]);
        assert_eq!(receivers.deliveries.interval(), Duration::from_secs(10));
    }

    #[test]
    fn a_sink_where_there_was_none_is_refused_and_none_is_fine() {
        let mut receivers = receivers(&network(&[]));
        let refused = receivers
            .change(&network(&["a"]), &[])
            .expect_err("no sockets");
        assert!(matches!(refused, Refused::NoneAtStart), "{refused}");
        let change = receivers.change(&network(&[]), &[]);
        assert_eq!(change.expect("nothing changes"), [""; 0]);
    }

    #[test]
    fn a_sink_that_cannot_be_used_is_named_and_all_stay() {
        let mut receivers = receivers(&network(&["a"]));
        let mut wrong = network(&["b", "c"]);
        wrong.receivers.webhooks[1].url = UrlSource::Text("nowhere".to_owned());
        let refused = receivers
            .change(&wrong, &[])
            .expect_err("no URL")
            .to_string();
        assert!(
            refused.starts_with("sink c: the URL of the webhook cannot be used"),
            "{refused}"
        );
        let counted = receivers.deliveries.outlets.counted();
        let names: Vec<_> = counted
            .iter()
            .map(|counted| counted.name.as_str())
            .collect();
        assert_eq!(names, ["a 127.0.0.1:9"]);
    }

    #[test]
    #[cfg_attr(not(feature = "bundled"), ignore = "no plugin is bundled")]
    fn bundled_plugins_that_resolve_their_alerts_are_known_by_their_instances() {
        let plugins = [
            ("a", "threshold-alert"),
            ("b", "./b.wasm"),
            ("c", "ratio-alert"),
            ("d", "json-print"),
        ];
        let plugins = plugins.map(|(name, file)| {
            let origin = Origin::named(file).expect("a plugin");
            Spec::new(name, origin)
        });
        assert_eq!(resolving_plugins(&plugins), ["a", "c"]);
    }
}
