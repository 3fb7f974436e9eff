//! Where a report is written: standard output, or a file that appears once it is complete.

use std::fmt;
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use tempfile::Builder;

use crate::capture::rotation;
use crate::config::Recorded;
use crate::config::Report;
use crate::config::Reported;
use crate::system::private_files;
use crate::system::stdio::Stdout;
use crate::system::stdio::StdoutStatus;

/// The output of a report.
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, and whether an existing one is overwritten.
    File(PathBuf, bool),
}

impl Output {
    /// The output of a report, before anything was read.
    ///
    /// # Errors
    ///
    /// If it is a terminal, a file that exists while `--force` is not given, no regular file, or a file that is read.
    pub fn check(config: &Report) -> Result<Output> {
        let Some(file) = &config.output else {
            if io::stdout().is_terminal() {
                bail!(
                    "standard output is a terminal, which cannot show a page; -o report.html writes it to a file"
                );
            }
            return Ok(Output::Stdout);
        };
        let name = file.display();
        if rotation::is_special(file) {
            bail!("cannot write {name}: it is not a regular file");
        }
        if is_read(config, file) {
            bail!("cannot write {name}: it is a file that is read; choose another name");
        }
        if fs::symlink_metadata(file).is_ok() && !config.force {
            bail!("cannot write {name}: the file exists; --force overwrites it");
        }
        Ok(Output::File(file.clone(), config.force))
    }

    /// Writes the page. A file that cannot be written to its end does not appear. Returns false if the reader of standard
    /// output has closed it, which is a quiet end.
    pub fn write(&self, page: &str) -> Result<bool> {
        match self {
            Output::Stdout => {
                let written = Stdout::new().and_then(|mut stdout| {
                    stdout.write_all(page.as_bytes())?;
                    stdout.flush()
                });
                match written {
                    Err(error)
                        if error.kind() == ErrorKind::BrokenPipe
                            && StdoutStatus::new()?.is_pipe() =>
                    {
                        Ok(false)
                    }
                    written => written
                        .map(|()| true)
                        .context("cannot write to standard output"),
                }
            }
            Output::File(file, force) => {
                let written = write_file(file, *force, page);
                written
                    .map(|()| true)
                    .with_context(|| format!("cannot write {}", file.display()))
            }
        }
    }
}

/// Whether a file is one of those that are read.
fn is_read(config: &Report, file: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let read = match &config.what {
        Reported::Inputs { inputs, .. } => inputs.iter().collect(),
        Reported::Compare { before, after } => vec![before, after],
    };
    let output = identity(file);
    let is_output = |input: &Path| input.as_os_str() != "-" && identity(input) == output;
    let mut files = read.into_iter().filter_map(Recorded::file);
    output.is_some() && files.any(is_output)
}

fn write_file(file: &Path, force: bool, page: &str) -> io::Result<()> {
    let directory = rotation::directory(file);
    let mut beside = Builder::new().prefix(".retrans-").tempfile_in(directory)?;
    private_files::own(beside.as_file());
    beside.write_all(page.as_bytes())?;
    let persisted = match force {
        true => beside.persist(file),
        false => beside.persist_noclobber(file),
    };
    persisted.map(drop).map_err(|error| error.error)
}

/// The name of the output in messages.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Stdout => f.write_str("the report to standard output"),
            Output::File(file, _) => file.display().fmt(f),
        }
    }
}
