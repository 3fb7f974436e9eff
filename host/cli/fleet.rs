//! The command line of a fleet: what a host publishes, `consume`, and `fleet`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
#[cfg(feature = "fleet")]
use clap::Subcommand;

use super::usage_error::UsageError;
use crate::config::BrokerConfig;
use crate::config::Publish;
use crate::config::WantedPartitions;
use crate::sink::FINISH_TIMEOUT;

/// The most partitions of a fleet.
const MAX_PARTITIONS: u16 = 1024;

/// How the broker is reached.
#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// Proves the identity with this credentials file of NATS, as nsc writes it
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_credentials: Option<PathBuf>,

    /// Proves the identity with the seed of an nkey in this file
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_nkey: Option<PathBuf>,

    /// Proves the identity as this user, whose password is in --nats-password
    #[arg(long, value_name = "NAME", help_heading = "Broker")]
    pub nats_user: Option<String>,

    /// File with the password of --nats-user
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_password: Option<PathBuf>,

    /// Proves the identity with the token in this file
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_token: Option<PathBuf>,

    /// Accepts servers with a certificate of the authorities in this file (PEM). Otherwise those of the system
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_ca: Option<PathBuf>,

    /// Shows the certificate in this file (PEM) to the server
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_certificate: Option<PathBuf>,

    /// File with the private key (PEM) of --nats-certificate
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_key: Option<PathBuf>,
}

/// What is published.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Publishes every event, before any plugin sees it, to a fleet's broker: NATS servers with JetStream, such as
    /// nats://a:4222,nats://b:4222, or tls:// with encryption. `retrans-host consume` reads them
    ///
    /// While the broker is away, events wait in the spool. Without --plugin, no lines are printed. `retrans-host fleet
    /// init` sets the broker up.
    #[arg(long, value_name = "SERVERS", help_heading = "Broker")]
    pub publish: Option<String>,

    /// Publishes in this name [default: the name of the machine]
    #[arg(long, value_name = "NAME", help_heading = "Broker")]
    pub publish_name: Option<String>,

    /// Keeps events that wait for the broker in this directory, where they outlive the host [default: in memory]
    #[arg(long, value_name = "DIR", help_heading = "Broker")]
    pub publish_spool: Option<PathBuf>,

    /// Size of the events that wait for the broker at most: beyond it, the oldest are dropped and counted
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "64MiB",
        help_heading = "Broker"
    )]
    pub publish_spool_size: ByteSize,

    /// Number of partitions of the fleet, as `fleet init` has made it
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 32,
        help_heading = "Broker"
    )]
    pub publish_partitions: u16,

    /// How it is reached.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What is to be published.
pub(super) fn publish(args: &PublishArgs) -> Result<Option<Publish>, UsageError> {
    let Some(servers) = &args.publish else {
        let is_given =
            args.publish_name.is_some() || args.publish_spool.is_some() || is_given(&args.broker);
        return match is_given {
            true => Err(UsageError::NoPublish),
            false => Ok(None),
        };
    };
    check_publish(servers)?;
    Ok(Some(Publish {
        broker: broker("--publish", servers, &args.broker)?,
        name: args.publish_name.clone(),
        spool: args.publish_spool.clone(),
        spool_size: args.publish_spool_size.as_u64(),
        partitions: partitions("--publish-partitions", args.publish_partitions)?,
        wait: FINISH_TIMEOUT,
    }))
}

#[cfg(feature = "fleet")]
fn check_publish(_: &str) -> Result<(), UsageError> {
    Ok(())
}

#[cfg(not(feature = "fleet"))]
fn check_publish(_: &str) -> Result<(), UsageError> {
    Err(UsageError::NoFleet)
}

fn is_given(args: &BrokerArgs) -> bool {
    let BrokerArgs {
        nats_credentials,
        nats_nkey,
        nats_user,
        nats_password,
        nats_token,
        nats_ca,
        nats_certificate,
        nats_key,
    } = args;
    let files = [
        nats_credentials,
        nats_nkey,
        nats_password,
        nats_token,
        nats_ca,
        nats_certificate,
        nats_key,
    ];
    nats_user.is_some() || files.iter().any(|file| file.is_some())
}

fn partitions(option: &'static str, count: u16) -> Result<u16, UsageError> {
    match count {
        1..=MAX_PARTITIONS => Ok(count),
        _ => Err(UsageError::Value {
            option,
            value: count.to_string(),
            expected: "a number from 1 to 1024, such as 32",
        }),
    }
}

fn broker(
    option: &'static str,
    servers: &str,
    args: &BrokerArgs,
) -> Result<BrokerConfig, UsageError> {
    check_servers(option, servers)?;
    // Not by clap: one of a pair may be in a configuration file.
    for (one, other, is_pair) in [
        (
            "--nats-user",
            "--nats-password",
            args.nats_user.is_some() == args.nats_password.is_some(),
        ),
        (
            "--nats-certificate",
            "--nats-key",
            args.nats_certificate.is_some() == args.nats_key.is_some(),
        ),
    ] {
        if !is_pair {
            return Err(UsageError::Pair(one, other));
        }
    }
    Ok(BrokerConfig {
        servers: servers.to_owned(),
        credentials: args.nats_credentials.clone(),
        nkey: args.nats_nkey.clone(),
        user: args.nats_user.clone().zip(args.nats_password.clone()),
        token: args.nats_token.clone(),
        ca: args.nats_ca.clone(),
        certificate: args.nats_certificate.clone().zip(args.nats_key.clone()),
    })
}

#[cfg(feature = "fleet")]
fn check_servers(option: &'static str, servers: &str) -> Result<(), UsageError> {
    let address: Result<retrans_fleet::connect::Address, _> = servers.parse();
    let refused = |error: retrans_fleet::connect::AddressError| UsageError::Servers {
        option,
        cause: error.to_string(),
    };
    address.map(drop).map_err(refused)
}

#[cfg(not(feature = "fleet"))]
fn check_servers(_: &'static str, _: &str) -> Result<(), UsageError> {
    Ok(())
}

/// Partitions as in `all`, `auto`, `0-7,9`.
#[cfg_attr(not(feature = "fleet"), expect(dead_code))]
fn wanted(text: &str) -> Result<WantedPartitions, UsageError> {
    let refused = || UsageError::Value {
        option: "--partitions",
        value: text.to_owned(),
        expected: "all, auto, or numbers and ranges such as 0-7,9",
    };
    match text {
        "all" => return Ok(WantedPartitions::All),
        "auto" => return Ok(WantedPartitions::Auto),
        _ => {}
    }
    let mut wanted = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<u16>().ok();
        let (first, last) = number(first).zip(number(last)).ok_or_else(refused)?;
        if first > last || last >= MAX_PARTITIONS {
            return Err(refused());
        }
        wanted.extend(first..=last);
    }
    Ok(WantedPartitions::Some(wanted))
}

#[cfg(feature = "fleet")]
pub use self::commands::*;

#[cfg(feature = "fleet")]
mod commands {
    use clap::ArgMatches;

    use super::super::run_args::ChainArgs;
    use super::super::run_args::ListenArgs;
    use super::super::runs;
    use super::super::values;
    use super::*;
    use crate::config::Consume;
    use crate::config::Fleet;
    use crate::config::FleetCommand;
    use crate::config::FleetLimits;
    use crate::config::Verbosity;

    /// A consumer.
    #[derive(Debug, Args)]
    pub struct ConsumeArgs {
        /// Addresses of the broker's servers: nats://a:4222,nats://b:4222, or tls:// with encryption
        #[arg(value_name = "SERVERS")]
        pub servers: String,

        /// Partitions: its share of them (auto), all that it can get (all), or these, such as 0-7,9
        #[arg(long, value_name = "PARTITIONS", default_value = "auto")]
        pub partitions: String,

        /// Begins partitions that have no state yet with the oldest message, and not with the next one
        #[arg(long)]
        pub from_beginning: bool,

        /// Leaves events out that were older than this when they were published, as after an outage of the broker. They
        /// are counted, and plugins are told how many
        #[arg(long, value_name = "TIME", default_value = "30s")]
        pub max_lateness: String,

        /// Publishes the lines of plugins to the subjects retrans.v1.out.PARTITION of the broker, each once, and not to
        /// standard output
        #[arg(long)]
        pub publish_lines: bool,

        /// Name of this consumer in `fleet status` [default: the name of the machine]
        #[arg(long, value_name = "NAME")]
        pub name: Option<String>,

        /// The chain.
        #[command(flatten)]
        pub chain: ChainArgs,

        /// What is served over HTTP.
        #[command(flatten)]
        pub listen: ListenArgs,

        /// How the broker is reached.
        #[command(flatten)]
        pub broker: BrokerArgs,
    }

    /// Commands about a fleet.
    #[derive(Debug, Args)]
    pub struct FleetArgs {
        /// The command.
        #[command(subcommand)]
        pub command: FleetSubcommand,
    }

    /// A command about a fleet.
    #[derive(Debug, Subcommand)]
    pub enum FleetSubcommand {
        /// Makes what a fleet needs in the broker: streams, buckets and their limits. What is there stays as it is
        Init(InitArgs),
        /// Tells how the fleet does: the stream, partitions with their consumers and their lag, hosts
        Status(StatusArgs),
        /// Prints a configuration of nats-server, with durable storage and the least rights for each host
        ServerConfig(ServerConfigArgs),
    }

    /// What is made.
    #[derive(Debug, Args)]
    pub struct InitArgs {
        /// Addresses of the broker's servers, such as nats://a:4222
        #[arg(value_name = "SERVERS")]
        pub servers: String,

        /// Number of partitions, from 1 to 1024. It cannot be changed later
        #[arg(long, value_name = "NUMBER", default_value_t = 32)]
        pub partitions: u16,

        /// Age at which messages leave the stream
        #[arg(long, value_name = "TIME", default_value = "24h")]
        pub max_age: String,

        /// Size of the stream beyond which the broker refuses messages; they wait in the spools of the hosts then
        #[arg(long, value_name = "SIZE", default_value = "10GiB")]
        pub max_bytes: ByteSize,

        /// Number of servers that keep each message: 3 or 5 in a cluster
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        pub replicas: u8,

        /// How the broker is reached.
        #[command(flatten)]
        pub broker: BrokerArgs,
    }

    /// What is told.
    #[derive(Debug, Args)]
    pub struct StatusArgs {
        /// Addresses of the broker's servers, such as nats://a:4222
        #[arg(value_name = "SERVERS")]
        pub servers: String,

        /// Prints JSON
        #[arg(long)]
        pub json: bool,

        /// How the broker is reached.
        #[command(flatten)]
        pub broker: BrokerArgs,
    }

    /// What the configuration is for.
    #[derive(Debug, Args)]
    pub struct ServerConfigArgs {
        /// Names of the hosts that publish: each gets a user who may publish in its name alone
        #[arg(value_name = "HOST", required = true)]
        pub hosts: Vec<String>,

        /// Where the server listens
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:4222")]
        pub listen: String,

        /// Directory of its streams
        #[arg(long, value_name = "DIR", default_value = "/var/lib/nats")]
        pub store: PathBuf,
    }

    /// Of `consume`.
    pub fn consume(
        args: ConsumeArgs,
        verbosity: Verbosity,
        matches: &ArgMatches,
    ) -> Result<Consume, UsageError> {
        if args.chain.count.is_some() {
            return Err(UsageError::CountOfFleet);
        }
        if args.chain.watch {
            return Err(UsageError::WatchOfFleet);
        }
        Ok(Consume {
            chain: runs::chain(&args.chain, verbosity, matches, false)?,
            broker: broker("SERVERS", &args.servers, &args.broker)?,
            partitions: wanted(&args.partitions)?,
            from_beginning: args.from_beginning,
            max_lateness: values::duration("--max-lateness", &args.max_lateness)?,
            publishes_lines: args.publish_lines,
            name: args.name,
            listen: runs::listen(&args.listen)?,
        })
    }

    /// Of `fleet`.
    pub fn fleet(args: FleetArgs, verbosity: Verbosity) -> Result<Fleet, UsageError> {
        let command = match args.command {
            FleetSubcommand::Init(args) => FleetCommand::Init {
                broker: broker("SERVERS", &args.servers, &args.broker)?,
                limits: FleetLimits {
                    partitions: super::partitions("--partitions", args.partitions)?,
                    max_age: values::duration("--max-age", &args.max_age)?,
                    max_bytes: args.max_bytes.as_u64(),
                    replicas: args.replicas,
                },
            },
            FleetSubcommand::Status(args) => FleetCommand::Status {
                broker: broker("SERVERS", &args.servers, &args.broker)?,
                json: args.json,
            },
            FleetSubcommand::ServerConfig(args) => FleetCommand::ServerConfig {
                hosts: args.hosts,
                listen: args.listen,
                store: args.store,
            },
        };
        Ok(Fleet { command, verbosity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_numbers_and_ranges() {
        assert_eq!(wanted("all"), Ok(WantedPartitions::All));
        assert_eq!(wanted("auto"), Ok(WantedPartitions::Auto));
        let some = |numbers: &[u16]| WantedPartitions::Some(numbers.iter().copied().collect());
        assert_eq!(wanted("0-3,7,2-4"), Ok(some(&[0, 1, 2, 3, 4, 7])));
        for bad in ["", "a", "1-", "3-1", "1024", "0,,1", "-1"] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_number_of_partitions_has_bounds() {
        assert_eq!(partitions("--partitions", 1024), Ok(1024));
        assert!(partitions("--partitions", 0).is_err());
        assert!(partitions("--partitions", 1025).is_err());
    }
}
