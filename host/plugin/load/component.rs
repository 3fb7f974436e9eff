//! Reads the bytes of a plugin's component.

use std::io;
use std::io::Read as _;
use std::path::PathBuf;

use super::regular;
use super::regular::OpenError;
use crate::plugin::spec::limits;
use crate::plugin::spec::origin::Origin;

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such bundled plugin.
    #[error("not one of the bundled plugins")]
    NotBundled,
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Neither a file nor a link to one.
    #[error("cannot read {}: not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// More bytes than it may have.
    #[error("the file is too large: {}", limits::shown("file", *.0))]
    TooLarge(u64),
}

/// Reads all of it, but no more than `most` bytes.
pub(crate) fn read(origin: &Origin, most: u64) -> Result<Vec<u8>, ReadError> {
    let path = match origin {
        Origin::Bundled(name) => {
            let component = crate::plugin::bundled::component(name);
            return component.map(<[u8]>::to_vec).ok_or(ReadError::NotBundled);
        }
        Origin::File(path) => path,
    };
    let failed = |error| ReadError::Io {
        path: path.clone(),
        error,
    };
    let file = regular::open(path).map_err(|error| match error {
        OpenError::NotRegular => ReadError::NotRegular(path.clone()),
        OpenError::Io(error) => failed(error),
    })?;
    let mut bytes = Vec::new();
    let mut file = file.take(most.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(ReadError::TooLarge(most));
    }
    Ok(bytes)
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

    /// What a reader's `open` does to a pipe, as by releasing a writer that waits, it does to a device.
    #[test]
    fn a_pipe_in_the_place_of_a_plugin_is_refused_without_ever_being_opened() {
        let files = tempfile::tempdir().expect("a temporary directory");
        let path = files.path().join("plugin.wasm");
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
        let opened = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
        inotify::add_watch(&opened, &path, inotify::WatchFlags::OPEN).expect("it is there");
        let mut event = [0; 64];
        let refused = read(&Origin::File(path.clone()), 1 << 20);
        assert!(
            matches!(refused, Err(ReadError::NotRegular(_))),
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
            let refused = read(&Origin::File(path), 1 << 20);
            assert!(
                matches!(refused, Err(ReadError::NotRegular(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_file_is_read_through_links_and_a_directory_or_nothing_is_named_by_the_system() {
        let files = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(files.path().join("plugin.wasm"), "\0asm").expect("a temporary file");
        symlink("plugin.wasm", files.path().join("link.wasm")).expect("a temporary file");
        let read = |name: &str| read(&Origin::File(files.path().join(name)), 4);
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
