//! The command lines of `consume` and `fleet`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ArgMatches;
use clap::Args;
use clap::Subcommand;

use super::publish::BrokerArgs;
use super::publish::MAX_PARTITIONS;
use super::publish::broker;
use super::publish::partitions;
use super::run_args::ChainArgs;
use super::run_args::ListenArgs;
use super::runs;
use super::usage_error::UsageError;
use super::values;
use crate::config::Consume;
use crate::config::Fleet;
use crate::config::FleetCommand;
use crate::config::FleetLimits;
use crate::config::Verbosity;
use crate::config::WantedPartitions;

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
                partitions: partitions("--partitions", args.partitions)?,
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

/// Partitions as in `all`, `auto`, `0-7,9`.
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
}
