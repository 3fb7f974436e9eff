//! Serves metrics of a run (`--listen`), in the thread of the network.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use retrans_deliver::serve::Pages;
use retrans_deliver::serve::Server;

use crate::capture;
use crate::metrics::About;
use crate::metrics::Metrics;
use crate::metrics::recent::Alerts;
use crate::network::Plan;
use crate::observer::Observer;
use crate::pipeline::stop::Stop;
use crate::sink::queue::Queue;
use crate::stats::SharedStats;
use crate::system::stdio::print_status;

/// The metrics of a run that are served; none without `--listen`.
pub struct Listening(Option<Arc<Metrics>>);

/// Binds the address, before this process is confined: it could not afterwards.
pub fn bind(address: Option<SocketAddr>) -> Result<Option<Server>> {
    let server = address.map(Server::bind).transpose();
    server.context("cannot serve metrics (--listen)")
}

/// Serves `pages` as soon as `network` is started, after this process was confined. Plugins are not ready by then:
/// `/readyz` says so.
pub fn start(
    server: Option<Server>,
    network: &mut Plan,
    shared: &SharedStats,
    stop: &Stop,
    is_verbose: bool,
    pages: fn(&Arc<Metrics>) -> Pages,
) -> Listening {
    let Some(server) = server else {
        return Listening(None);
    };
    let metrics = Metrics::new(shared.clone(), Arc::clone(stop.stdout_status()));
    let metrics = Arc::new(metrics);
    let address = server.address();
    let pages = pages(&metrics);
    network.spawn(server.run(pages));
    if is_verbose {
        print_status(&format!("metrics are at http://{address}/metrics"));
    }
    Listening(Some(metrics))
}

impl Listening {
    /// The queue through which alerts get to the report of the last minutes.
    pub fn queue(&self) -> Result<Option<Queue>> {
        let Listening(Some(metrics)) = self else {
            return Ok(None);
        };
        let queue = Queue::start(Alerts(Arc::clone(metrics)));
        queue
            .map(Some)
            .context("cannot start the thread of the report")
    }

    /// What sees the stream, whose source begins.
    pub fn observer(
        &self,
        is_live: bool,
        host: Option<&capture::Host>,
    ) -> Option<Box<dyn Observer>> {
        let Listening(metrics) = self;
        let host = host.cloned();
        Some(metrics.as_ref()?.observer(About { is_live, host }))
    }

    /// Notes that the source records, and that all plugins run.
    pub fn begin(&self) {
        if let Listening(Some(metrics)) = self {
            metrics.begin();
        }
    }

    /// Notes that the run ends, where there is no observer that sees it.
    #[cfg(feature = "fleet")]
    pub fn end(&self) {
        if let Listening(Some(metrics)) = self {
            metrics.end();
        }
    }
}
