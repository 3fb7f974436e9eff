//! Where a plugin's component comes from.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use super::load::LoadError;
use super::regular;
use super::regular::OpenError;

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
        let file = regular::open(path).map_err(|error| match error {
            OpenError::NotRegular => LoadError::NotRegular(path.clone()),
            OpenError::Io(error) => failed(error),
        })?;
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
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::CWD;
    use rustix::fs::FileType;
    use rustix::fs::Mode;
    use rustix::fs::inotify;
    use rustix::fs::mknodat;
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_slash_or_wasm_makes_it_a_path() {
        let path = |text: &str| Ok(Origin::File(PathBuf::from(text)));
        assert_eq!(origin("a.wasm"), path("a.wasm"));
        assert_eq!(origin("./json-print"), path("./json-print"));
        assert_eq!(origin("json-print"), Ok(Origin::Bundled("json-print")));
        assert!(origin("jsonprint").is_err_and(|error| error.contains("threshold-alert")));
    }

    /// What a reader's `open` does to a pipe, as by releasing a writer that waits, it does to a device.
    #[test]
    fn a_pipe_in_the_place_of_a_plugin_is_refused_without_ever_being_opened() {
        let files = tempfile::tempdir().expect("a temporary directory");
        let path = files.path().join("plugin.wasm");
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
        let opened = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
        inotify::add_watch(&opened, &path, inotify::WatchFlags::OPEN).expect("it is there");
        let mut event = [0; 64];
        let refused = Origin::File(path.clone()).read(1 << 20);
        assert!(
            matches!(refused, Err(LoadError::NotRegular(_))),
            "{refused:?}"
        );
        assert_eq!(rustix::io::read(&opened, &mut event), Err(Errno::AGAIN));
        // The watch does tell.
        let both_ends = File::options().read(true).write(true).open(path);
        assert!(both_ends.is_ok());
        assert!(rustix::io::read(&opened, &mut event).is_ok());
    }

    #[test]
    fn a_socket_or_a_device_in_the_place_of_a_plugin_is_named_as_no_regular_file() {
        let files = tempfile::tempdir().expect("a temporary directory");
        let socket = files.path().join("socket.wasm");
        let _listener = UnixListener::bind(&socket).expect("a temporary file");
        let link = files.path().join("link.wasm");
        symlink("/dev/null", &link).expect("a temporary file");
        for path in [socket, link] {
            let refused = Origin::File(path).read(1 << 20);
            assert!(
                matches!(refused, Err(LoadError::NotRegular(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_file_is_read_through_links_and_a_directory_or_nothing_is_named_by_the_system() {
        let files = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(files.path().join("plugin.wasm"), "\0asm").expect("a temporary file");
        symlink("plugin.wasm", files.path().join("link.wasm")).expect("a temporary file");
        let read = |name: &str| Origin::File(files.path().join(name)).read(4);
        assert_eq!(read("link.wasm").expect("it is there"), b"\0asm");
        let said = |name| read(name).expect_err("no file").to_string();
        assert!(
            said("").ends_with("Is a directory (os error 21)"),
            "{}",
            said("")
        );
        assert!(
            said("none").ends_with("No such file or directory (os error 2)"),
            "{}",
            said("none")
        );
    }
}
