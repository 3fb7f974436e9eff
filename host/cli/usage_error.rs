//! What can be wrong with a command line.

use crate::plugin::NoDigest;

/// A command line that cannot be carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A setting or a grant without a plugin before it.
    #[error("{0} {1}: no --plugin before it; it belongs to the plugin named just before")]
    NoPlugin(&'static str, String),
    /// An option of watching before another command.
    #[error(
        "--{0}: it stands before {1}, where it has no effect; options of {1} come after that word"
    )]
    Before(String, String),
    /// A setting without a key.
    #[error("--set {0}: expected KEY=VALUE, such as threshold=10")]
    NoKey(String),
    /// Two instances with one name.
    #[error(
        "--plugin: two instances are called {0}; give one another name, as in --plugin other={0}"
    )]
    Twice(String),
    /// A name that would be hard to read in a log.
    #[error("--plugin {0}: an instance's name has letters, digits, -, _ and . only")]
    BadName(String),
    /// A file whose name would be.
    #[error(
        "--plugin {0}: the file's name makes no instance name, which has letters, digits, -, _ and . \
         only; give one with NAME=FILE, as in --plugin 'name={0}'"
    )]
    NoName(String),
    /// Standard output has room for a capture, and nothing else.
    #[error("--record -: the capture goes to standard output, which excludes {0}")]
    RecordToStdout(&'static str),
    /// No such bundled plugin.
    #[error("--plugin: {0}")]
    NotBundled(String),
    /// What is behind the # of a file is no digest.
    #[error("--plugin {0}: behind #sha256= {1}")]
    BadDigest(String, NoDigest),
    /// No such limit.
    #[error("--limit {0}: there is no limit of that name; there are {1}")]
    NoLimit(String, String),
    /// A limit that is not what it should be.
    #[error("--limit {limit}: expected {expected}")]
    Limit {
        /// What was written.
        limit: String,
        /// What was expected, with an example.
        expected: String,
    },
    /// No such grant.
    #[error("--allow {0}: expected env=NAME or read=DIR")]
    NoGrant(String),
    /// A ring that the kernel would refuse.
    #[error(
        "--ring-size: {0} bytes, expected a power of two from {1} (a page) to 1 GiB, such as 4MiB"
    )]
    RingSize(u64, u64),
    /// A value that is not what it should be.
    #[error("{option}: {value:?}, expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// What was written.
        value: String,
        /// What was expected, with an example.
        expected: &'static str,
    },
    /// A span of time that ends before it begins.
    #[error("--to: {to} is not after --from {from}")]
    NoTime {
        /// Its begin.
        from: String,
        /// Its end.
        to: String,
    },
    /// Standard input, twice.
    #[error("-: standard input can be read once only")]
    StdinTwice,
}
