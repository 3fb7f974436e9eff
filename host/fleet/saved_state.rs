//! The body of a snapshot: the states of the plugins and the alerts that fire, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

use super::open_alerts::StoredAlert;
use crate::chain::SavedPlugin;
use crate::plugin::Snapshot;

/// The state of a partition's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedState {
    /// The stream's time when it was saved, since 1970.
    pub time: Duration,
    /// Events that were lost since plugins were last told.
    pub lost: u64,
    /// The plugins, in their order.
    plugins: Vec<StoredPlugin>,
    /// The alerts that fire.
    pub alerts: Vec<StoredAlert>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPlugin {
    name: String,
    /// Version and bytes of the state; `None`: it has none.
    state: Option<(u32, String)>,
}

/// A body that is none.
#[derive(Debug, thiserror::Error)]
pub enum BadState {
    /// It is no JSON of a state.
    #[error("it cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The state of a plugin is no base64.
    #[error("the state of plugin {0} cannot be read: {1}")]
    Plugin(String, base64::DecodeError),
}

impl SavedState {
    /// The state with these of the plugins.
    pub fn new(
        time: Duration,
        lost: u64,
        plugins: Vec<(String, Option<Snapshot>)>,
        alerts: Vec<StoredAlert>,
    ) -> SavedState {
        let plugins = plugins.into_iter().map(|(name, snapshot)| StoredPlugin {
            name,
            state: snapshot
                .map(|snapshot| (snapshot.version, STANDARD_NO_PAD.encode(snapshot.bytes))),
        });
        SavedState {
            time,
            lost,
            plugins: plugins.collect(),
            alerts,
        }
    }

    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<SavedState, BadState> {
        Ok(serde_json::from_slice(body)?)
    }

    /// The body.
    pub fn body(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// The plugins with their states and their alerts.
    pub fn plugins(&self) -> Result<Vec<SavedPlugin>, BadState> {
        let plugins = self.plugins.iter().map(|plugin| {
            let decode = |(version, bytes): &(u32, String)| {
                let bytes = STANDARD_NO_PAD.decode(bytes);
                bytes.map(|bytes| Snapshot {
                    version: *version,
                    bytes,
                })
            };
            let snapshot = plugin.state.as_ref().map(decode).transpose();
            let of_plugin = |alert: &&StoredAlert| alert.plugin() == plugin.name;
            Ok(SavedPlugin {
                name: plugin.name.clone(),
                snapshot: snapshot.map_err(|error| BadState::Plugin(plugin.name.clone(), error))?,
                active: self
                    .alerts
                    .iter()
                    .filter(of_plugin)
                    .map(StoredAlert::active)
                    .collect(),
            })
        });
        plugins.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_were_written() {
        let snapshot = Snapshot {
            version: 3,
            bytes: (0..=255).collect(),
        };
        let plugins = vec![
            ("a".to_owned(), Some(snapshot.clone())),
            ("b".to_owned(), None),
        ];
        let saved = SavedState::new(Duration::from_nanos(5), 2, plugins, Vec::new());
        let read = SavedState::read(&saved.body().expect("JSON")).expect("as written");
        assert_eq!(read, saved);
        let plugins = read.plugins().expect("sound");
        assert_eq!(plugins[0].snapshot, Some(snapshot));
        assert_eq!(plugins[1].snapshot, None);
    }

    #[test]
    fn what_is_no_state_is_an_error() {
        assert!(matches!(SavedState::read(b"{"), Err(BadState::Json(_))));
        let text = br#"{"time":{"secs":1,"nanos":0},"lost":0,"plugins":[{"name":"a","state":[1,"?"]}],"alerts":[]}"#;
        let state = SavedState::read(text).expect("JSON");
        assert!(matches!(state.plugins(), Err(BadState::Plugin(name, _)) if name == "a"));
    }
}
