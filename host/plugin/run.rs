//! What plugins are told of the run that they are part of.

use std::sync::Arc;
use std::sync::OnceLock;

/// What is known of the run, which all plugins of a chain share. It is set once, at the latest before the first event.
#[derive(Debug, Clone, Default)]
pub struct RunInfo(Arc<OnceLock<Run>>);

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where the events are from.
    pub source: EventSource,
    /// The name of the machine whose events these are, if it is known.
    pub host: Option<String>,
    /// The release of its kernel, if it is known.
    pub kernel: Option<String>,
}

/// Where the events of a run are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSource {
    /// The kernel of this machine.
    Live,
    /// Files.
    Replay,
}

impl RunInfo {
    /// Sets what is known of the run, unless it was set before.
    pub fn set(&self, run: Run) {
        // A second replay of the same engine has the same events.
        let _ = self.0.set(run);
    }

    /// Keys and values for plugins.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        if let Some(run) = self.0.get() {
            let source = match run.source {
                EventSource::Live => "live",
                EventSource::Replay => "replay",
            };
            pairs.push(("source", source.to_owned()));
            let host = run.host.iter().map(|host| ("host", host.clone()));
            pairs.extend(host);
            let kernel = run.kernel.iter().map(|kernel| ("kernel", kernel.clone()));
            pairs.extend(kernel);
        }
        let owned = |(key, value): (&str, String)| (key.to_owned(), value);
        pairs.into_iter().map(owned).collect()
    }
}
