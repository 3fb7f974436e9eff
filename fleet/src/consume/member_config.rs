//! What a member is to do, whether the fleet is as it expects, and why it does not start.

use super::lease_value::Choice;
use super::reader::StartAt;
use crate::connect::Broker;
use crate::connect::ConnectError;
use crate::connect::Prepared;
use crate::partition::Partition;
use crate::partition::Partitions;
use crate::setup;
use crate::setup::SettingsError;

/// Name of the thread.
pub(super) const THREAD_NAME: &str = "fleet-consumer";

/// What a member is to do.
pub struct MemberConfig {
    /// The broker. The member has a connection of its own.
    pub broker: Prepared,
    /// The consumer's name, for people.
    pub name: String,
    /// Which partitions it takes.
    pub choice: Choice,
    /// Number of partitions that the fleet is expected to have. None: any.
    pub partitions: Option<Partitions>,
    /// Where a partition without a snapshot begins.
    pub fresh: StartAt,
}

impl MemberConfig {
    /// The number of partitions of the fleet, if it is as expected, and those that were chosen are among them.
    pub(super) async fn partitions_of(&self, broker: &Broker) -> Result<Partitions, StartError> {
        let settings = setup::read_settings(broker)
            .await
            .map_err(StartError::Settings)?;
        if let Some(expected) = self.partitions {
            settings
                .expect_partitions(expected)
                .map_err(StartError::Settings)?;
        }
        let count = settings.partitions.count();
        match &self.choice {
            Choice::Some(set) if set.is_empty() => Err(StartError::NoChoice),
            Choice::Some(set) if set.last().is_some_and(|last| last.0 >= count) => {
                let chosen = set
                    .iter()
                    .copied()
                    .filter(|chosen| chosen.0 >= count)
                    .collect();
                Err(StartError::Choice { chosen, count })
            }
            Choice::All | Choice::Some(_) | Choice::Auto => Ok(settings.partitions),
        }
    }
}

/// Why a member did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The thread or its runtime.
    #[error("cannot start the thread {THREAD_NAME}: {0}")]
    Thread(std::io::Error),
    /// The broker cannot be used.
    #[error(transparent)]
    Connect(ConnectError),
    /// The settings of the fleet are missing, or others than expected.
    #[error(transparent)]
    Settings(SettingsError),
    /// Partitions were chosen that the fleet does not have.
    #[error(
        "there is no partition {}: the fleet has {count}, from 0",
        list(chosen)
    )]
    Choice {
        /// Those that are not there.
        chosen: Vec<Partition>,
        /// Number of partitions of the fleet.
        count: u16,
    },
    /// No partition was chosen.
    #[error("no partition is chosen: expected at least one")]
    NoChoice,
    /// Something that a fleet needs cannot be opened.
    #[error("{0}")]
    Broker(String),
}

/// Partitions as text.
pub(super) fn list(partitions: &[Partition]) -> String {
    let partitions: Vec<String> = partitions.iter().map(Partition::to_string).collect();
    partitions.join(", ")
}
