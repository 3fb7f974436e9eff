//! What a host publishes to a fleet, and what a consumer of it is to do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::ChainConfig;
use super::Verbosity;

/// How the broker of a fleet is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Addresses of its servers, separated by commas.
    pub servers: String,
    /// A credentials file of NATS.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey.
    pub nkey: Option<PathBuf>,
    /// A user, and the file with the password.
    pub user: Option<(String, PathBuf)>,
    /// A file with a token.
    pub token: Option<PathBuf>,
    /// A file with the certificates of authorities.
    pub ca: Option<PathBuf>,
    /// Files with a certificate chain and its private key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl BrokerConfig {
    /// The addresses, without users and passwords.
    pub fn servers(&self) -> String {
        let servers = self.servers.split(',').map(|server| {
            let (scheme, rest) = server.split_once("://").unwrap_or(("", server));
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        });
        servers.collect::<Vec<_>>().join(",")
    }
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// To which broker.
    pub broker: BrokerConfig,
    /// In the name of which host; `None`: the name of this machine.
    pub name: Option<String>,
    /// The directory in which events wait for the broker; `None`: in memory.
    pub spool: Option<PathBuf>,
    /// Size of what waits at most, in bytes.
    pub spool_size: u64,
    /// Number of partitions of the fleet.
    pub partitions: u16,
    /// How long the end of the run waits for the broker.
    pub wait: Duration,
}

/// What is read of a fleet, beside its consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observe {
    /// Of which broker.
    pub broker: BrokerConfig,
    /// Where reading begins.
    pub from: ObserveFrom,
    /// Whether reading goes on for what is published later.
    pub follows: bool,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObserveFrom {
    /// With the oldest message that is there.
    Oldest,
    /// With the next message.
    Now,
    /// With what the broker has stored since this Unix time.
    Time(Duration),
}

/// A consumer.
#[derive(Debug, PartialEq, Eq)]
pub struct Consume {
    /// The chain of each partition.
    pub chain: ChainConfig,
    /// Of which broker.
    pub broker: BrokerConfig,
    /// The wanted partitions.
    pub partitions: WantedPartitions,
    /// Whether a partition without a state begins with the oldest message; otherwise with the next one.
    pub from_beginning: bool,
    /// Events that were older when they were published are left out and counted.
    pub max_lateness: Duration,
    /// Whether lines of plugins go to the broker, and not to standard output.
    pub publishes_lines: bool,
    /// The consumer's name; `None`: the name of this machine.
    pub name: Option<String>,
    /// Where metrics are served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// Partitions that a consumer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedPartitions {
    /// All that no other consumer has.
    All,
    /// Its share, by the number of consumers.
    Auto,
    /// These.
    Some(BTreeSet<u16>),
}

/// A command about a fleet.
#[derive(Debug, PartialEq, Eq)]
pub struct Fleet {
    /// The command.
    pub command: FleetCommand,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// A command about a fleet.
#[derive(Debug, PartialEq, Eq)]
pub enum FleetCommand {
    /// Makes what a fleet needs in the broker.
    Init {
        /// Which broker.
        broker: BrokerConfig,
        /// What is made.
        limits: FleetLimits,
    },
    /// Tells how the fleet does.
    Status {
        /// Which broker.
        broker: BrokerConfig,
        /// Whether to print JSON.
        json: bool,
    },
    /// Prints a configuration of nats-server.
    ServerConfig {
        /// Names of the hosts that publish.
        hosts: Vec<String>,
        /// Where the server listens.
        listen: String,
        /// The directory of its streams.
        store: PathBuf,
    },
}

/// The limits of a fleet in the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetLimits {
    /// Number of partitions.
    pub partitions: u16,
    /// Age at which messages leave the stream.
    pub max_age: Duration,
    /// Size of the stream in bytes, beyond which the broker refuses messages.
    pub max_bytes: u64,
    /// Number of servers that keep each message.
    pub replicas: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_passwords() {
        let broker = BrokerConfig {
            servers: "nats://me:p@ss@a:4222,tls://b:4222".to_owned(),
            ..BrokerConfig::default()
        };
        assert_eq!(broker.servers(), "nats://a:4222,tls://b:4222");
    }
}
