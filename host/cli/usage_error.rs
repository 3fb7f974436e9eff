//! Errors of the command line.

use std::path::PathBuf;

use retrans_view::key::BadGrouping;

use super::config_file::FileError;
use super::sinks::SinkError;
use crate::filter::Contradiction;
use crate::plugin::ParseDigestError;
use crate::system::privileges::UserError;

/// A command line that clap accepts and the host refuses.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A manual page cannot be made.
    #[error("cannot make manual pages: {0}")]
    Manual(String),
    /// A setting or a grant without a plugin before it: the option and its value.
    #[error(
        "{0} {1}: no --plugin before it; the option applies to the plugin named just before it"
    )]
    NoPlugin(&'static str, String),
    /// An option of watching before a subcommand: the option and the subcommand.
    #[error("--{0}: it has no effect before {1}; write options of {1} after the word {1}")]
    BeforeSubcommand(String, String),
    /// A key of `--by` that is none.
    #[error("--by: {0}")]
    Grouping(BadGrouping),
    /// A mistake in a configuration file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A variable of the environment that is no option, or has no value of one: its name, and why.
    #[error("{0}: {1}")]
    Variable(String, String),
    /// An error in the options of sinks.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A setting without a key.
    #[error("--set {0}: expected KEY=VALUE, such as threshold=10")]
    NoKey(String),
    /// A name of a new plugin that cannot be the name of a crate: the name, and why.
    #[error("plugin new {0}: {1}")]
    CrateName(String, &'static str),
    /// A directory of the SDK of Rust for a plugin in another language.
    #[error("--sdk is for plugins in Rust: the SDK of {0} is written to the project")]
    SdkOfRust(&'static str),
    /// A file of settings that cannot be used.
    #[error("--settings {}: {cause}", file.display())]
    SettingsFile {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: String,
    },
    /// Two plugin instances with the same name.
    #[error(
        "--plugin: two instances have the name {0}; give one of them another name, as in --plugin other={0}"
    )]
    DuplicateName(String),
    /// An instance name that would be hard to read in a log.
    #[error("--plugin {0}: the name of an instance consists of letters, digits, -, _ and . only")]
    InvalidName(String),
    /// A file name that cannot be an instance name, and no `NAME=` before it.
    #[error(
        "--plugin {0}: the file's name cannot be the instance's name, which consists of letters, digits, -, _ \
         and . only; choose a name with NAME=FILE, as in --plugin 'name={0}'"
    )]
    InvalidFileName(String),
    /// An option that cannot be combined with a capture on standard output.
    #[error("--record -: the capture uses standard output and cannot be combined with {0}")]
    RecordToStdout(&'static str),
    /// A plugin name without a path that is not the name of a bundled plugin.
    #[error("--plugin: {0}")]
    NotBundled(String),
    /// The same for the plugin of a command about plugins, which has no option.
    #[error("{0}")]
    UnknownPlugin(String),
    /// An invalid digest after `#sha256=`.
    #[error("--plugin {0}: invalid digest after #sha256=: {1}")]
    InvalidDigest(String, ParseDigestError),
    /// A key of `--verify-key` that is none: its text, and why.
    #[error("--verify-key {0}: {1}")]
    VerifyKey(String, String),
    /// An address with a digest for a plugin that is put into a registry.
    #[cfg(feature = "network")]
    #[error("plugin push {0}: the digest follows from the plugin; give a tag, as in :1.2")]
    PushToDigest(String),
    /// A limit that does not exist, and the names of those that do.
    #[error("--limit {0}: unknown limit; the limits are {1}")]
    UnknownLimit(String, String),
    /// An invalid value of a limit.
    #[error("--limit {limit}: expected {expected}")]
    Limit {
        /// The argument.
        limit: String,
        /// A description of valid values, with an example.
        expected: String,
    },
    /// A grant that does not exist.
    #[error("--allow {0}: expected env=NAME or read=DIR")]
    UnknownGrant(String),
    /// A ring size that the kernel would refuse: the bytes, and the size of a page.
    #[error(
        "--ring-size: {0} bytes, expected a power of two from {1} (a page) to 1 GiB, such as 4MiB"
    )]
    RingSize(u64, u64),
    /// An invalid value of an option.
    #[error("{option}: {value:?}, expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// The argument.
        value: String,
        /// A description of valid values, with an example.
        expected: &'static str,
    },
    /// Addresses of a broker that are none.
    #[error("{option}: {cause}")]
    Servers {
        /// The option or argument.
        option: &'static str,
        /// Why; without the text, which may have a password in it.
        cause: String,
    },
    /// What is about a broker, without one.
    #[error(
        "the options --publish-... and --nats-... are about the broker of --publish, which is missing"
    )]
    NoPublish,
    /// What is about a broker that is read, without one.
    #[error(
        "the options --nats-... are about a broker, which is missing: name it as FILE, as in nats://a:4222"
    )]
    NoBroker,
    /// A broker beside other inputs.
    #[error("FILE: a broker such as nats://a:4222 is read alone, without files and other brokers")]
    BrokerAndFiles,
    /// Files that are to be followed.
    #[error(
        "--follow is for a broker such as nats://a:4222; standard input (-) is followed without it"
    )]
    FollowFiles,
    /// What a broker has is to be published.
    #[error("--publish: events that are read from a broker are not published again")]
    PublishedAgain,
    /// One of two options that need each other.
    #[error("{0} and {1} need each other")]
    Pair(&'static str, &'static str),
    /// A broker in a build without the feature `fleet`.
    #[cfg(not(feature = "fleet"))]
    #[error("{0}: this program was built without the feature fleet")]
    NoFleet(&'static str),
    /// A number of events for a consumer.
    #[cfg(feature = "fleet")]
    #[error("--count: a consumer shares the events with others; use --duration")]
    CountOfFleet,
    /// A consumer is to load new versions of plugins.
    #[cfg(feature = "fleet")]
    #[error(
        "--watch: a consumer keeps its plugins; start it again for a new version, which gets the state"
    )]
    WatchOfFleet,
    /// A user as whom the run cannot go on.
    #[error("--user: {0}")]
    User(UserError),
    /// An invalid value of a filter.
    #[error("{option} {value}: {reason}")]
    Filter {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// Why it is invalid.
        reason: String,
    },
    /// Invalid values of a filter: the option, and why they are invalid.
    #[error("{0}: {1}")]
    Filters(&'static str, String),
    /// Filters that no event can pass.
    #[error("{0}")]
    NothingMatches(Contradiction),
    /// A filter of owners in a run that does not look for them.
    #[error(
        "--no-owners: all owners are unknown, so that --pid, --comm and --container match nothing"
    )]
    OwnersUnknown,
    /// A time range that ends before it begins.
    #[error("{option}: {to} is not after {from}")]
    EmptyTimeRange {
        /// `--from` or `--since`, with its value.
        from: String,
        /// The option that ends it.
        option: &'static str,
        /// Its value.
        to: String,
    },
    /// Times of a live view of the probe.
    #[error("--from, --since and --to: top has them for files and brokers; name one")]
    TimesOfProbe,
    /// `-`, standard input, as more than one of the files.
    #[error("-: standard input can be read once only")]
    StdinTwice,
    /// Without a terminal, there is no live view: why.
    #[error(
        "top: {0}; without a terminal, retrans-host prints events, and --plugin flow-summary their sums every 10 seconds"
    )]
    NoScreen(String),
    /// An output of a live view that would be on the screen.
    #[error(
        "{0}: standard output is the screen of top; record to a file with --record FILE, write alerts with --alerts-file"
    )]
    ScreenTaken(&'static str),
    /// An option of watching that top does not have here.
    #[error("--{}: top does not have it for files and brokers", .0.replace('_', "-"))]
    OfWatching(&'static str),
    /// A directory of recordings that is none.
    #[error("--record-dir {}: there is no such directory; make it first", .0.display())]
    RecordDirectory(PathBuf),
    /// Two options name one file.
    #[error("--alerts-file {0}: it is the file of --record, too; choose another name")]
    SameFile(String),
}
