//! Reads the names of containers, in bounded time and memory.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::io::Errno;

use super::Names;
use super::engine;
use super::kubelet;
use super::kubelet::Pod;
use super::kubelet::PodContainer;
use super::places::Engines;
use super::places::Place;
use super::places::Places;
use crate::source::owner::container::Container;
use crate::source::owner::container::Keeper;

/// The most entries of a directory that are looked at, 4 MB of names. A node of Kubernetes has 110 pods unless it is
/// configured otherwise.
const MAX_ENTRIES: usize = 16_384;

/// The most bytes of a file that are read: some thousand containers of Podman.
const MAX_FILE_SIZE: u64 = 8 << 20;

/// The shortest time between two readings of the same directory or file.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A directory or file is read again after this many times as long as it took: this thread is busy for a twentieth of
/// the time at most.
const PAUSE: u32 = 20;

/// What was read is valid as long as this for containers that are in it: Podman can rename them.
const VALIDITY: Duration = Duration::from_secs(30);

/// The files of each container that Podman has, beside each other.
const STORED: [&str; 2] = ["containers.json", "volatile-containers.json"];

/// What a directory or file says, by uid of a pod or id of a container. `None` for one that it says two things of.
#[derive(Debug)]
struct Table<V> {
    entries: HashMap<String, Option<V>>,
    /// When it was read, and how long that took.
    read: Option<(Instant, Duration)>,
}

impl<V> Default for Table<V> {
    fn default() -> Table<V> {
        Table {
            entries: HashMap::new(),
            read: None,
        }
    }
}

impl<V: Clone + PartialEq> Table<V> {
    /// The entry of `key`. Reads all entries with `read` if it is not there, or old, unless that was done a moment ago.
    fn get(&mut self, key: &str, now: Instant, read: impl FnOnce(&mut Table<V>)) -> Option<V> {
        let since = |(read, _): (Instant, Duration)| now.saturating_duration_since(read);
        let is_valid = self.read.is_some_and(|last| since(last) < VALIDITY);
        let is_there = is_valid && self.entries.contains_key(key);
        let may_read = self
            .read
            .is_none_or(|last| since(last) >= (last.1 * PAUSE).max(MIN_INTERVAL));
        if !is_there && may_read {
            self.entries.clear();
            let begun = Instant::now();
            read(self);
            let took = begun.elapsed();
            self.read = Some((now + took, took));
        }
        self.entries.get(key).cloned().flatten()
    }

    fn add(&mut self, key: &str, value: V) {
        match self.entries.get_mut(key) {
            Some(other) if other.as_ref() != Some(&value) => *other = None,
            Some(_) => {}
            None => {
                self.entries.insert(key.to_owned(), Some(value));
            }
        }
    }
}

/// Reads the names of containers.
pub struct Reader {
    places: Places,
    pods: Table<Pod>,
    links: Table<PodContainer>,
    /// Those of containers/storage: of the machine, and of users.
    stored: HashMap<Keeper, Table<String>>,
    log: Log,
}

/// Messages that were logged, each once for a directory.
#[derive(Default)]
struct Log(HashSet<String>);

impl Log {
    /// `what` has no names, because of `why`.
    fn once(&mut self, place: &Place, what: &str, why: impl FnOnce() -> String) {
        let path = place.shown();
        if !self.0.contains(&path) {
            tracing::warn!("{path}: {}; {what} have no names", why());
            self.0.insert(path);
        }
    }
}

impl Reader {
    pub(super) fn new(places: Places) -> Reader {
        Reader {
            places,
            pods: Table::default(),
            links: Table::default(),
            stored: HashMap::new(),
            log: Log::default(),
        }
    }

    /// The names of a container, as far as they are certain.
    pub(super) fn names(&mut self, container: &Container, now: Instant) -> Option<Names> {
        match container.keeper {
            Keeper::Container => None,
            Keeper::Machine => match self.of_kubelet(container, now) {
                None if container.pod.is_none() => self.of_engines(container, now),
                names => names,
            },
            Keeper::User(_) => self.of_engines(container, now),
        }
    }

    fn of_kubelet(&mut self, container: &Container, now: Instant) -> Option<Names> {
        let Reader {
            places: Places { pods, links, .. },
            log,
            ..
        } = self;
        let pod = container.pod.as_ref().and_then(|uid| {
            self.pods.get(uid, now, |table| {
                list(pods, "pods that are not in what was read", log, |name| {
                    if let Some((uid, pod)) = kubelet::pod(name) {
                        table.add(uid, pod);
                    }
                });
            })
        });
        let link = self.links.get(&container.id, now, |table| {
            list(
                links,
                "containers that are not in what was read",
                log,
                |name| {
                    if let Some((id, container)) = kubelet::container(name) {
                        table.add(id, container);
                    }
                },
            );
        });
        let (pod, container) = match (pod, link) {
            (pod, None) => (pod?, None),
            // Both are the kubelet's: if they differ, neither is certain.
            (Some(pod), Some(link)) if pod != link.pod => return None,
            (_, Some(link)) => (link.pod, Some(link.name)),
        };
        Some(Names::Pod {
            namespace: pod.namespace,
            pod: pod.name,
            container,
        })
    }

    fn of_engines(&mut self, container: &Container, now: Instant) -> Option<Names> {
        let Reader {
            places,
            stored,
            log,
            ..
        } = self;
        let Engines { docker, storage } = match container.keeper {
            Keeper::Machine => &places.machine,
            Keeper::User(uid) => places.users.get(&uid)?,
            Keeper::Container => return None,
        };
        let is_id =
            container.id.len() == 64 && container.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return None;
        }
        let name = of_docker(docker, &container.id, log).or_else(|| {
            let table = stored.entry(container.keeper).or_default();
            table.get(&container.id, now, |table| {
                read_storage(storage, table, log)
            })
        });
        name.map(Names::Engine)
    }
}

/// Hands over the names of the entries of a directory, up to [`MAX_ENTRIES`].
fn list(place: &Place, what: &str, log: &mut Log, mut take: impl FnMut(&str)) {
    let Some(directory) = place.directory() else {
        return;
    };
    let mut read = || {
        // What is open is only a place, which cannot be read.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(directory, ".", flags, Mode::empty())?;
        for (number, entry) in Dir::new(directory)?.enumerate() {
            if number >= MAX_ENTRIES {
                return Ok(true);
            }
            // Those that are no text are not the kubelet's.
            if let Ok(name) = entry?.file_name().to_str() {
                take(name);
            }
        }
        Ok(false)
    };
    match read() {
        Ok(false) => {}
        Ok(true) => log.once(place, what, || {
            format!("there are more than {MAX_ENTRIES} entries")
        }),
        Err(error) => {
            let error: Errno = error;
            log.once(place, what, || format!("cannot be read: {error}"));
        }
    }
}

/// The name of a container of Docker, from the file that it has for each.
fn of_docker(place: &Place, id: &str, log: &mut Log) -> Option<String> {
    let path = format!("{id}/config.v2.json");
    let file = read_file(place.directory()?, &path);
    let named = file.and_then(|file| match file {
        Some(file) => engine::docker(&file, id).map_err(malformed),
        None => Ok(None),
    });
    named.unwrap_or_else(|error| {
        log.once(place, "containers of Docker", || {
            format!("cannot read {path}: {error}")
        });
        None
    })
}

/// Reads the files that containers/storage has for all containers.
fn read_storage(place: &Place, table: &mut Table<String>, log: &mut Log) {
    let Some(directory) = place.directory() else {
        return;
    };
    for path in STORED {
        let mut names = HashMap::new();
        let read = read_file(directory, path).and_then(|file| match file {
            Some(file) => engine::stored(&file, &mut names).map_err(malformed),
            None => Ok(false),
        });
        for (id, name) in names {
            table.add(&id, name);
        }
        let why = match read {
            Ok(false) => continue,
            Ok(true) => format!("{path} has more than {} containers", engine::MAX_CONTAINERS),
            Err(error) => format!("cannot read {path}: {error}"),
        };
        log.once(
            place,
            "containers of Podman that are not in what was read",
            || why,
        );
    }
}

/// What is said of a file that is not as expected: where, without its text, which may be secret or anything.
fn malformed(error: serde_json::Error) -> io::Error {
    let place = format!(
        "it is not as expected in line {}, column {}",
        error.line(),
        error.column()
    );
    io::Error::new(io::ErrorKind::InvalidData, place)
}

/// Reads a file. `None` if there is none.
fn read_file(directory: BorrowedFd<'_>, path: &str) -> io::Result<Option<Vec<u8>>> {
    // Whatever it is, it must not block, and a link could lead anywhere.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened?,
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(MAX_FILE_SIZE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is too large",
        ));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
