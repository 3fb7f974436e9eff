//! `--alerts-file`: alerts as lines of JSON in a file, for programs that follow it.
//!
//! SIGHUP opens the file anew, as log rotation asks for; so does a file that was deleted. Where a line cannot be
//! written it is counted as failed, and the run goes on.

use std::fmt;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::alert_lines;
use super::queue::Destination;
use super::queue::Message;
use super::queue::Wants;
use crate::stream::alert::Alert;
use crate::system::files;

/// A file that alerts are appended to.
#[derive(Debug)]
pub struct AlertsFile {
    path: PathBuf,
    /// `None` where it could not be opened anew: the next alert tries again.
    file: Option<File>,
    /// Half a line is at the end of the file, and could not be taken back.
    is_torn: bool,
    /// Alerts that were not written since writing last worked.
    not_written: u64,
}

/// Why alerts cannot be written to a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot write alerts to {}: {error}", path.display())]
pub struct AlertsFileError {
    path: PathBuf,
    error: io::Error,
}

impl AlertsFile {
    /// Opens the file, or makes it. What is in it stays.
    pub fn open(path: &Path) -> Result<AlertsFile, AlertsFileError> {
        let opened = open(path).map_err(|error| AlertsFileError {
            path: path.to_owned(),
            error,
        });
        Ok(AlertsFile {
            path: path.to_owned(),
            file: Some(opened?),
            is_torn: false,
            not_written: 0,
        })
    }

    /// Writes a line for each alert. How many were written, and why the next one was not.
    fn write(&mut self, alerts: &[Alert]) -> (u64, io::Result<()>) {
        let deleted = |file: &File| file.metadata().is_ok_and(|about| about.nlink() == 0);
        if self.file.as_ref().is_none_or(deleted) {
            match open(&self.path) {
                Ok(file) => self.replace(Some(file)),
                Err(error) => return (0, Err(error)),
            }
        }
        let Some(file) = &mut self.file else {
            return (0, Ok(()));
        };
        let mut lines = Vec::new();
        if self.is_torn {
            lines.push(b'\n');
        }
        let begin = lines.len();
        // Into memory: it cannot fail.
        let _ = alerts
            .iter()
            .try_for_each(|alert| alert_lines::write_json(alert, &mut lines));
        let (written, result) = write_some(file, &lines);
        self.is_torn &= written == 0;
        let whole = lines[..written].iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |newline| newline + 1);
        if written > whole {
            self.is_torn = take_back(file, (written - whole) as u64).is_err();
        }
        let newlines = lines[begin.min(whole)..whole].iter();
        let count = newlines.filter(|byte| **byte == b'\n').count();
        (count as u64, result)
    }

    fn replace(&mut self, file: Option<File>) {
        self.file = file;
        self.is_torn = false;
    }

    /// Logs the first failure and the end of it, not each.
    fn note(&mut self, failed: u64, result: io::Result<()>) {
        let file = self.path.display();
        match result {
            Err(error) => {
                if self.not_written == 0 {
                    tracing::error!(
                        "cannot write alerts to {file}: {error}; they are counted as failed, and each \
                         further alert tries again"
                    );
                }
                self.not_written += failed;
            }
            Ok(()) if self.not_written > 0 => {
                let missing = std::mem::take(&mut self.not_written);
                tracing::warn!("alerts are written to {file} again; {missing} are missing in it");
            }
            Ok(()) => {}
        }
    }
}

impl Destination for AlertsFile {
    fn name(&self) -> &str {
        "alerts-file"
    }

    fn wants(&self) -> Wants {
        Wants {
            alerts: true,
            ..Wants::default()
        }
    }

    fn deliver(&mut self, message: Message) -> u64 {
        let Message::Alerts(alerts) = message else {
            return 0;
        };
        let (written, result) = self.write(&alerts);
        self.note(alerts.len() as u64 - written, result);
        written
    }

    fn reopen(&mut self) {
        match open(&self.path) {
            Ok(file) => {
                tracing::info!("alerts file {} was opened anew", self.path.display());
                self.replace(Some(file));
            }
            Err(error) => {
                tracing::warn!(
                    "cannot open {} anew: {error}; alerts go to the file that is open",
                    self.path.display()
                );
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(files::MODE);
    // To open a pipe without a reader would wait for one.
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            files::own(&file);
            file
        }
        opened => opened?,
    };
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(NotAFile.into());
    }
    Ok(file)
}

/// A pipe or a socket blocks when nothing reads it, and loses what was in it.
#[derive(Debug)]
struct NotAFile;

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is neither a regular file nor a character device")
    }
}

impl std::error::Error for NotAFile {}

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> io::Error {
        io::Error::other(error)
    }
}

/// Writes as many bytes as possible; how many, and why not the rest.
fn write_some(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Takes the last bytes back that were written: half a line.
fn take_back(file: &File, bytes: u64) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(bytes))
}

#[cfg(test)]
mod tests;
