//! The options that select retransmits, and their checks.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::TcpState;

use super::UsageError;
use super::values;
use crate::filter::Filters;
use crate::filter::IpVersion;
use crate::filter::LiveFilters;
use crate::filter::OwnerFilter;
use crate::filter::cgroup;
use crate::filter::cgroup::MAX_CGROUPS;
use crate::filter::netns;
use crate::filter::netns::MAX_NETNS;
use crate::filter::netns::NetnsError;
use crate::filter::networks;
use crate::filter::networks::Networks;
use crate::filter::ports::Ports;

/// Longest name of a process in bytes (TASK_COMM_LEN without the NUL).
const MAX_COMM: usize = 15;

/// The retransmits that the run is about. Those of a live run are selected in the kernel, except by their owner.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only IPv4, which includes IPv4 connections of dual-stack sockets
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Only IPv6
    #[arg(short = '6', long)]
    pub ipv6: bool,

    /// Only connections with one of these ports on either side: 443, 80,443 or 8000-8999. Repeatable
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub port: Vec<String>,

    /// Only connections with one of these local ports
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub local_port: Vec<String>,

    /// Only connections to one of these ports of the peer
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub peer_port: Vec<String>,

    /// Only connections with a local address in one of these networks
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub local: Vec<String>,

    /// Only connections with a peer in one of these networks: 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32.
    /// Repeatable
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub peer: Vec<String>,

    /// Only these kinds: syn, syn_ack, tail_loss_probe, timeout, loss_recovery, fast, unknown
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub kind: Vec<String>,

    /// Only connections in one of these TCP states, such as established,close_wait
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub state: Vec<String>,

    /// Only these network namespaces: a name of `ip netns`, a file such as /proc/PID/ns/net, the number of a
    /// process, or an inode. Repeatable. A replay takes inodes
    #[arg(long, value_name = "NETNS", value_delimiter = ',')]
    pub netns: Vec<String>,

    /// Only sockets of the process with this number. Repeatable
    ///
    /// The owner of a connection that was not accepted yet is the one of its listening socket, and the owner
    /// of a closed socket its last holder. Filters of owners are applied in the host, once the owner is known.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,

    /// Only sockets of processes with this name, as in /proc/PID/comm. Repeatable
    #[arg(long, value_name = "NAME")]
    pub comm: Vec<String>,

    /// Only sockets of this container: its name with systemd-nspawn, else its id or the beginning of it.
    /// Repeatable
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub container: Vec<String>,

    /// Only one connection of N, with all of its retransmits, as in --sample 1/10
    #[arg(long, value_name = "1/N")]
    pub sample: Option<String>,
}

/// Filters that only the probe can apply.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct LiveFilterArgs {
    /// Only sockets of this control group (version 2), or of one below it: a directory, as in system.slice or
    /// /sys/fs/cgroup/system.slice. Repeatable
    #[arg(long, value_name = "PATH")]
    pub cgroup: Vec<String>,

    /// At most this number of events a second, such as 1000/s: the probe counts further ones, and they are
    /// reported as lost
    #[arg(long, value_name = "NUMBER/s")]
    pub max_rate: Option<String>,
}

/// The filters of a live run. `has_owners`: the run looks for owners.
pub fn live(
    args: &FilterArgs,
    live: &LiveFilterArgs,
    has_owners: bool,
) -> Result<LiveFilters, UsageError> {
    let common = filters(args, netns::find)?;
    if !has_owners && !common.owner.is_empty() {
        return Err(UsageError::OwnersUnknown);
    }
    for pid in &common.owner.pids {
        if !Path::new("/proc").join(pid.to_string()).exists() {
            return Err(refused("--pid", pid, "no process has this number"));
        }
    }
    let cgroups = parse_all("--cgroup", &live.cgroup, cgroup::find)?;
    at_most("--cgroup", cgroups.len(), MAX_CGROUPS)?;
    let rate = live.max_rate.as_deref();
    Ok(LiveFilters {
        common,
        cgroups,
        max_rate: rate.map(values::rate).transpose()?,
    })
}

/// The filters of a replay.
pub fn replay(args: &FilterArgs) -> Result<Filters, UsageError> {
    filters(args, netns::parse_inode)
}

/// `netns` finds the inode of a network namespace.
fn filters(
    args: &FilterArgs,
    netns: impl Fn(&str) -> Result<u32, NetnsError>,
) -> Result<Filters, UsageError> {
    let ports = |option, texts: &[String]| parse_all(option, texts, str::parse).map(Ports::new);
    let networks = |option: &'static str, texts: &[String]| {
        let all = parse_all(option, texts, networks::parse)?;
        Networks::new(all).map_err(|error| UsageError::Filters(option, error.to_string()))
    };
    let filters = Filters {
        ip_version: match (args.ipv4, args.ipv6) {
            (true, _) => Some(IpVersion::V4),
            (_, true) => Some(IpVersion::V6),
            _ => None,
        },
        ports: ports("--port", &args.port)?,
        local_ports: ports("--local-port", &args.local_port)?,
        peer_ports: ports("--peer-port", &args.peer_port)?,
        locals: networks("--local", &args.local)?,
        peers: networks("--peer", &args.peer)?,
        kinds: parse_all("--kind", &args.kind, |text| {
            one_of(&text.replace('-', "_").to_lowercase(), Kind::ALL)
        })?,
        states: parse_all("--state", &args.state, |text| {
            one_of(&text.replace('-', "_").to_uppercase(), TcpState::ALL)
        })?,
        netns: parse_all("--netns", &args.netns, netns)?,
        sample: args.sample.as_deref().map(values::sample).transpose()?,
        owner: OwnerFilter {
            pids: args.pid.clone(),
            comms: parse_all("--comm", &args.comm, comm)?,
            containers: args.container.clone(),
        },
    };
    at_most("--netns", filters.netns.len(), MAX_NETNS)?;
    match filters.contradiction() {
        Some(contradiction) => Err(UsageError::NothingMatches(contradiction)),
        None => Ok(filters),
    }
}

/// Parses each of the values of an option.
fn parse_all<T, E: Display>(
    option: &'static str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, UsageError> {
    let parse = |text: &String| parse(text).map_err(|error| refused(option, text, error));
    texts.iter().map(parse).collect()
}

/// The value with this name, of those that the kernel or the host knows.
fn one_of<T>(name: &str, all: &[T]) -> Result<T, String>
where
    T: FromStr + PartialEq + Display,
{
    let value = name.parse().ok();
    value.filter(|value| all.contains(value)).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(T::to_string).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn comm(text: &str) -> Result<Name, String> {
    if text.is_empty() || text.len() > MAX_COMM {
        return Err(format!(
            "expected the name of a process as in /proc/PID/comm, which has at most {MAX_COMM} bytes"
        ));
    }
    text.parse().map_err(|error| format!("{error}"))
}

fn at_most(option: &'static str, number: usize, maximum: usize) -> Result<(), UsageError> {
    match number > maximum {
        true => Err(UsageError::Filters(
            option,
            format!("{number} values, expected at most {maximum}"),
        )),
        false => Ok(()),
    }
}

fn refused(option: &'static str, value: impl Display, reason: impl Display) -> UsageError {
    UsageError::Filter {
        option,
        value: value.to_string(),
        reason: reason.to_string(),
    }
}
