//! New versions of plugins take over while the host runs.
//!
//! At SIGHUP, or with `--watch` whenever a file changes, the new version is compiled and configured
//! in a thread of its own, beside the running one. The chain then swaps the two between two batches.
//! Whatever goes wrong, the running version stays.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
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
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use signal_hook::consts::SIGHUP;

use crate::chain::Reload;
use crate::chain::Stays;
use crate::pipeline::stop::EndAsSignal;
use crate::plugin::Digest;
use crate::plugin::Engine;
use crate::plugin::Origin;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::THREAD_STACK;
use crate::plugin::digest_now;
use crate::sink::queue::Reopen;
use crate::system::procfs;
use crate::system::threads;

/// A file is read when it was left alone for so long: most editors and compilers are done by then.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// But not longer than this: other files beside it may change all the time.
const MAX_DEBOUNCE: Duration = Duration::from_secs(2);

/// With `--watch`, files are looked at so often even if nobody says that they have changed.
const RECHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody asked for it.
    Asked,
    /// Something changed beside a plugin's file.
    Changed,
    /// Nobody said anything for a while.
    Regular,
}

/// Looks for new versions of plugins.
pub struct Reloader {
    engine: Engine,
    plugins: Vec<Watched>,
    reloads: Sender<Reload>,
}

/// A plugin of the chain.
struct Watched {
    spec: Spec,
    running: Digest,
    /// What was complained about last, so that it is complained about once.
    trouble: Option<Trouble>,
}

/// Why there is no new version.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// The file cannot be read.
    Unreadable(String),
    /// What is in it is of no use.
    Useless(Digest),
}

impl Reloader {
    /// For the plugins of a chain, in their order; it gets new versions from the channel.
    pub fn new(engine: Engine, plugins: &[Plugin]) -> (Reloader, Receiver<Reload>) {
        let (reloads, receiver) = bounded(0);
        let plugins = plugins.iter().map(|plugin| Watched {
            spec: plugin.prepared.spec().clone(),
            running: plugin.prepared.digest(),
            trouble: None,
        });
        let reloader = Reloader {
            engine,
            plugins: plugins.collect(),
            reloads,
        };
        (reloader, receiver)
    }

    /// Directories in which a change may mean a new version.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for plugin in &self.plugins {
            let Origin::File(path) = &plugin.spec.origin else {
                continue;
            };
            // Where the file is a link, either may be replaced: the link, or what it leads to.
            for path in [Some(path.clone()), path.canonicalize().ok()] {
                let parent = path.as_deref().and_then(Path::parent);
                directories.extend(parent.map(|parent| match parent.as_os_str().is_empty() {
                    true => PathBuf::from("."),
                    false => parent.to_owned(),
                }));
            }
        }
        directories
    }

    /// Looks for new versions whenever it is told to, until nobody can tell it any more. With a
    /// watcher it also looks now and then by itself: a directory that was made anew is another one,
    /// and a link may lead to one that was not watched so far.
    fn run(mut self, triggers: &Receiver<Trigger>, mut watcher: Option<RecommendedWatcher>) {
        loop {
            let mut trigger = match (&watcher, triggers.recv_timeout(RECHECK_INTERVAL)) {
                (_, Ok(trigger)) => trigger,
                (None, Err(RecvTimeoutError::Timeout)) => continue,
                (Some(_), Err(RecvTimeoutError::Timeout)) => Trigger::Regular,
                (_, Err(RecvTimeoutError::Disconnected)) => return,
            };
            if let Some(watcher) = &mut watcher {
                for directory in self.directories() {
                    // Where it is gone it may be there the next time.
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
            self.look(trigger);
        }
    }

    /// Swaps every plugin whose file is another one by now.
    pub fn look(&mut self, trigger: Trigger) {
        for index in 0..self.plugins.len() {
            if matches!(self.plugins[index].spec.origin, Origin::Bundled(_)) {
                continue;
            }
            match digest_now(&self.plugins[index].spec) {
                Ok(found) => self.look_at(index, found, trigger),
                // Between two renames there may be none, and another change follows.
                Err(error) if trigger == Trigger::Changed && error.is_not_found() => {}
                Err(error) => {
                    let error = error.to_string();
                    let plugin = &mut self.plugins[index];
                    let trouble = Some(Trouble::Unreadable(error.clone()));
                    if trigger == Trigger::Asked || plugin.trouble != trouble {
                        tracing::warn!("{error}; the running version stays");
                        plugin.trouble = trouble;
                    }
                }
            }
        }
    }

    fn look_at(&mut self, index: usize, found: Digest, trigger: Trigger) {
        let plugin = &mut self.plugins[index];
        if found == plugin.running {
            if trigger == Trigger::Asked {
                let Spec { name, origin, .. } = &plugin.spec;
                tracing::info!("plugin {name}: {origin} has not changed");
            }
            plugin.trouble = None;
            return;
        }
        if trigger != Trigger::Asked && plugin.trouble == Some(Trouble::Useless(found)) {
            return;
        }
        let swapped = self.swap(index);
        let plugin = &mut self.plugins[index];
        let Spec { name, origin, .. } = &plugin.spec;
        match swapped {
            Ok(running) => {
                tracing::info!("plugin {name} was reloaded: {origin} sha256={running}");
                (plugin.running, plugin.trouble) = (running, None);
            }
            Err(stays) => {
                tracing::warn!("plugin {name} is not reloaded, the running version stays: {stays}");
                plugin.trouble = match stays {
                    Stays::NewFailed(_) => Some(Trouble::Useless(found)),
                    // It may go better the next time.
                    Stays::OldFailed(_) => None,
                };
            }
        }
    }

    /// Makes the new version ready, and has the chain swap it in.
    fn swap(&self, index: usize) -> Result<Digest, Stays> {
        let plugin = Plugin::start(&self.engine, &self.plugins[index].spec);
        let plugin = plugin.map_err(|error| Stays::NewFailed(error.to_string()))?;
        // Of the bytes that were compiled: the file may have changed once more.
        let digest = plugin.prepared.digest();
        let (done, swapped) = bounded(1);
        let reload = Reload {
            index,
            plugin,
            done,
        };
        let ended = || Stays::OldFailed("the chain has ended".to_owned());
        self.reloads.send(reload).map_err(|_| ended())?;
        swapped.recv().map_err(|_| ended())??;
        Ok(digest)
    }

    /// Looks in a thread of its own, for as long as the process lives: at SIGHUP, and, if files are
    /// to be watched, when one changes. A terminal that has gone sends SIGHUP as well: the run then
    /// ends.
    pub fn spawn(
        self,
        watch_files: bool,
        hangups: Hangups,
        reopens: Vec<Reopen>,
        end: EndAsSignal,
    ) -> Result<(), ReloadError> {
        let (trigger, triggers) = bounded(16);
        let watcher = match watch_files {
            true => {
                let watcher = watch(&self.directories(), trigger.clone())?;
                // What changed between the start and here was seen by nobody.
                let _ = trigger.try_send(Trigger::Changed);
                Some(watcher)
            }
            false => None,
        };
        let passing_on = hangups.pass_on(trigger, reopens, end);
        passing_on.map_err(ReloadError::Thread)?;
        let looking = threads::named("reload")
            .stack_size(THREAD_STACK)
            .spawn(move || self.run(&triggers, watcher));
        looking.map(drop).map_err(ReloadError::Thread)
    }
}

/// Why new versions would go unnoticed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Of a directory.
    #[error("cannot watch {} for new versions of plugins: {error}", directory.display())]
    Watch {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        error: notify::Error,
    },
    /// Of the thread.
    #[error("cannot start a thread that reloads plugins: {0}")]
    Thread(io::Error),
}

fn watch(
    directories: &BTreeSet<PathBuf>,
    trigger: Sender<Trigger>,
) -> Result<RecommendedWatcher, ReloadError> {
    let failed = |directory: &Path| {
        let directory = directory.to_owned();
        move |error| ReloadError::Watch { directory, error }
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // That a file was opened or read is none: the host itself does so. What was missed may have
        // been anything.
        let changed = event.map_or(true, |event| match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        });
        if changed {
            // Full: it will be looked at anyhow.
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

/// SIGHUPs, from the moment on that there is somebody to notice them: before that, one ends the
/// process.
pub struct Hangups {
    signals: UnixStream,
    terminal: Option<File>,
}

impl Hangups {
    /// Notices them from now on.
    pub fn notice() -> io::Result<Hangups> {
        let terminal = terminal();
        let (signals, signal) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGHUP, signal)?;
        Ok(Hangups { signals, terminal })
    }

    fn pass_on(
        mut self,
        trigger: Sender<Trigger>,
        reopens: Vec<Reopen>,
        end: EndAsSignal,
    ) -> io::Result<()> {
        let waiting = threads::named("sighup").spawn(move || {
            while self.signals.read(&mut [0; 64]).is_ok_and(|read| read > 0) {
                if self.terminal.as_ref().is_some_and(has_gone) {
                    end.end();
                    return;
                }
                reopens.iter().for_each(Reopen::request);
                if trigger.send(Trigger::Asked).is_err() {
                    return;
                }
            }
        });
        waiting.map(drop)
    }
}

/// The terminal with which the run ends, wherever its output goes. None for a daemon, and none where
/// SIGHUP was ignored, as `nohup` has it.
fn terminal() -> Option<File> {
    match procfs::ignores(SIGHUP) {
        true => None,
        false => File::open("/dev/tty").ok(),
    }
}

fn has_gone(terminal: &File) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(
        terminal.as_fd(),
        PollFlags::empty(),
    )];
    poll(&mut fds, Some(&Timespec::default())).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}
