//! What takes the place of the publisher and of what reads from a broker in a build without the fleet: nothing is published
//! or read.

use anyhow::Result;
use anyhow::bail;

use crate::capture::Host;
use crate::config::Observe;
use crate::config::Publish;
use crate::observer::Observer;
use crate::source::replay::ItemStream;
use crate::stream::clock::Clock;
use crate::system::sandbox::files::Files;

/// Nothing is published.
pub struct Plan;

/// Which clock tells how old events are when they are published.
pub enum AgentClock {
    /// That of this machine.
    Live(Clock),
    /// The time of the stream: of a replay.
    Stream,
}

impl Plan {
    /// There is nothing to read.
    pub fn prepare(_: Option<&Publish>) -> Result<Plan> {
        Ok(Plan)
    }

    /// There is none.
    pub fn make_directory(self) -> Result<Plan> {
        Ok(self)
    }

    /// No connections are made.
    pub fn connects(&self) -> bool {
        false
    }

    /// No files are needed.
    pub fn allow_files(&self, _: &mut Files) {}

    /// There is no observer.
    pub fn start(self, _: Option<&Host>, _: AgentClock) -> Result<Option<Box<dyn Observer>>> {
        Ok(None)
    }
}

/// Nothing is read from a broker: the command line refuses it before.
pub fn observe(_: &Observe) -> Result<Box<dyn ItemStream>> {
    bail!("this program was built without the feature fleet")
}
