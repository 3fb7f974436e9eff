//! Where compiled plugins are kept between runs.
//!
//! What is in there is native code that this process will run, often as root: the directory is used
//! only if nobody else could have written to it. A process that has capabilities but is not root's, as
//! after `setcap`, uses none: whoever runs it could have written there, and has no capabilities.
//!
//! Damaged native code does anything at all. So a file begins with a SHA-256 of what follows, and is
//! copied into sealed memory while that is computed: what is checked is what is run.

use std::env;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::Metadata;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher as _;
use std::io;
use std::io::Read;
use std::io::Seek as _;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::process::geteuid;
use rustix::thread::capabilities;
use sha2::Digest as _;
use sha2::Sha256;
use tempfile::NamedTempFile;

use super::regular;
use super::sealed;
use super::sealed::Sealed;
use crate::plugin::spec::digest::Digest;

/// How the names of files end that are kept, and of those that were begun.
const SUFFIX: &str = ".compiled";

/// Part of the names of files, and to be raised when what is in them changes.
const FORMAT: u32 = 2;

/// Bytes of a SHA-256, which a file begins with.
const CHECKSUM: usize = 32;

/// The most that is kept in bytes: what was not used for longest goes first.
const MAX_CACHE_BYTES: u64 = 512 << 20;

/// Why compiled code is not cached.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("neither XDG_CACHE_HOME nor HOME is an absolute path")]
    NoHome,
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} may be written to by others", .0.display())]
    Untrusted(PathBuf),
    #[error("this program has capabilities that its user has not")]
    Capabilities,
}

/// What compiled code is the code of, and who may use it.
#[derive(Debug, Hash)]
pub(crate) struct Key {
    /// Of the component.
    digest: Digest,
    /// Of the engine, which differs between versions and processors.
    engine: u64,
    /// The limit within which the host can hold it, as was tried.
    footprint: u64,
}

impl Key {
    pub(crate) fn new(digest: Digest, engine: &wasmtime::Engine, footprint: u64) -> Key {
        Key {
            digest,
            engine: hash(&engine.precompile_compatibility_hash()),
            footprint,
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A directory of compiled plugins.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// The user's, or none where its directory is not to be trusted: the host then compiles each
    /// time.
    pub(crate) fn of_user() -> Option<Cache> {
        let directory = match has_capabilities_alone() {
            true => Err(Unusable::Capabilities),
            false => directory(),
        };
        or_none(directory.and_then(|directory| open_in(&directory)))
    }

    /// The same in this directory, instead of the user's.
    pub(crate) fn in_directory(directory: &Path) -> Option<Cache> {
        or_none(open_in(directory))
    }

    /// The code of this plugin, if it is there, undamaged, and only this user or root could have put it
    /// there.
    pub(crate) fn find(&self, key: &Key) -> Option<Sealed> {
        let path = self.path(key);
        let file = regular::open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        if !is_ours(&metadata) || metadata.mode() & 0o022 != 0 {
            return None;
        }
        match checked(&file, key) {
            Ok(code) => {
                // What is used stays longest. Where that cannot be noted, it may go sooner.
                let _ = file.set_modified(SystemTime::now());
                Some(code)
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!("{path}: {error}; the plugin is compiled again");
                None
            }
        }
    }

    /// Keeps what was compiled, and makes room. Where it cannot be kept, it is compiled again the next
    /// time.
    pub(crate) fn keep(&self, key: &Key, compiled: &File) {
        let path = self.path(key);
        if let Err(error) = self.write(compiled, key) {
            tracing::debug!("cannot keep compiled code in {}: {error}", path.display());
        }
        // Another process may be at it too; what is gone already is gone.
        let _ = self.make_room(MAX_CACHE_BYTES);
    }

    fn write(&self, mut compiled: &File, key: &Key) -> io::Result<()> {
        let mut file = NamedTempFile::with_suffix_in(SUFFIX, &self.directory)?;
        compiled.rewind()?;
        file.write_all(&[0; CHECKSUM])?;
        let checksum = copy_checksum(&mut compiled, &mut file, key)?;
        file.rewind()?;
        file.write_all(&checksum)?;
        // Before it has its name: after a crash it is whole, or not there.
        file.as_file().sync_all()?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(name(key))
    }

    fn make_room(&self, most: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if path.to_string_lossy().ends_with(SUFFIX) {
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        files.sort();
        let mut kept = 0;
        for (_, bytes, path) in files.iter().rev() {
            kept += bytes;
            if kept > most {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// The name of the file with this code.
fn name(key: &Key) -> String {
    format!("{}-{:016x}{SUFFIX}", key.digest, hash(&(FORMAT, key)))
}

/// The code in a file, copied to where nothing can change it any more.
fn checked(mut file: &File, key: &Key) -> io::Result<Sealed> {
    let mut expected = [0; CHECKSUM];
    let mut code = sealed::memory()?;
    let whole = file.read_exact(&mut expected);
    let found = copy_checksum(&mut file.take(MAX_CACHE_BYTES), &mut code, key)?;
    if whole.is_err() || found != expected {
        return Err(io::Error::other("this cache file is damaged"));
    }
    Sealed::new(code)
}

/// Copies code; the checksum that a file with it has. The file's name is in it: the code of one
/// plugin under another one's name is damage too.
fn copy_checksum(
    from: &mut impl Read,
    to: &mut impl Write,
    key: &Key,
) -> io::Result<[u8; CHECKSUM]> {
    let mut checksum = Sha256::new_with_prefix(name(key));
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(checksum.finalize().into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        checksum.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

fn or_none(cache: Result<Cache, Unusable>) -> Option<Cache> {
    match cache {
        Ok(cache) => Some(cache),
        // It is so every time, and means no harm.
        Err(error @ Unusable::Capabilities) => {
            tracing::debug!("compiled plugins are not cached: {error}");
            None
        }
        Err(error) => {
            tracing::warn!("compiled plugins are not cached: {error}");
            None
        }
    }
}

/// `$XDG_CACHE_HOME/retrans-host`, or `~/.cache/retrans-host`.
fn directory() -> Result<PathBuf, Unusable> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|cache| cache.join("retrans-host"))
        .ok_or(Unusable::NoHome)
}

fn open_in(directory: &Path) -> Result<Cache, Unusable> {
    let failed = |source| Unusable::Io {
        path: directory.to_owned(),
        source,
    };
    let created = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    created.map_err(failed)?;
    let directory = directory.canonicalize().map_err(failed)?;
    check_trusted(&directory)?;
    Ok(Cache { directory })
}

/// The directory and all above it belong to this user or root, and nobody else may write there
/// (but in a sticky directory, such as /tmp, others cannot replace what is ours).
fn check_trusted(directory: &Path) -> Result<(), Unusable> {
    for path in directory.ancestors() {
        let metadata = fs::symlink_metadata(path).map_err(|source| Unusable::Io {
            path: path.to_owned(),
            source,
        })?;
        let ours = is_ours(&metadata);
        let others_write = metadata.mode() & 0o022 != 0;
        let sticky = metadata.mode() & 0o1000 != 0 && path != directory;
        if !ours || others_write && !sticky {
            return Err(Unusable::Untrusted(path.to_owned()));
        }
    }
    Ok(())
}

/// Does it belong to this user, or to root?
fn is_ours(metadata: &Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&metadata.uid())
}

/// Has this process capabilities that another one of its user has not? Where nobody says, it may
/// have.
fn has_capabilities_alone() -> bool {
    let none = capabilities(None).is_ok_and(|sets| sets.effective.is_empty());
    !geteuid().is_root() && !none
}

#[cfg(test)]
mod tests;
