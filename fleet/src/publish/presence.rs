//! What an agent says of itself in the broker, every ten seconds.

use std::time::Duration;
use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::counts::PublishCounts;
use super::shared::Shared;
use crate::connect::Broker;
use crate::connect::BucketError;
use crate::names::AGENTS_BUCKET;
use crate::names::AgentRun;
use crate::names::HostToken;

/// How often an agent reports.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// The value of an agent in the bucket [`AGENTS_BUCKET`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// The host's name.
    pub name: String,
    /// The identifier of its boot.
    pub boot: String,
    /// When the run began, as Unix time in nanoseconds.
    pub start: u64,
    /// When this was written, by the host's clock, as Unix time in nanoseconds.
    pub seen: u64,
    /// The run has ended with this report.
    pub has_ended: bool,
    /// What became of the frames.
    pub counts: PublishCounts,
    /// What [`Publisher::describe`](super::Publisher::describe) was given.
    pub about: Value,
}

/// The reports of this run.
pub(super) struct Presence<'a> {
    host: &'a HostToken,
    run: &'a AgentRun,
    shared: &'a Shared,
    /// The revision of our last report.
    revision: Option<u64>,
    is_warned: bool,
}

impl<'a> Presence<'a> {
    pub(super) fn new(host: &'a HostToken, run: &'a AgentRun, shared: &'a Shared) -> Presence<'a> {
        Presence {
            host,
            run,
            shared,
            revision: None,
            is_warned: false,
        }
    }

    /// Writes a report. If another agent has written one since our last, both have the same name.
    pub(super) async fn report(
        &mut self,
        broker: &Broker,
        has_ended: bool,
    ) -> Result<(), BucketError> {
        let bucket = broker.bucket(AGENTS_BUCKET);
        let key = self.host.as_str();
        let value = self.value(has_ended)?;
        let revision = match self.revision {
            Some(revision) => revision,
            None => bucket.get(key).await?.map_or(0, |entry| entry.revision),
        };
        let written = bucket.put(key, value.clone().into(), Some(revision)).await;
        let written = match written {
            Err(BucketError::Conflict(_)) => {
                let there = bucket.get(key).await?;
                if self.revision.is_some() {
                    self.compare(there.as_ref().map(|entry| &entry.value[..]));
                }
                let revision = there.map_or(0, |entry| entry.revision);
                bucket.put(key, value.into(), Some(revision)).await
            }
            written => written,
        };
        self.revision = Some(written?);
        Ok(())
    }

    /// Warns once if this report is not ours.
    fn compare(&mut self, there: Option<&[u8]>) {
        let there = there.and_then(|value| serde_json::from_slice::<AgentReport>(value).ok());
        let Some(other) =
            there.filter(|other| (&other.boot, other.start) != (&self.run.boot, self.run.start))
        else {
            return;
        };
        if !std::mem::replace(&mut self.is_warned, true) {
            let cause = format!(
                "another agent publishes under the name {:?}: its boot is {} and it runs since {} ns; give each host a \
                 name of its own",
                self.host.name(),
                other.boot,
                other.start
            );
            tracing::warn!("{cause}");
            self.shared.spool().fail(&cause);
        }
    }

    fn value(&self, has_ended: bool) -> Result<Vec<u8>, BucketError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let report = AgentReport {
            name: self.host.name(),
            boot: self.run.boot.clone(),
            start: self.run.start,
            seen: u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            has_ended,
            counts: self.shared.spool().counts().clone(),
            about: self.shared.about().clone(),
        };
        serde_json::to_vec(&report)
            .map_err(|error| BucketError::Other(AGENTS_BUCKET, error.to_string()))
    }
}
