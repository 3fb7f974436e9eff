//! The cache of compiled plugins, a directory that is kept between runs.
//!
//! The files are native code that this process runs, often as root. So the directory is used only if no other user can
//! have written to it. A process whose executable has given it capabilities (`setcap`) uses no cache as long as it has
//! them: its user could have written to the directory, and does not have these capabilities. Mostly such a host has
//! dropped them by then. Capabilities that a service manager gives belong to the one who chose the directory as well.
//!
//! Damaged native code has undefined behaviour. So each file begins with a SHA-256 of its content, and is copied into
//! sealed memory while the SHA-256 is computed. The code that was checked is the code that runs.

use std::env;
use std::ffi::OsString;
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

use super::regular_file;
use super::sealed_memory;
use super::sealed_memory::Sealed;
use crate::plugin::spec::digest::Digest;

/// Suffix of the names of cache files, including those that are still being written.
const SUFFIX: &str = ".compiled";

/// Version of the format of cache files, which is part of their names. Raise it when the format changes.
const FORMAT: u32 = 2;

/// Size in bytes of the SHA-256 at the start of a file.
const CHECKSUM_BYTES: usize = 32;

/// Maximum size of all files together in bytes. Beyond it, the least recently used file is removed first.
const MAX_CACHE_BYTES: u64 = 512 << 20;

/// Why compiled code is not cached.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no directory to put it into.
    #[error("none of CACHE_DIRECTORY, XDG_CACHE_HOME and HOME is an absolute path")]
    NoHome,
    /// The directory cannot be made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// Another user could have written to this directory.
    #[error("{} is writable by other users", .0.display())]
    Untrusted(PathBuf),
    /// The executable has given the process capabilities, as after `setcap`, and its user is not root.
    #[error("this program has capabilities that its user does not have")]
    Capabilities,
}

/// The directory in which compiled plugins are kept, once this process has dropped its capabilities. It is created
/// unless it exists.
///
/// # Errors
///
/// [`CacheError`] if it cannot be used or trusted.
pub fn user_directory() -> Result<PathBuf, CacheError> {
    open_in(&directory()?).map(|cache| cache.directory)
}

fn open_for_user() -> Result<Cache, CacheError> {
    match has_extra_capabilities() && is_secure_execution() {
        true => Err(CacheError::Capabilities),
        false => open_in(&directory()?),
    }
}

/// Identifies compiled code: the component, the engine, and the limit under which the footprint was checked.
#[derive(Debug, Hash)]
pub(crate) struct Key {
    /// Digest of the component.
    digest: Digest,
    /// Hash of the engine's compatibility, which differs between versions, settings and processors.
    engine: u64,
    /// The footprint limit in bytes under which the code was checked.
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
    /// Opens the user's cache directory. Returns `None` if it cannot be used or trusted; the host then compiles at each
    /// start.
    pub(crate) fn in_user_directory() -> Option<Cache> {
        log_unusable(open_for_user())
    }

    /// Opens the cache in this directory instead of the user's.
    pub(crate) fn in_directory(directory: &Path) -> Option<Cache> {
        log_unusable(open_in(directory))
    }

    /// Returns the code of this plugin. Returns `None` if the file is missing or damaged, or if a user other than this
    /// one and root could have written to it.
    pub(crate) fn find(&self, key: &Key) -> Option<Sealed> {
        let path = self.path(key);
        let file = regular_file::open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        if !is_owned_by_user_or_root(&metadata) || metadata.mode() & 0o022 != 0 {
            return None;
        }
        match read_checked(&file, key) {
            Ok(code) => {
                // The modification time marks the last use. If it cannot be set, the file is only evicted earlier.
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

    /// Stores compiled code, and evicts files beyond the maximum size. If it cannot be stored, the plugin is compiled
    /// again at the next start.
    pub(crate) fn store(&self, key: &Key, compiled: &File) {
        let path = self.path(key);
        if let Err(error) = self.write(compiled, key) {
            tracing::debug!("cannot cache compiled code in {}: {error}", path.display());
        }
        // An error may mean that another process evicts as well: a file that it has removed is not an error.
        let _ = self.evict(MAX_CACHE_BYTES);
    }

    fn write(&self, mut compiled: &File, key: &Key) -> io::Result<()> {
        let mut file = NamedTempFile::with_suffix_in(SUFFIX, &self.directory)?;
        compiled.rewind()?;
        file.write_all(&[0; CHECKSUM_BYTES])?;
        let checksum = copy_checksum(&mut compiled, &mut file, key)?;
        file.rewind()?;
        file.write_all(&checksum)?;
        // Synced before the rename: after a crash the file is complete or does not exist.
        file.as_file().sync_all()?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(name(key))
    }

    fn evict(&self, max_bytes: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if path.to_string_lossy().ends_with(SUFFIX) {
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        files.sort();
        let mut total = 0;
        for (_, bytes, path) in files.iter().rev() {
            total += bytes;
            if total > max_bytes {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Returns the name of the file with this code.
fn name(key: &Key) -> String {
    format!("{}-{:016x}{SUFFIX}", key.digest, hash(&(FORMAT, key)))
}

/// Copies the code of a file into sealed memory, and checks it there.
fn read_checked(mut file: &File, key: &Key) -> io::Result<Sealed> {
    let mut expected = [0; CHECKSUM_BYTES];
    let mut code = sealed_memory::create()?;
    let whole = file.read_exact(&mut expected);
    let found = copy_checksum(&mut file.take(MAX_CACHE_BYTES), &mut code, key)?;
    if whole.is_err() || found != expected {
        return Err(io::Error::other("this cache file is damaged"));
    }
    Sealed::new(code)
}

/// Copies code, and returns the checksum of a file with this code. The checksum includes the file's name, so that a
/// file renamed to the name of another plugin counts as damaged.
fn copy_checksum(
    from: &mut impl Read,
    to: &mut impl Write,
    key: &Key,
) -> io::Result<[u8; CHECKSUM_BYTES]> {
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

fn log_unusable(cache: Result<Cache, CacheError>) -> Option<Cache> {
    match cache {
        Ok(cache) => Some(cache),
        // This is the case at every start of such a program, and no problem.
        Err(error @ CacheError::Capabilities) => {
            tracing::debug!("compiled plugins are not cached: {error}");
            None
        }
        Err(error) => {
            tracing::warn!("compiled plugins are not cached: {error}");
            None
        }
    }
}

/// Returns the first of `$CACHE_DIRECTORY`, which a service manager sets; or else `$XDG_CACHE_HOME/retrans-host`, or
/// `~/.cache/retrans-host`.
fn directory() -> Result<PathBuf, CacheError> {
    directory_by(|name| env::var_os(name))
}

fn directory_by(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, CacheError> {
    let absolute = |name: &str| {
        let path = PathBuf::from(variable(name)?);
        path.is_absolute().then_some(path)
    };
    // One directory for each word of `CacheDirectory=`.
    let of_service = || {
        let list = variable("CACHE_DIRECTORY")?;
        let first = env::split_paths(&list).next()?;
        first.is_absolute().then_some(first)
    };
    let of_user = || {
        let home = || Some(absolute("HOME")?.join(".cache"));
        let cache = absolute("XDG_CACHE_HOME").or_else(home)?;
        Some(cache.join("retrans-host"))
    };
    of_service().or_else(of_user).ok_or(CacheError::NoHome)
}

fn open_in(directory: &Path) -> Result<Cache, CacheError> {
    let failed = |source| CacheError::Io {
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

/// Checks that the directory and all its parents belong to this user or root, and that no other user can write to them.
/// A parent may be writable if it is sticky, such as /tmp: other users cannot replace this user's files in it.
fn check_trusted(directory: &Path) -> Result<(), CacheError> {
    for path in directory.ancestors() {
        let metadata = fs::symlink_metadata(path).map_err(|source| CacheError::Io {
            path: path.to_owned(),
            source,
        })?;
        let trusted_owner = is_owned_by_user_or_root(&metadata);
        let others_write = metadata.mode() & 0o022 != 0;
        let sticky = metadata.mode() & 0o1000 != 0 && path != directory;
        if !trusted_owner || others_write && !sticky {
            return Err(CacheError::Untrusted(path.to_owned()));
        }
    }
    Ok(())
}

/// Returns whether the file belongs to this user or root.
fn is_owned_by_user_or_root(metadata: &Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&metadata.uid())
}

/// Returns whether this process has capabilities without being root. If the capabilities cannot be read, it may have
/// some.
fn has_extra_capabilities() -> bool {
    let no_capabilities = capabilities(None).is_ok_and(|sets| sets.effective.is_empty());
    !geteuid().is_root() && !no_capabilities
}

/// Returns whether the executable has given this process rights that its user does not have. Ambient
/// capabilities are no such rights.
fn is_secure_execution() -> bool {
    // SAFETY: it reads what the kernel has told of this process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(test)]
mod tests;
