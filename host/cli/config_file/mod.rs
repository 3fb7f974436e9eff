//! The configuration file: what the command line can say, as TOML.
//!
//! ```text
//! keys      the keys that there are, and the options that they stand for
//! plugins   [[plugin]], with what belongs to each
//! sinks     [[sink]], with what belongs to each
//! read      the whole file, in this order
//! layers    command line over environment over file
//! show      what is in force, and where it comes from
//! ```
//!
//! A file becomes options, which are parsed and checked together with those of the command line: there is one check of a
//! value, wherever it was written.

mod keys;
mod layers;
mod plugins;
mod read;
mod show;
mod sinks;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;

pub(super) use self::keys::unknown;
pub use self::layers::Layered;
pub use self::layers::layer;
pub use self::show::show;

/// Maximum size of a configuration file in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// A mistake in a configuration file, or a file that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: String,
    },
    /// A mistake at a line.
    #[error("{}:{line}: {mistake}", file.display())]
    At {
        /// The file.
        file: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The key, and what is wrong with it.
        mistake: String,
    },
}

/// An option, as a file or the environment sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// Path of the key, such as `filter.peer` or `plugin[1].settings`, or name of the variable.
    key: String,
    /// Number of its line, from 1; 0 for a variable.
    line: usize,
    /// Name of the option, without its dashes.
    option: &'static str,
    /// The value; `None` for an option without one.
    value: Option<String>,
}

/// What a file sets, in the order of the command line: plugins and what belongs to them are next to each other.
#[derive(Debug, PartialEq, Eq)]
struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl ConfigFile {
    /// Reads a file. Paths in it are relative to its directory.
    fn read(path: &Path) -> Result<ConfigFile, FileError> {
        let text = text(path).map_err(|error| FileError::Read {
            file: path.to_owned(),
            cause: error.to_string(),
        })?;
        let entries = entries(&text, directory(path)).map_err(|mistake| FileError::At {
            file: path.to_owned(),
            line: mistake.line,
            mistake: mistake.text,
        })?;
        Ok(ConfigFile {
            path: path.to_owned(),
            entries,
        })
    }
}

fn text(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_SIZE {
        let error = format!("it has more than {MAX_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    fs::read_to_string(path)
}

fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// What is wrong at a place of the text.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    text: String,
}

/// The options that a text stands for. Paths in it are relative to `directory`.
fn entries(text: &str, directory: &Path) -> Result<Vec<Entry>, Mistake> {
    let lines = Lines(text);
    let table = DeTable::parse(text).map_err(|error| Mistake {
        line: lines.line(error.span().map_or(0, |span| span.start)),
        text: format!("it is not TOML: {}", error.message()),
    })?;
    let mut entries = Vec::new();
    read::read(table.get_ref(), directory, lines, &mut entries)?;
    Ok(entries)
}

/// Finds lines in a text.
#[derive(Debug, Clone, Copy)]
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// Number of the line at an offset in bytes, from 1.
    fn line(self, offset: usize) -> usize {
        let before = &self.0.as_bytes()[..offset.min(self.0.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
