//! Loads new versions of plugins, and of the files that they read, while the host runs.
//!
//! At SIGHUP, or with `--watch` whenever a file changes, a thread compiles and configures the new version, while the
//! running one goes on. The chain then replaces the running version between two batches. On any error the running
//! version stays. A plugin whose granted files have changed takes the same way, with the code that it has.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use notify::event::AccessKind;
use notify::event::AccessMode;

use crate::chain::Change;
use crate::chain::Member;
use crate::chain::SwapError;
use crate::pipeline::hangups::Hangups;
use crate::pipeline::reconfigure::Reconfigurer;
use crate::pipeline::running::Failure;
use crate::pipeline::running::Running;
use crate::pipeline::running::Watched;
use crate::pipeline::stop::EndHandle;
use crate::plugin::Digest;
use crate::plugin::Engine;
use crate::plugin::FilesRead;
use crate::plugin::OnDisk;
use crate::plugin::Origin;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::THREAD_STACK;
use crate::plugin::runtime::files_read;
use crate::plugin::signature;
use crate::sink::queue::Reopen;
use crate::system::privileges;
use crate::system::sandbox::files;
use crate::system::service_manager::ServiceManager;
use crate::system::threads;

/// Files are checked once their directories have not changed for this time: most editors and compilers are done then.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Maximum delay by [`DEBOUNCE`]: other files in the directory may change all the time.
const MAX_DEBOUNCE: Duration = Duration::from_secs(2);

/// With `--watch`, interval at which files are checked without a notification.
const RECHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Why files are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// SIGHUP.
    Requested,
    /// A change in the directory of a plugin's file, or of a file that it has read.
    Changed,
    /// No notification within [`RECHECK_INTERVAL`].
    Periodic,
}

/// Checks for new versions of plugins, and loads them.
pub struct Reloader {
    running: Running,
    /// Whether plugins can have a census.
    can_have_census: bool,
    /// Reads the configuration file at SIGHUP; `None`: there is none.
    reconfigurer: Option<Reconfigurer>,
    /// Told at SIGHUP when that begins and when it is done.
    manager: ServiceManager,
}

/// What has changed since a plugin was started.
struct FilesChanged {
    on_disk: OnDisk,
    is_code_new: bool,
    /// Paths of the granted files that have changed.
    files: Vec<PathBuf>,
}

impl Reloader {
    /// For the plugins of a chain, in their order. The chain receives changes from the returned channel.
    pub fn new(engine: Engine, plugins: &[Plugin]) -> (Reloader, Receiver<Change>) {
        let (running, changes) = Running::new(engine, plugins);
        let reloader = Reloader {
            running,
            can_have_census: true,
            reconfigurer: None,
            manager: ServiceManager::default(),
        };
        (reloader, changes)
    }

    /// Refuses new versions that ask for a census, unless plugins can have one.
    pub fn refuse_census_unless(self, can_have_census: bool) -> Reloader {
        Reloader {
            can_have_census,
            ..self
        }
    }

    /// Reads the configuration file at SIGHUP, too.
    pub fn reconfigure_by(mut self, reconfigurer: Reconfigurer) -> Reloader {
        self.reconfigurer = Some(reconfigurer);
        self
    }

    /// Tells this manager when SIGHUP is acted upon.
    pub fn tell(self, manager: ServiceManager) -> Reloader {
        Reloader { manager, ..self }
    }

    /// The directories to watch: a change in one of them may be a new version.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for plugin in &self.running.plugins {
            // If the file is a symbolic link, either the link or its target may be replaced.
            if let Origin::File(path) = &plugin.spec.origin {
                directories.extend(files::directories(path));
            }
            // It may come after the plugin, and be a link to another directory.
            if let Some(signature) = signature::needed(&plugin.spec) {
                directories.extend(files::directories(&signature));
            }
            directories.extend(plugin.files.directories());
            if let Some(Failure::Unusable(_, files)) = &plugin.failure {
                directories.extend(files.directories());
            }
        }
        directories
    }

    /// Checks files at every trigger, until the channel is disconnected. With a watcher it also checks at intervals,
    /// and watches the directories again: one may have been deleted and created again, and a link may lead to another
    /// one.
    fn run(mut self, triggers: &Receiver<Trigger>, mut watcher: Option<RecommendedWatcher>) {
        loop {
            let mut trigger = match (&watcher, triggers.recv_timeout(RECHECK_INTERVAL)) {
                (_, Ok(trigger)) => trigger,
                (None, Err(RecvTimeoutError::Timeout)) => continue,
                (Some(_), Err(RecvTimeoutError::Timeout)) => Trigger::Periodic,
                (_, Err(RecvTimeoutError::Disconnected)) => return,
            };
            if let Some(watcher) = &mut watcher {
                for directory in self.directories() {
                    // A directory that does not exist may exist the next time.
                    let _ = watcher.watch(&directory, RecursiveMode::NonRecursive);
                }
            }
            let noticed = Instant::now();
            while trigger == Trigger::Changed
                && noticed.elapsed() < MAX_DEBOUNCE
                && let Ok(next) = triggers.recv_timeout(DEBOUNCE)
            {
                trigger = next;
            }
            match trigger {
                Trigger::Requested => self.manager.clone().reload(|| self.check(trigger)),
                Trigger::Changed | Trigger::Periodic => self.check(trigger),
            }
        }
    }

    /// Replaces every plugin whose file, or whose granted files, have changed. At SIGHUP, every plugin that was granted
    /// files.
    pub fn check(&mut self, trigger: Trigger) {
        let mut started = Vec::new();
        if trigger == Trigger::Requested
            && let Some(reconfigurer) = &mut self.reconfigurer
        {
            started = reconfigurer.reconfigure(&mut self.running);
        }
        for index in 0..self.running.plugins.len() {
            let Watched { spec, running, .. } = &self.running.plugins[index];
            if started.contains(&spec.name) {
                continue;
            }
            let on_disk = match &spec.origin {
                Origin::Bundled(_) if spec.grants.read.is_empty() => continue,
                Origin::Bundled(_) => Ok(OnDisk {
                    code: *running,
                    signature: None,
                }),
                Origin::File(_) => OnDisk::of(spec),
            };
            match on_disk {
                Ok(on_disk) => self.check_plugin(index, on_disk, trigger),
                // Between two renames the file may not exist. Another change follows.
                Err(error) if trigger == Trigger::Changed && error.is_not_found() => {}
                Err(error) => {
                    let error = error.to_string();
                    let plugin = &mut self.running.plugins[index];
                    let failure = Some(Failure::Unreadable(error.clone()));
                    if trigger == Trigger::Requested || plugin.failure != failure {
                        tracing::warn!("{error}; the running version stays");
                        plugin.failure = failure;
                    }
                }
            }
        }
    }

    /// Replaces a plugin if the digest of its file or one of its granted files has changed. What failed is tried again
    /// at SIGHUP only, until the file, its signature or one of its granted files changes.
    fn check_plugin(&mut self, index: usize, on_disk: OnDisk, trigger: Trigger) {
        let plugin = &mut self.running.plugins[index];
        let change = FilesChanged {
            on_disk,
            is_code_new: on_disk.code != plugin.running,
            files: plugin.files.changed(),
        };
        let is_requested = trigger == Trigger::Requested;
        let is_due = is_requested && !plugin.spec.grants.read.is_empty();
        if !change.is_code_new && change.files.is_empty() && !is_due {
            if is_requested {
                let Spec { name, origin, .. } = &plugin.spec;
                tracing::info!("plugin {name}: {origin} has not changed");
            }
            plugin.failure = None;
            return;
        }
        if !is_requested
            && let Some(Failure::Unusable(failed, files)) = &plugin.failure
            && *failed == on_disk
            && files.changed().is_empty()
        {
            return;
        }
        self.replace(index, &change);
    }

    /// Replaces a plugin, and logs what became of it.
    fn replace(&mut self, index: usize, change: &FilesChanged) {
        // A failed start may have read a part of the files only.
        let mut attempted = self.running.plugins[index].files.now();
        let mut read = FilesRead::default();
        let swapped = self.swap(index, &mut read);
        let plugin = &mut self.running.plugins[index];
        let Spec { name, origin, .. } = &plugin.spec;
        match swapped {
            Ok((running, identity)) if change.is_code_new => {
                tracing::info!("plugin {name} was reloaded: {origin} {identity}");
                (plugin.running, plugin.files, plugin.failure) = (running, read, None);
            }
            Ok((running, _)) => {
                let changed = match change.files.as_slice() {
                    [] => String::new(),
                    files => format!(", {} changed", files_read::names(files)),
                };
                tracing::info!("plugin {name} was configured anew{changed}: has read {read}");
                (plugin.running, plugin.files, plugin.failure) = (running, read, None);
            }
            Err(error) => {
                match change.is_code_new {
                    true => tracing::warn!(
                        "plugin {name} is not reloaded, the running version stays: {error}"
                    ),
                    false => tracing::warn!(
                        "plugin {name} is not configured anew, the running instance stays: {error}"
                    ),
                }
                attempted.extend(read);
                plugin.failure = match error {
                    SwapError::NewFailed(_) => Some(Failure::Unusable(change.on_disk, attempted)),
                    // The next attempt may succeed.
                    SwapError::OldFailed(_) => None,
                };
            }
        }
    }

    /// Starts the new version, sends it to the chain, and waits for the result. Returns the digest of what runs now,
    /// and its identity in words. `read` becomes what the new version has read of its granted files.
    fn swap(&self, index: usize, read: &mut FilesRead) -> Result<(Digest, String), SwapError> {
        let plugin = Plugin::start_noting(
            &self.running.engine,
            &self.running.plugins[index].spec,
            read,
        );
        let plugin = plugin.map_err(|error| SwapError::NewFailed(error.to_string()))?;
        if plugin.prepared.asks_for_census() && !self.can_have_census {
            let refused =
                "it asks for a census, and there was none at the start: that needs a restart";
            return Err(SwapError::NewFailed(refused.to_owned()));
        }
        // The digest of the bytes that were compiled: the file may have changed again.
        let running = (plugin.prepared.digest(), plugin.prepared.identity());
        let members = (0..self.running.plugins.len()).map(Member::Same);
        let mut members: Vec<_> = members.collect();
        members[index] = Member::Replaced(index, Box::new(plugin));
        let mut results = self.running.change(members)?;
        results.swap_remove(index)?;
        Ok(running)
    }

    /// Starts a thread that checks for new versions, as long as the process lives: at SIGHUP, and with `watch_files`
    /// also when a file changes. At SIGHUP the sinks reopen their files too. A terminal that is closed also sends
    /// SIGHUP: the run then ends.
    pub fn spawn(
        self,
        watch_files: bool,
        hangups: Hangups,
        reopens: Vec<Reopen>,
        end: EndHandle,
    ) -> Result<(), ReloadError> {
        let (trigger, triggers) = bounded(16);
        let watcher = match watch_files {
            true => {
                // The watcher starts a thread, which has the capabilities of the thread that makes the watcher.
                let (directories, changes) = (self.directories(), trigger.clone());
                let watching = threads::named("watch")
                    .keeping(privileges::of_files())
                    .spawn(move || watch(&directories, changes));
                let watcher = watching.map_err(ReloadError::Thread)?.join();
                let watcher = watcher.map_err(|_| ReloadError::Panicked)??;
                // The watcher has not seen changes between the start of the plugins and now.
                let _ = trigger.try_send(Trigger::Changed);
                Some(watcher)
            }
            false => None,
        };
        let forwarding = hangups.forward(end, move || {
            reopens.iter().for_each(Reopen::request);
            trigger.send(Trigger::Requested).is_ok()
        });
        forwarding.map_err(ReloadError::Thread)?;
        let spawned = threads::named("reload")
            .stack_size(THREAD_STACK)
            .keeping(privileges::of_files())
            .spawn(move || self.run(&triggers, watcher));
        spawned.map(drop).map_err(ReloadError::Thread)
    }
}

/// Why the host cannot notice new versions.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The thread that makes the watcher has panicked.
    #[error("cannot watch for new versions of plugins: a thread panicked")]
    Panicked,
    /// A directory cannot be watched.
    #[error("cannot watch {} for new versions of plugins: {error}", directory.display())]
    Watch {
        /// The directory.
        directory: PathBuf,
        /// The cause.
        error: notify::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread that reloads plugins: {0}")]
    Thread(io::Error),
}

/// Watches directories: every change sends [`Trigger::Changed`], as long as the watcher lives.
fn watch(
    directories: &BTreeSet<PathBuf>,
    trigger: Sender<Trigger>,
) -> Result<RecommendedWatcher, ReloadError> {
    let failed = |directory: &Path| {
        let directory = directory.to_owned();
        move |error| ReloadError::Watch { directory, error }
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Opening and reading a file, which the host does itself, is no change. An error may mean that events were
        // missed, and so counts as a change.
        let changed = event.map_or(true, |event| match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        });
        if changed {
            // If the channel is full, a check follows in any case.
            let _ = trigger.try_send(Trigger::Changed);
        }
    });
    let mut watcher = watcher.map_err(failed(Path::new("files")))?;
    for directory in directories {
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .map_err(failed(directory))?;
    }
    Ok(watcher)
}
