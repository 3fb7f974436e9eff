//! The options of a broker, and of what a host publishes.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::usage_error::UsageError;
use crate::config::BrokerConfig;
use crate::config::Publish;
use crate::sink::FINISH_TIMEOUT;

/// The most partitions of a fleet.
pub(super) const MAX_PARTITIONS: u16 = 1024;

/// How the broker is reached.
#[derive(Debug, Default, Args)]
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

/// What is to be published. `reads_broker`: the options of a broker are about one that is read.
pub(super) fn publish(
    args: &PublishArgs,
    reads_broker: bool,
) -> Result<Option<Publish>, UsageError> {
    let Some(servers) = &args.publish else {
        let is_given = args.publish_name.is_some()
            || args.publish_spool.is_some()
            || is_given(&args.broker) && !reads_broker;
        return match is_given {
            true => Err(UsageError::NoPublish),
            false => Ok(None),
        };
    };
    check_built("--publish")?;
    Ok(Some(Publish {
        broker: broker("--publish", servers, &args.broker)?,
        name: args.publish_name.clone(),
        spool: args.publish_spool.clone(),
        spool_size: args.publish_spool_size.as_u64(),
        partitions: partitions("--publish-partitions", args.publish_partitions)?,
        wait: FINISH_TIMEOUT,
    }))
}

/// Refuses what `option` asks for in a build without the fleet.
#[cfg(feature = "fleet")]
pub(super) fn check_built(_: &'static str) -> Result<(), UsageError> {
    Ok(())
}

/// Refuses what `option` asks for in a build without the fleet.
#[cfg(not(feature = "fleet"))]
pub(super) fn check_built(option: &'static str) -> Result<(), UsageError> {
    Err(UsageError::NoFleet(option))
}

/// Returns whether an option about a broker is given.
pub(super) fn is_given(args: &BrokerArgs) -> bool {
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

/// A number of partitions.
pub(super) fn partitions(option: &'static str, count: u16) -> Result<u16, UsageError> {
    match count {
        1..=MAX_PARTITIONS => Ok(count),
        _ => Err(UsageError::Value {
            option,
            value: count.to_string(),
            expected: "a number from 1 to 1024, such as 32",
        }),
    }
}

/// How the broker with these addresses is reached. `option` is what they were given with.
pub(super) fn broker(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_partitions_has_bounds() {
        assert_eq!(partitions("--partitions", 1024), Ok(1024));
        assert!(partitions("--partitions", 0).is_err());
        assert!(partitions("--partitions", 1025).is_err());
    }
}
