//! Parses and checks the options that select retransmits.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::TcpState;

use super::UsageError;
use super::args::FilterArgs;
use super::args::LiveFilterArgs;
use super::values;
use crate::source::filter::Filters;
use crate::source::filter::IpVersion;
use crate::source::filter::LiveFilters;
use crate::source::filter::OwnerFilter;
use crate::source::filter::cgroup;
use crate::source::filter::cgroup::MAX_CGROUPS;
use crate::source::filter::netns;
use crate::source::filter::netns::NetnsError;
use crate::source::filter::networks;
use crate::source::filter::networks::Networks;
use crate::source::filter::ports::Ports;

/// The most network namespaces that the probe compares with, as in `bpf/filter.h`.
const MAX_NETNS: usize = 64;

/// Longest name of a process in bytes (TASK_COMM_LEN without the NUL).
const MAX_COMM: usize = 15;

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
