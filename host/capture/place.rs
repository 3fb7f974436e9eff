//! Where a recording goes: to files, and which of those that are there may be moved or replaced, or to
//! standard output.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::Head;
use super::Writer;
use super::files;
use super::files::Existing;
use super::target::Target;
use crate::config;
use crate::config::Rotate;

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is there already.
    #[error(
        "cannot record to {}: the file exists",
        .0.display()
    )]
    Exists(PathBuf),
    /// Something is there that rotation would move or replace.
    #[error(
        "cannot record: {} exists and is not a capture, and rotation would move or replace it",
        .0.display()
    )]
    NotACapture(PathBuf),
    /// The file cannot be made.
    #[error("cannot record to {}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl RecordError {
    /// Has the reader of standard output gone?
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, RecordError::Io { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Where a recording goes.
pub enum Place {
    /// To a file, and to others that take its name.
    File(config::RecordFile),
    /// To standard output.
    Stdout,
}

impl Place {
    /// Begins the first capture, where nothing is in its way.
    pub fn begin(
        config: &config::RecordConfig,
        head: &Head,
        stdout: impl FnOnce() -> io::Result<Box<dyn Write + Send>>,
    ) -> Result<(Place, Writer<Target>), RecordError> {
        let (place, begun) = match config {
            config::RecordConfig::Stdout => {
                let begun = stdout().and_then(|to| Writer::new(Target::Stdout(to), head));
                (Place::Stdout, begun)
            }
            config::RecordConfig::File(config) => {
                check(config)?;
                let begun = files::begin(&config.file, head, existing(config));
                (Place::File(config.clone()), begun)
            }
        };
        match begun {
            Ok(writer) => Ok((place, writer)),
            Err(error) => Err(failed(place.path(), error)),
        }
    }

    /// Begins another file under the same name.
    pub fn begin_next(&self, head: &Head) -> io::Result<Writer<Target>> {
        match self {
            Place::File(config) => files::begin(&config.file, head, existing(config)),
            Place::Stdout => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "there is one standard output only",
            )),
        }
    }

    /// The file's path; `-` is standard output.
    pub fn path(&self) -> &Path {
        match self {
            Place::File(config) => &config.file,
            Place::Stdout => Path::new("-"),
        }
    }

    /// When another file is to be begun.
    pub fn rotate(&self) -> Rotate {
        match self {
            Place::File(config) => config.rotate,
            Place::Stdout => Rotate::default(),
        }
    }
}

/// Is anything there that would be moved or replaced without leave?
fn check(config: &config::RecordFile) -> Result<(), RecordError> {
    let config::RecordFile {
        file, keep, force, ..
    } = config;
    if files::is_special(file) {
        return Err(failed(file, io::Error::other("it is no regular file")));
    }
    if rotates(config)
        && !force
        && let Some(stranger) = files::find_stranger(file, *keep)
    {
        return Err(RecordError::NotACapture(stranger));
    }
    Ok(())
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
    match (rotates(config), config.force) {
        (true, _) => Existing::Keep(config.keep),
        (false, true) => Existing::Replace,
        (false, false) => Existing::Refuse,
    }
}
