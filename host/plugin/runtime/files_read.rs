//! What a plugin has read below its granted directories while it was configured, and whether it has changed since.
//!
//! A file is known by its identity, size and times when it was opened, and not by its contents: the check must cost
//! little, and a plugin may have read a part only. A file that was not there, and a directory that was listed, count as
//! read: what the plugin would find there may be different now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use bytesize::ByteSize;
use rustix::fd::AsFd;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::fstat;
use rustix::fs::openat;
use serde_json::Value;

use super::beneath::open_beneath;
use crate::system::sandbox::files;
use crate::system::sanitize::quoted;

/// Maximum number of paths that are kept for a plugin. A change of another one is not noticed.
const MAX_PATHS: usize = 1_024;

/// Maximum number of paths that are named in a log line.
const MAX_NAMED: usize = 8;

/// Maximum length in bytes of a path that was not granted. The kernel has not seen it.
const MAX_PATH: usize = 4_096;

/// What one instance has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesRead {
    /// Each path as it was found.
    paths: BTreeMap<GrantedPath, Option<Found>>,
    /// Number of opened files that have no room in `paths`.
    more: u64,
    /// Paths that the plugin tried to open and that no grant covers. Its standard library leaves out a leading `/`.
    not_granted: BTreeSet<String>,
}

/// A path below a granted directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GrantedPath {
    /// The directory, as the operator wrote it.
    pub(crate) granted: PathBuf,
    /// The rest of the path, as the plugin wrote it.
    pub(crate) rest: PathBuf,
}

/// Identity and age of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    device: u64,
    inode: u64,
    is_file: bool,
    size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl GrantedPath {
    /// A path below this one.
    pub(crate) fn join(&self, path: &str) -> GrantedPath {
        GrantedPath {
            granted: self.granted.clone(),
            rest: self.rest.join(path),
        }
    }

    /// The path as the operator knows it.
    fn full(&self) -> PathBuf {
        self.granted.join(&self.rest)
    }

    /// What is at the path now; `None` if the plugin could not open it.
    fn find(&self) -> Option<Found> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let granted = openat(CWD, &self.granted, flags, Mode::empty()).ok()?;
        // `openat2` refuses an empty path.
        let rest = match self.rest.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.rest,
        };
        let file = open_beneath(&granted, rest, OFlags::PATH).ok()?;
        Found::of(&file)
    }
}

impl Found {
    fn of(file: impl AsFd) -> Option<Found> {
        fstat(file).ok().as_ref().map(Found::from)
    }
}

impl From<&Stat> for Found {
    fn from(stat: &Stat) -> Found {
        Found {
            device: stat.st_dev,
            inode: stat.st_ino,
            is_file: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl FilesRead {
    /// Records that a file was opened, or a directory was listed.
    pub(crate) fn add(&mut self, path: GrantedPath, file: impl AsFd) {
        self.insert(path, Found::of(file));
    }

    /// Records that a file was not there.
    pub(crate) fn add_missing(&mut self, path: GrantedPath) {
        self.insert(path, None);
    }

    fn insert(&mut self, path: GrantedPath, found: Option<Found>) {
        match self.paths.len() < MAX_PATHS || self.paths.contains_key(&path) {
            // The first time counts: a change between the first and the second time is a change.
            true => drop(self.paths.entry(path).or_insert(found)),
            false => self.more += 1,
        }
    }

    /// Records a path that no grant covers.
    pub(crate) fn add_not_granted(&mut self, path: &str) {
        if self.not_granted.len() < MAX_NAMED && path.len() <= MAX_PATH {
            self.not_granted.insert(path.to_owned());
        }
    }

    /// Returns the paths at which the plugin would find something else now.
    pub fn changed(&self) -> Vec<PathBuf> {
        let changed = self.paths.iter();
        let changed = changed.filter(|(path, found)| path.find() != **found);
        changed.map(|(path, _)| path.full()).collect()
    }

    /// Returns what the plugin would find at these paths now.
    pub fn now(&self) -> FilesRead {
        let paths = self.paths.keys();
        FilesRead {
            paths: paths.map(|path| (path.clone(), path.find())).collect(),
            ..FilesRead::default()
        }
    }

    /// Replaces what is known of paths by what is known of them in `later`, and adds its other paths.
    pub fn extend(&mut self, later: FilesRead) {
        self.paths.extend(later.paths);
    }

    /// Returns the directories in which a change may be one of what was read: each directory between the granted one and
    /// the file, and that of the target if the file is a symbolic link. Only directories that exist.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for (path, found) in &self.paths {
            let full = path.full();
            directories.insert(path.granted.clone());
            directories.extend(
                full.ancestors()
                    .skip(1)
                    .take_while(|above| *above != path.granted)
                    .filter(|above| above.starts_with(&path.granted))
                    .map(Path::to_owned),
            );
            directories.extend(files::directories(&full));
            if found.is_some_and(|found| !found.is_file) {
                directories.insert(full);
            }
        }
        directories.retain(|directory| directory.is_dir());
        directories
    }

    /// Names paths that no grant covers, and how to grant them. `settings` are those of the plugin, as JSON: a path that
    /// is one of them is named as it is written there. `None` if there are no such paths.
    pub fn not_granted(&self, settings: &str) -> Option<String> {
        let written = |path: &String| written(path, settings);
        let paths: Vec<PathBuf> = self.not_granted.iter().map(written).collect();
        let directory = paths.first()?.parent()?;
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        Some(format!(
            "{} is not granted (--allow read={} grants its directory)",
            named(paths.iter().map(|path| quoted(&path.to_string_lossy())), 0),
            quoted(&directory.to_string_lossy())
        ))
    }

    /// Returns whether nothing was read, and nothing that is not there was looked for.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// The files with their sizes, in one line. Empty if no file was read.
impl fmt::Display for FilesRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.paths.iter().filter_map(|(path, found)| {
            let found = found.filter(|found| found.is_file)?;
            let path = path.full();
            Some(format!(
                "{} ({})",
                quoted(&path.to_string_lossy()),
                ByteSize(found.size)
            ))
        });
        f.write_str(&named(files, self.more))
    }
}

/// Names paths in one line.
pub fn names(paths: &[PathBuf]) -> String {
    named(paths.iter().map(|path| quoted(&path.to_string_lossy())), 0)
}

/// The first names, and how many more there are.
fn named(names: impl Iterator<Item = String>, more: u64) -> String {
    let names: Vec<String> = names.collect();
    let shown = names.len().min(MAX_NAMED);
    let more = more + (names.len() - shown) as u64;
    let shown = names[..shown].join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A path without its leading `/`, as the settings have it; absolute if they do not.
fn written(path: &str, settings: &str) -> PathBuf {
    let is_path = |text: &str| {
        let components = Path::new(text).components();
        let names =
            components.filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
        names.eq(Path::new(path).components())
    };
    let settings: Value = serde_json::from_str(settings).unwrap_or_default();
    let mut values = vec![&settings];
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) if is_path(text) => return PathBuf::from(text),
            Value::Array(items) => values.extend(items),
            Value::Object(members) => values.extend(members.values()),
            _ => {}
        }
    }
    Path::new("/").join(path)
}

#[cfg(test)]
mod tests;
