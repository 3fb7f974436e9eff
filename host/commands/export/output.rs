//! Where an export is written: standard output, or a file that appears once it is complete.

use std::fs;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use anyhow::bail;
use tempfile::Builder;
use tempfile::NamedTempFile;

use crate::capture::rotation;
use crate::commands::capture_output::capture_output;
use crate::config::Export;
use crate::config::ExportFormat;
use crate::system::private_files;
use crate::system::stdio::Stdout;

/// The open output of an export.
pub enum Output {
    /// Standard output.
    Stdout(Stdout),
    /// A file beside the path at which it is put when it is complete.
    File {
        /// The file, under a name of its own.
        beside: BufWriter<NamedTempFile>,
        /// Its path when it is complete.
        path: PathBuf,
    },
}

/// Refuses an output file that may not be replaced.
///
/// # Errors
///
/// If the file exists and `--force` is not given, if it is no regular file, or if it is one of those that are read.
pub fn refuse(config: &Export) -> Result<()> {
    let Some(file) = &config.output else {
        return Ok(());
    };
    let name = file.display();
    if rotation::is_special(file) {
        bail!("cannot write {name}: it is not a regular file");
    }
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let of_output = identity(file);
    let is_output = |input: &PathBuf| input.as_os_str() != "-" && identity(input) == of_output;
    if of_output.is_some() && config.files.iter().any(is_output) {
        bail!("cannot write {name}: it is a file that is exported; choose another name");
    }
    if fs::symlink_metadata(file).is_ok() && !config.force {
        bail!("cannot write {name}: the file exists; --force overwrites it");
    }
    Ok(())
}

impl Output {
    /// Opens a file beside `path`, or standard output. Packets are refused on a terminal, which cannot show them.
    pub fn begin(path: Option<&Path>, format: ExportFormat) -> io::Result<Output> {
        let Some(path) = path else {
            let stdout = match format {
                ExportFormat::Csv => Stdout::new(),
                ExportFormat::Pcapng => capture_output(),
            };
            return Ok(Output::Stdout(stdout?));
        };
        let directory = rotation::directory(path);
        let beside = Builder::new().prefix(".retrans-").tempfile_in(directory)?;
        private_files::own(beside.as_file());
        Ok(Output::File {
            beside: BufWriter::new(beside),
            path: path.to_owned(),
        })
    }

    /// Puts the file at its path; `force`: also if another one is there. A file that is dropped without this is
    /// removed.
    pub fn finish(self, force: bool) -> io::Result<()> {
        match self {
            Output::Stdout(mut stdout) => stdout.flush(),
            Output::File { beside, path } => {
                let beside = beside.into_inner().map_err(|error| error.into_error())?;
                let persisted = match force {
                    true => beside.persist(path),
                    false => beside.persist_noclobber(path),
                };
                persisted.map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout(stdout) => stdout.write(bytes),
            Output::File { beside, .. } => beside.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(stdout) => stdout.flush(),
            // Nobody reads it before it is complete.
            Output::File { .. } => Ok(()),
        }
    }
}
