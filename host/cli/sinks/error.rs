//! Errors of the options of sinks. None contains a URL, a header or the contents of a file: they may be secrets.

/// An error in the options of sinks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// This build delivers nothing over the network.
    #[cfg(not(feature = "network"))]
    #[error(
        "this build of retrans-host delivers nothing over the network, so that it has no --sink, --alerts-per-minute \
         and --external-url; build it with the feature network, which is on by default"
    )]
    NoNetwork,
    /// A type that is none: its name, and what is said of that.
    #[error("--sink {0}: {1}")]
    UnknownType(String, String),
    /// A setting without a key.
    #[error("--sink-set: expected KEY=VALUE, such as resolve-after=10m")]
    NoKey,
    /// A setting without a sink before it: its key.
    #[error(
        "--sink-set {0}: no --sink before it; the option applies to the sink named just before it"
    )]
    NoSink(String),
    /// A key that is none of this type.
    #[error("sink {sink}: {key}: {what}")]
    UnknownKey {
        /// Name of the sink.
        sink: String,
        /// The key.
        key: String,
        /// What is said of it.
        what: String,
    },
    /// Two sinks with the same name.
    #[error("two sinks have the name {0}; give one of them another name with the key name")]
    DuplicateName(String),
    /// A name that would be hard to read in a ledger.
    #[error("sink {0:?}: the name of a sink consists of letters, digits, -, _ and . only")]
    InvalidName(String),
    /// A value that is none of its key, or that is missing.
    #[cfg(feature = "network")]
    #[error("sink {sink}: {key}: expected {expected}")]
    Value {
        /// Name of the sink.
        sink: String,
        /// The key.
        key: &'static str,
        /// A description of valid values, with an example.
        expected: &'static str,
    },
    /// Keys that exclude each other: the name of the sink, and the keys.
    #[cfg(feature = "network")]
    #[error("sink {0}: set {1}, not both")]
    Both(String, &'static str),
    /// A file that cannot be read.
    #[cfg(feature = "network")]
    #[error("sink {sink}: {key}: cannot read {}: {cause}", file.display())]
    File {
        /// Name of the sink.
        sink: String,
        /// The key.
        key: &'static str,
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        cause: String,
    },
    /// A variable of OpenTelemetry that cannot be used.
    #[cfg(feature = "network")]
    #[error("sink {sink}: {error}")]
    Environment {
        /// Name of the sink.
        sink: String,
        /// Which one, and why.
        error: retrans_deliver::otlp::environment::EnvironmentError,
    },
    /// A URL for people that is none.
    #[cfg(feature = "network")]
    #[error("--external-url: {0}")]
    ExternalUrl(retrans_deliver::http::UrlError),
    /// A sink that cannot be used: its name, and why.
    #[cfg(feature = "network")]
    #[error("sink {0}")]
    Unusable(String),
}
