//! The receivers of a run, which change when the configuration is read again.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use retrans_deliver::Outlets;

use super::Refused;
use super::plan::names;
use super::plan::receivers_of;
use crate::config::Network;
use crate::plugin::Spec;
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
