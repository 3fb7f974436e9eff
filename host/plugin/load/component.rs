//! Reads the bytes of a plugin's component.

use std::io;
use std::io::Read as _;
use std::path::PathBuf;

use super::regular_file;
use super::regular_file::OpenError;
use crate::plugin::spec::limits;
use crate::plugin::spec::origin::Origin;
use crate::system::sandbox;

/// Why a component cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no bundled plugin of this name.
    #[error("not one of the bundled plugins")]
    NotBundled,
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        error: io::Error,
    },
    /// The path leads to something other than a regular file: a pipe, a socket or a device.
    #[error("cannot read {}: not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// The file is larger than the limit, in bytes.
    #[error("the file is too large: {}", limits::show_limit("file", *.0))]
    TooLarge(u64),
}

/// Reads the whole component. Returns an error if it has more than `max_bytes` bytes.
pub(crate) fn read(origin: &Origin, max_bytes: u64) -> Result<Vec<u8>, ReadError> {
    let path = match origin {
        Origin::Bundled(name) => {
            let component = crate::plugin::bundled::component(name);
            return component.map(<[u8]>::to_vec).ok_or(ReadError::NotBundled);
        }
        Origin::File(path) => path,
    };
    let failed = |error| ReadError::Io {
        path: path.clone(),
        error: sandbox::explained(path, error),
    };
    let file = regular_file::open(path).map_err(|error| match error {
        OpenError::NotRegular => ReadError::NotRegular(path.clone()),
        OpenError::Io(error) => failed(error),
    })?;
    let mut bytes = Vec::new();
    let mut file = file.take(max_bytes.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        return Err(ReadError::TooLarge(max_bytes));
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

    /// The test uses a pipe because its effect can be observed: opening it would release a waiting writer. Opening a
    /// device can have effects as well.
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
        // The watch does report an opening.
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
        let message = |name| read(name).expect_err("no file").to_string();
        assert!(
            message("").ends_with("Is a directory (os error 21)"),
            "{}",
            message("")
        );
        assert!(
            message("none").ends_with("No such file or directory (os error 2)"),
            "{}",
            message("none")
        );
    }
}
