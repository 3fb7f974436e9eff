//! The settings of the fleet, which agents and consumers read when they connect.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::connect::Broker;
use crate::connect::BucketError;
use crate::names::SETTINGS_BUCKET;
use crate::names::SETTINGS_KEY;
use crate::names::STREAM;
use crate::partition::Partitions;

/// The format of what is in the broker that this version knows.
pub const FORMAT: u32 = 1;

/// The settings of a fleet, in the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Format of frames, subjects and buckets.
    pub format: u32,
    /// Number of partitions.
    pub partitions: Partitions,
    /// When the fleet was set up, as Unix time in seconds.
    pub created: u64,
}

/// The settings cannot be read, or are others than expected.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There are none.
    #[error("the broker {0} is not set up: run `retrans-host fleet init`")]
    Missing(String),
    /// They are of a later version.
    #[error(
        "the fleet has the format {0}, and this version knows format {FORMAT}: install a later version"
    )]
    Format(u64),
    /// The number of partitions is another one.
    #[error("the fleet has {there} partitions, and {expected} are expected")]
    Partitions {
        /// The number in the broker.
        there: u16,
        /// The number that was expected.
        expected: u16,
    },
    /// They are no settings.
    #[error("the settings of the fleet cannot be read: {0}")]
    Malformed(String),
    /// The broker does not answer, or does not permit it.
    #[error("cannot read the settings of the fleet: {0}")]
    Broker(String),
}

/// Reads the settings of the fleet.
///
/// # Errors
///
/// If the broker does not answer, if it is not set up, and if the settings are of a later version.
pub async fn read_settings(broker: &Broker) -> Result<Settings, SettingsError> {
    let missing = || SettingsError::Missing(broker.address().to_owned());
    let entry = broker.bucket(SETTINGS_BUCKET).get(SETTINGS_KEY).await;
    match entry {
        Ok(Some(entry)) => Settings::parse(&entry.value),
        Ok(None) | Err(BucketError::Missing(_)) => Err(missing()),
        Err(error) => Err(SettingsError::Broker(error.to_string())),
    }
}

/// The age at which frames leave the stream; zero: they stay.
///
/// # Errors
///
/// If there is no stream, or the broker does not answer.
pub async fn read_max_age(broker: &Broker) -> Result<Duration, SettingsError> {
    let stream = broker.jetstream().get_stream(STREAM).await;
    let stream = stream.map_err(|error| SettingsError::Broker(error.to_string()))?;
    Ok(stream.cached_info().config.max_age)
}

impl Settings {
    /// Reads the settings from their value.
    pub(super) fn parse(value: &[u8]) -> Result<Settings, SettingsError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let malformed = |error: serde_json::Error| SettingsError::Malformed(error.to_string());
        // A later format may have other fields.
        let Format { format } = serde_json::from_slice(value).map_err(malformed)?;
        if format != u64::from(FORMAT) {
            return Err(SettingsError::Format(format));
        }
        serde_json::from_slice(value).map_err(malformed)
    }

    /// Returns an error if the fleet has another number of partitions.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Partitions`], which names both numbers.
    pub fn expect_partitions(&self, expected: Partitions) -> Result<(), SettingsError> {
        if self.partitions == expected {
            return Ok(());
        }
        Err(SettingsError::Partitions {
            there: self.partitions.count(),
            expected: expected.count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_later_format_are_refused_even_if_they_have_other_fields() {
        let settings =
            Settings::parse(br#"{"format":1,"partitions":8,"created":5}"#).expect("settings");
        assert_eq!(settings.partitions.count(), 8);
        assert!(matches!(
            Settings::parse(br#"{"format":2}"#),
            Err(SettingsError::Format(2))
        ));
        assert!(matches!(
            Settings::parse(b"{}"),
            Err(SettingsError::Malformed(_))
        ));
        let error = settings
            .expect_partitions(Partitions::DEFAULT)
            .expect_err("another number");
        assert_eq!(
            error.to_string(),
            "the fleet has 8 partitions, and 32 are expected"
        );
    }
}
