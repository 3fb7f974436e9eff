//! Where compiled plugins are kept between runs.
//!
//! What is in there is native code that this process will run, often as root: the directory is used
//! only if nobody else could have written to it.

use std::env;
use std::fs;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use wasmtime::Cache;
use wasmtime::CacheConfig;

/// Why compiled code is not cached.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("neither XDG_CACHE_HOME nor HOME is an absolute path")]
    NoHome,
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} may be written to by others", .0.display())]
    Untrusted(PathBuf),
    #[error("{0}")]
    Wasmtime(wasmtime::Error),
}

/// The cache, or none where its directory is not to be trusted: the host then compiles each time.
pub(super) fn open() -> Option<Cache> {
    or_none(directory().and_then(|directory| open_in(&directory)))
}

/// The same in this directory, instead of the user's.
pub(super) fn open_at(directory: &Path) -> Option<Cache> {
    or_none(open_in(directory))
}

fn or_none(cache: Result<Cache, Unusable>) -> Option<Cache> {
    match cache {
        Ok(cache) => Some(cache),
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
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    Cache::new(config).map_err(Unusable::Wasmtime)
}

/// The directory and all above it belong to this user or root, and nobody else may write there
/// (but in a sticky directory, such as /tmp, others cannot replace what is ours).
fn check_trusted(directory: &Path) -> Result<(), Unusable> {
    let user = rustix::process::geteuid().as_raw();
    for path in directory.ancestors() {
        let metadata = fs::symlink_metadata(path).map_err(|source| Unusable::Io {
            path: path.to_owned(),
            source,
        })?;
        let ours = metadata.uid() == user || metadata.uid() == 0;
        let others_write = metadata.mode() & 0o022 != 0;
        let sticky = metadata.mode() & 0o1000 != 0 && path != directory;
        if !ours || others_write && !sticky {
            return Err(Unusable::Untrusted(path.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_that_others_may_write_to_is_not_used() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let directory = home.path().join("cache/retrans-host");
        assert!(open_in(&directory).is_ok());

        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(home.path().join("cache"), open).expect("permissions of our own");
        let error = open_in(&directory).expect_err("others may write to its parent");
        assert!(
            error
                .to_string()
                .ends_with("cache may be written to by others"),
            "{error}"
        );
    }
}
