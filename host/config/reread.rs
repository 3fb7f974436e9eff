//! The configuration of a watch, read again while it runs.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::ChainConfig;
use super::Network;
use super::Watch;
use crate::plugin::Spec;
use crate::system::stdio;

/// What reads the configuration again; the error is one for people.
type Read = dyn Fn() -> Result<Watch, String> + Send + Sync;

/// Reads the configuration file again, beside the command line and the environment of the start.
#[derive(Clone)]
pub struct Reread {
    file: PathBuf,
    at_start: Arc<Watch>,
    read: Arc<Read>,
}

/// What a configuration that was read again says.
#[derive(Debug, PartialEq, Eq)]
pub struct Reconfigured {
    /// The plugins of the chain, in their order; never empty.
    pub plugins: Vec<Spec>,
    /// What is delivered over the network.
    pub network: Network,
    /// Options, as on the command line, that have other values than at the start, and cannot change during a run.
    pub needs_restart: Vec<&'static str>,
}

impl Reread {
    /// Reads `file` by `read`; `at_start` is what it said at the start.
    pub fn new(
        file: PathBuf,
        at_start: Watch,
        read: impl Fn() -> Result<Watch, String> + Send + Sync + 'static,
    ) -> Reread {
        Reread {
            file,
            at_start: Arc::new(at_start),
            read: Arc::new(read),
        }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has a mistake; the error names its line.
    pub fn read(&self) -> Result<Reconfigured, String> {
        let mut now = (self.read)()?;
        let needs_restart = self.at_start.differences(&now);
        // Standard output is what it was at the start.
        if let Some(terminal) = stdio::terminal() {
            now.chain.fit(terminal);
        }
        Ok(Reconfigured {
            plugins: now.chain.plugins,
            network: now.chain.network,
            needs_restart,
        })
    }
}

impl Watch {
    /// The options, plugins and deliveries over the network aside, that differ from those of `other`.
    fn differences(&self, other: &Watch) -> Vec<&'static str> {
        let Watch {
            chain,
            listen,
            ring_size,
            backlog,
            attach,
            filters,
            show_queued,
            census,
            owners,
            reconcile,
            record,
            publish,
            user,
            sandbox,
        } = self;
        let ChainConfig {
            plugins: _,
            is_default: _,
            reread: _,
            watch_files,
            lines,
            json_alerts,
            sinks,
            network: _,
            count,
            duration,
            stats_every,
            verbosity,
        } = chain;
        let of = &other.chain;
        let options = [
            ("watch", *watch_files == of.watch_files),
            ("alerts", *json_alerts == of.json_alerts),
            ("alerts-file", *sinks == of.sinks),
            ("duration", *duration == of.duration),
            ("stats-every", *stats_every == of.stats_every),
            ("count", *count == of.count),
            ("quiet", *verbosity == of.verbosity),
            ("listen", *listen == other.listen),
            ("ring-size", *ring_size == other.ring_size),
            ("backlog", *backlog == other.backlog),
            ("attach", *attach == other.attach),
            ("failed", *show_queued == other.show_queued),
            ("census", *census == other.census),
            ("owners", *owners == other.owners),
            ("reconcile", *reconcile == other.reconcile),
            ("user", *user == other.user),
            ("sandbox", *sandbox == other.sandbox),
            // Where the lines go depends on the recording.
            ("record", *record == other.record && *lines == of.lines),
            ("publish", *publish == other.publish),
            ("filter", *filters == other.filters),
        ];
        let changed = options.iter().filter(|(_, is_same)| !is_same);
        changed.map(|(option, _)| *option).collect()
    }
}

/// Of one file there is one way to read it.
impl PartialEq for Reread {
    fn eq(&self, other: &Reread) -> bool {
        self.file == other.file
    }
}

impl Eq for Reread {}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reread").field(&self.file).finish()
    }
}
