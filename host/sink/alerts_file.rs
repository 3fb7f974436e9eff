//! `--alerts-file`: appends alerts to a file as lines of JSON, for programs that follow it.
//!
//! The file is reopened at SIGHUP, as log rotation requires, and if it was deleted. An alert that cannot be written is
//! counted as failed, and the run goes on.

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
use super::queue::Subscription;
use crate::stream::alert::Alert;
use crate::system::private_files;
use crate::system::sandbox;

/// A file that alerts are appended to.
#[derive(Debug)]
pub struct AlertsFile {
    path: PathBuf,
    /// `None`: the file could not be opened. The next alert tries again.
    file: Option<File>,
    /// The file ends with a part of a line that could not be removed.
    has_partial_line: bool,
    /// Number of alerts that were not written since the last successful write.
    not_written: u64,
}

/// The file of alerts cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write alerts to {}: {error}", path.display())]
pub struct AlertsFileError {
    path: PathBuf,
    error: io::Error,
}

impl AlertsFile {
    /// Opens the file for appending, or creates it.
    pub fn open(path: &Path) -> Result<AlertsFile, AlertsFileError> {
        let opened = open(path).map_err(|error| AlertsFileError {
            path: path.to_owned(),
            error,
        });
        Ok(AlertsFile {
            path: path.to_owned(),
            file: Some(opened?),
            has_partial_line: false,
            not_written: 0,
        })
    }

    /// Writes a line for each alert. Returns the number of alerts that were written, and the error of the next one.
    fn write(&mut self, alerts: &[Alert]) -> (u64, io::Result<()>) {
        let is_deleted = |file: &File| file.metadata().is_ok_and(|status| status.nlink() == 0);
        if self.file.as_ref().is_none_or(is_deleted) {
            match open(&self.path) {
                Ok(file) => self.replace(Some(file)),
                Err(error) => return (0, Err(error)),
            }
        }
        let Some(file) = &mut self.file else {
            return (0, Ok(()));
        };
        let mut lines = Vec::new();
        if self.has_partial_line {
            lines.push(b'\n');
        }
        let begin = lines.len();
        // Writing to memory cannot fail.
        let _ = alerts
            .iter()
            .try_for_each(|alert| alert_lines::write_json(alert, &mut lines));
        let (written, result) = write_some(file, &lines);
        self.has_partial_line &= written == 0;
        let whole = lines[..written].iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |newline| newline + 1);
        if written > whole {
            self.has_partial_line = truncate_by(file, (written - whole) as u64).is_err();
        }
        let newlines = lines[begin.min(whole)..whole].iter();
        let count = newlines.filter(|byte| **byte == b'\n').count();
        (count as u64, result)
    }

    fn replace(&mut self, file: Option<File>) {
        self.file = file;
        self.has_partial_line = false;
    }

    /// Logs the first of several failures in a row, and the first success after them.
    fn log_result(&mut self, failed: u64, result: io::Result<()>) {
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
                tracing::warn!(
                    "alerts are written to {file} again; {missing} alerts are missing in it"
                );
            }
            Ok(()) => {}
        }
    }
}

impl Destination for AlertsFile {
    fn name(&self) -> &str {
        "alerts-file"
    }

    fn subscription(&self) -> Subscription {
        Subscription {
            alerts: true,
            ..Subscription::default()
        }
    }

    fn deliver(&mut self, message: Message) -> u64 {
        let Message::Alerts(alerts) = message else {
            return 0;
        };
        let (written, result) = self.write(&alerts);
        self.log_result(alerts.len() as u64 - written, result);
        written
    }

    fn reopen(&mut self) {
        match open(&self.path) {
            Ok(file) => {
                tracing::info!("alerts file {} was reopened", self.path.display());
                self.replace(Some(file));
            }
            Err(error) => {
                tracing::warn!(
                    "cannot reopen {}: {error}; alerts are written to the file that is still open",
                    self.path.display()
                );
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(private_files::MODE);
    // Without O_NONBLOCK, opening a pipe without a reader would block until there is one.
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path);
            let file = file.map_err(|error| sandbox::explained(path, error))?;
            private_files::own(&file);
            file
        }
        opened => opened.map_err(|error| sandbox::explained(path, error))?,
    };
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(NotAFile.into());
    }
    Ok(file)
}

/// The path leads to something other than a regular file or a character device. A pipe or a socket would block if its
/// reader stops reading, and what it still holds would be lost.
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

/// Writes as many bytes as possible. Returns their number, and the error of the rest.
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

/// Removes the last `bytes` of the file, a part of a line.
fn truncate_by(file: &File, bytes: u64) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(bytes))
}

#[cfg(test)]
mod tests;
