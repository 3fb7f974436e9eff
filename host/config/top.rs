//! The configuration of the live view.

use std::fmt;
use std::path::PathBuf;

use super::Recorded;
use super::Replay;
use super::Verbosity;
use super::Watch;
use crate::filter::Filters;

/// The configuration of the live view.
#[derive(Debug, PartialEq)]
pub struct Top {
    /// What is shown.
    pub source: TopSource,
    /// Where recordings are made from the view; `None`: none can be made.
    pub record_dir: Option<PathBuf>,
    /// Reads the filters of the view.
    pub filter_words: FilterWords,
}

/// What is shown.
#[derive(Debug, PartialEq)]
pub enum TopSource {
    /// The live probe.
    Live(Box<Watch>),
    /// What was recorded, or what the hosts of a fleet publish.
    Replay(Box<Replay>),
}

impl TopSource {
    /// Whether events are read from standard input.
    pub fn reads_stdin(&self) -> bool {
        match self {
            TopSource::Live(_) => false,
            TopSource::Replay(replay) => {
                let mut files = replay.inputs.iter().filter_map(Recorded::file);
                files.any(|file| file.as_os_str() == "-")
            }
        }
    }

    /// Verbosity of standard error.
    pub fn verbosity(&self) -> Verbosity {
        match self {
            TopSource::Live(watch) => watch.chain.verbosity,
            TopSource::Replay(replay) => replay.chain.verbosity,
        }
    }
}

/// Reads filters in the words of the command line, which only its module knows.
#[derive(Clone, Copy)]
pub struct FilterWords(pub fn(&str) -> Result<Filters, String>);

impl FilterWords {
    /// The filters of a text.
    ///
    /// # Errors
    ///
    /// If it is none; the error is one for people.
    pub fn parse(self, text: &str) -> Result<Filters, String> {
        (self.0)(text)
    }
}

/// There is one way to read them.
impl PartialEq for FilterWords {
    fn eq(&self, _: &FilterWords) -> bool {
        true
    }
}

impl fmt::Debug for FilterWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterWords")
    }
}
