//! Where a plugin's component comes from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::load::LoadError;

/// Where a plugin's component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Embedded in the host, under this name.
    Bundled(&'static str),
    /// A file.
    File(PathBuf),
}

impl Origin {
    /// Reads all of it, but no more than is allowed.
    pub(super) fn read(&self, most: u64) -> Result<Vec<u8>, LoadError> {
        let path = match self {
            Origin::Bundled(name) => {
                let component = crate::bundled::component(name);
                return component.map(<[u8]>::to_vec).ok_or(LoadError::NotBundled);
            }
            Origin::File(path) => path,
        };
        let failed = |error| LoadError::Read {
            path: path.clone(),
            error,
        };
        // Nothing that is opened may hold up who opens it, as a pipe does that nobody writes to.
        let without_waiting = OFlags::NONBLOCK.bits() as i32;
        let mut options = File::options();
        let file = options.read(true).custom_flags(without_waiting).open(path);
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // What a directory is, the system says when it is read.
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(LoadError::NotRegular(path.clone()));
        }
        let mut bytes = Vec::new();
        let mut file = file.take(most.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(LoadError::TooLarge(most));
        }
        Ok(bytes)
    }
}

/// What it is called on the command line.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Bundled(name) => write!(f, "{name} (bundled)"),
            Origin::File(path) => path.display().fmt(f),
        }
    }
}

/// How a plugin is named on the command line: a path has a `/` or ends in `.wasm`, anything else
/// is the name of a bundled one.
pub fn origin(text: &str) -> Result<Origin, String> {
    let is_path =
        text.contains('/') || Path::new(text).extension().is_some_and(|ext| ext == "wasm");
    if is_path {
        return Ok(Origin::File(PathBuf::from(text)));
    }
    let bundled = crate::bundled::NAMES.iter().find(|name| **name == text);
    bundled.map(|name| Origin::Bundled(name)).ok_or_else(|| {
        format!(
            "no bundled plugin {text:?}: there are {}; a file needs a / or .wasm in its name, as in \
             ./{text}",
            crate::bundled::NAMES.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_or_wasm_makes_it_a_path() {
        let path = |text: &str| Ok(Origin::File(PathBuf::from(text)));
        assert_eq!(origin("a.wasm"), path("a.wasm"));
        assert_eq!(origin("./json-print"), path("./json-print"));
        assert_eq!(origin("json-print"), Ok(Origin::Bundled("json-print")));
        assert!(origin("jsonprint").is_err_and(|error| error.contains("threshold-alert")));
    }
}
