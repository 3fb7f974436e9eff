//! What a run delivers over the network.

use std::path::PathBuf;
use std::time::Duration;

/// What a run delivers over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// To whom. Plugins that resolve their alerts are added when they are known.
    #[cfg(feature = "network")]
    pub receivers: retrans_deliver::Config,
    /// Shortest time between two sets of metrics.
    pub metrics_interval: Duration,
    /// The files that sinks name, such as templates and secrets.
    pub files: Vec<PathBuf>,
}

impl Default for Network {
    /// Nothing.
    fn default() -> Network {
        Network {
            #[cfg(feature = "network")]
            receivers: retrans_deliver::Config::default(),
            metrics_interval: Duration::from_secs(60),
            files: Vec::new(),
        }
    }
}
