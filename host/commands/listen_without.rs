//! Of a build without the feature `network`: `--listen` is refused.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use anyhow::bail;

use crate::capture;
use crate::network::Plan;
use crate::observer::Observer;
use crate::pipeline::stop::Stop;
use crate::sink::queue::Queue;
use crate::stats::SharedStats;

/// Nothing is served.
pub struct Listening;

/// Refuses an address.
pub fn bind(address: Option<SocketAddr>) -> Result<Option<Infallible>> {
    match address {
        None => Ok(None),
        Some(_) => bail!(
            "--listen: this program was built without its feature network; build it with default features"
        ),
    }
}

/// Starts nothing.
pub fn start(
    _server: Option<Infallible>,
    _network: &mut Plan,
    _shared: &SharedStats,
    _stop: &Stop,
    _is_verbose: bool,
) -> Listening {
    Listening
}

impl Listening {
    /// None.
    pub fn queue(&self) -> Result<Option<Queue>> {
        Ok(None)
    }

    /// None.
    pub fn observer(
        &self,
        _is_live: bool,
        _host: Option<&capture::Host>,
    ) -> Option<Box<dyn Observer>> {
        None
    }

    /// Nothing is to be noted.
    pub fn begin(&self) {}
}
