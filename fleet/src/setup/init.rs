//! Makes what is missing in the broker, and compares what is there.

use std::fmt;
use std::time::SystemTime;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream;

use super::settings::FORMAT;
use super::settings::Settings;
use super::settings::SettingsError;
use super::settings::read_settings;
use super::shape;
use super::shape::InitOptions;
use crate::connect::Broker;
use crate::connect::BucketError;
use crate::names::SETTINGS_BUCKET;
use crate::names::SETTINGS_KEY;

/// What was done, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// Each stream, bucket and object store by its name in the broker, and the settings last.
    pub parts: Vec<(String, State)>,
    /// The settings as they are in the broker.
    pub settings: Settings,
}

/// The state of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was missing and is there now.
    Created,
    /// It was there as it should be.
    Unchanged,
    /// It was there with other limits, which were left as they are. Says which.
    Different(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Created => f.write_str("created"),
            State::Unchanged => f.write_str("unchanged"),
            State::Different(how) => write!(f, "different: {how}"),
        }
    }
}

impl InitReport {
    /// Returns whether something was there with other limits.
    pub fn has_differences(&self) -> bool {
        let mut states = self.parts.iter().map(|(_, state)| state);
        states.any(|state| matches!(state, State::Different(_)))
    }
}

/// The broker cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The broker has settings that do not fit.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The server refuses a stream.
    #[error("cannot create {name}: {cause}")]
    Create {
        /// The stream.
        name: String,
        /// The server's words.
        cause: String,
    },
    /// The settings cannot be written.
    #[error("cannot write the settings of the fleet: {0}")]
    Write(String),
}

/// Creates what is missing; what is there stays as it is. Can be run again, also at the same time.
///
/// # Errors
///
/// If the broker does not answer or refuses something. If it has another number of partitions already, nothing is
/// changed.
pub async fn init(broker: &Broker, options: &InitOptions) -> Result<InitReport, InitError> {
    let there = match read_settings(broker).await {
        Ok(settings) => {
            settings.expect_partitions(options.partitions)?;
            Some(settings)
        }
        Err(SettingsError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut parts = Vec::new();
    for config in shape::streams(options) {
        parts.push((config.name.clone(), ensure(broker, config).await?));
    }
    let (settings, state) = match there {
        Some(settings) => (settings, State::Unchanged),
        None => write_settings(broker, options).await?,
    };
    parts.push(("settings".to_owned(), state));
    Ok(InitReport { parts, settings })
}

async fn ensure(broker: &Broker, config: stream::Config) -> Result<State, InitError> {
    let context = broker.jetstream();
    let failed = |cause: String| InitError::Create {
        name: config.name.clone(),
        cause,
    };
    match context.get_stream(&config.name).await {
        Ok(there) => return Ok(compare(&config, &there.cached_info().config)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(failed(error.to_string())),
        },
    }
    match context.create_stream(config.clone()).await {
        Ok(_) => Ok(State::Created),
        Err(error) => match error.kind() {
            // Another one was first.
            CreateStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                let there = context.get_stream(&config.name).await;
                let there = there.map_err(|error| failed(error.to_string()))?;
                Ok(compare(&config, &there.cached_info().config))
            }
            _ => Err(failed(error.to_string())),
        },
    }
}

fn compare(expected: &stream::Config, there: &stream::Config) -> State {
    match shape::differences(expected, there).as_slice() {
        [] => State::Unchanged,
        differences => State::Different(differences.join("; ")),
    }
}

async fn write_settings(
    broker: &Broker,
    options: &InitOptions,
) -> Result<(Settings, State), InitError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let settings = Settings {
        format: FORMAT,
        partitions: options.partitions,
        created: now.unwrap_or_default().as_secs(),
    };
    let value =
        serde_json::to_vec(&settings).map_err(|error| InitError::Write(error.to_string()))?;
    let bucket = broker.bucket(SETTINGS_BUCKET);
    match bucket.put(SETTINGS_KEY, value.into(), Some(0)).await {
        Ok(_) => Ok((settings, State::Created)),
        // Another one was first, perhaps with another number of partitions.
        Err(BucketError::Conflict(_)) => {
            let settings = read_settings(broker).await?;
            settings.expect_partitions(options.partitions)?;
            Ok((settings, State::Unchanged))
        }
        Err(error) => Err(InitError::Write(error.to_string())),
    }
}
