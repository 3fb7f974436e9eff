//! The configured destination of a recording, standard output or files, and the policy for files that exist already.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::Head;
use super::Writer;
use super::output::CaptureOutput;
use super::rotation;
use super::rotation::Existing;
use crate::config;
use crate::config::ExistingFile;
use crate::config::Rotate;

/// Why a recording cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file exists, and may not be replaced.
    #[error(
        "cannot record to {}: the file exists",
        .0.display()
    )]
    Exists(PathBuf),
    /// The recording would move or replace an existing file that is not a capture.
    #[error(
        "cannot record: {} exists and is not a capture, so it is neither moved nor replaced",
        .0.display()
    )]
    NotACapture(PathBuf),
    /// The recording would move or replace an existing file of which it is not known whether it is a capture.
    #[error(
        "cannot record: {} cannot be read, so it is neither moved nor replaced: {error}",
        file.display()
    )]
    Unreadable {
        /// Path of the file.
        file: PathBuf,
        /// Why it cannot be read.
        error: io::Error,
    },
    /// The file cannot be created or written to.
    #[error("cannot record to {}: {error}", file.display())]
    Io {
        /// Path of the file.
        file: PathBuf,
        /// The error of the system call.
        error: io::Error,
    },
}

impl RecordError {
    /// Returns whether the cause is that the reader of standard output has closed it.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, RecordError::Io { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The configured destination of a recording.
pub enum Destination {
    /// A file, and the files that replace it under the same name.
    File(config::RecordFile),
    /// Standard output.
    Stdout,
}

impl Destination {
    /// Begins the first capture. `stdout` opens standard output, if that is the destination.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the policy of `config` does not permit moving or replacing an
    /// existing file, or on an I/O error.
    pub fn begin(
        config: &config::RecordConfig,
        head: &Head,
        stdout: impl FnOnce() -> io::Result<Box<dyn Write + Send>>,
    ) -> Result<(Destination, Writer<CaptureOutput>), RecordError> {
        let (destination, opened) = match config {
            config::RecordConfig::Stdout => {
                let opened = stdout().and_then(|to| Writer::new(CaptureOutput::Stdout(to), head));
                (Destination::Stdout, opened)
            }
            config::RecordConfig::File(config) => {
                check(config)?;
                let existing = existing(config);
                let is_moved = existing == Existing::MoveAside
                    && matches!(rotation::is_capture(&config.file), Ok(true));
                let opened = rotation::begin(&config.file, head, existing);
                if is_moved && opened.is_ok() {
                    let file = config.file.display();
                    tracing::info!("{file}: the capture of an earlier run is now {file}.1");
                }
                (Destination::File(config.clone()), opened)
            }
        };
        match opened {
            Ok(writer) => Ok((destination, writer)),
            Err(error) => Err(failed(destination.path(), error)),
        }
    }

    /// Begins another file under the same name. Not supported for standard output.
    pub fn begin_next(&self, head: &Head) -> io::Result<Writer<CaptureOutput>> {
        match self {
            Destination::File(config) => rotation::begin(&config.file, head, existing(config)),
            Destination::Stdout => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "standard output cannot be replaced by another file",
            )),
        }
    }

    /// Path of the file; `-` for standard output.
    pub fn path(&self) -> &Path {
        match self {
            Destination::File(config) => &config.file,
            Destination::Stdout => Path::new("-"),
        }
    }

    /// When to begin another file.
    pub fn rotate(&self) -> Rotate {
        match self {
            Destination::File(config) => config.rotate,
            Destination::Stdout => Rotate::default(),
        }
    }
}

/// Checks that no file would be moved or replaced that the policy protects.
fn check(config: &config::RecordFile) -> Result<(), RecordError> {
    let file = &config.file;
    if rotation::is_special(file) {
        return Err(failed(file, io::Error::other("it is not a regular file")));
    }
    let moved = match existing(config) {
        Existing::Keep(_) if config.existing == ExistingFile::Replace => None,
        Existing::Keep(keep) => Some(keep),
        Existing::MoveAside => Some(u32::MAX),
        Existing::Refuse | Existing::Replace => None,
    };
    match moved.and_then(|numbers| rotation::find_non_capture(file, numbers)) {
        Some((file, Ok(()))) => Err(RecordError::NotACapture(file)),
        Some((file, Err(error))) => Err(RecordError::Unreadable { file, error }),
        None => Ok(()),
    }
}

fn failed(file: &Path, error: io::Error) -> RecordError {
    let file = file.to_owned();
    match error.kind() {
        io::ErrorKind::AlreadyExists => RecordError::Exists(file),
        _ => RecordError::Io { file, error },
    }
}

fn rotates(config: &config::RecordFile) -> bool {
    config.rotate != Rotate::default()
}

fn existing(config: &config::RecordFile) -> Existing {
    match config.existing {
        _ if rotates(config) => Existing::Keep(config.keep),
        ExistingFile::Refuse => Existing::Refuse,
        ExistingFile::MoveAside => Existing::MoveAside,
        ExistingFile::Replace => Existing::Replace,
    }
}
