//! The plugins of the running chain, as reload and reconfiguration see them, and the way to change them: the chain takes
//! a change between two batches.

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;

use crate::chain::Change;
use crate::chain::Member;
use crate::chain::SwapError;
use crate::plugin::Digest;
use crate::plugin::Engine;
use crate::plugin::FilesRead;
use crate::plugin::OnDisk;
use crate::plugin::Plugin;
use crate::plugin::Spec;

/// The plugins of the running chain.
pub struct Running {
    /// With which new versions are compiled.
    pub engine: Engine,
    /// In the order of the chain.
    pub plugins: Vec<Watched>,
    changes: Sender<Change>,
}

/// A plugin of the chain, and what a check for a new version of it needs to know.
pub struct Watched {
    /// Its options.
    pub spec: Spec,
    /// The version that runs.
    pub running: Digest,
    /// What the running instance has read of its granted files.
    pub files: FilesRead,
    /// The failure that was logged last, so that it is logged once.
    pub failure: Option<Failure>,
}

/// Why a new version could not be loaded.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The file cannot be read.
    Unreadable(String),
    /// This version cannot be started with these files.
    Unusable(OnDisk, FilesRead),
}

impl Watched {
    /// For a plugin that was just started.
    pub fn new(plugin: &Plugin) -> Watched {
        Watched {
            spec: plugin.prepared.spec().clone(),
            running: plugin.prepared.digest(),
            files: plugin.instance.files_read().clone(),
            failure: None,
        }
    }
}

impl Running {
    /// For the plugins of a chain, in their order. The chain receives changes from the returned channel.
    pub fn new(engine: Engine, plugins: &[Plugin]) -> (Running, Receiver<Change>) {
        let (changes, receiver) = bounded(0);
        let running = Running {
            engine,
            plugins: plugins.iter().map(Watched::new).collect(),
            changes,
        };
        (running, receiver)
    }

    /// Sends a change to the chain, and waits for it. Returns what became of each member.
    pub fn change(&self, members: Vec<Member>) -> Result<Vec<Result<(), SwapError>>, SwapError> {
        let (done, changed) = bounded(1);
        let ended = || SwapError::OldFailed("the chain has ended".to_owned());
        let change = Change { members, done };
        self.changes.send(change).map_err(|_| ended())?;
        changed.recv().map_err(|_| ended())
    }
}
