//! The live host: how long it takes from exec to attached, and whether a burst of SYN retransmits is
//! lost or costs memory. Needs root, and says so.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

#[path = "../tests/live/mod.rs"]
mod live;

use live::Root;
use live::host::Host;
use live::lab::Lab;
use live::lab::PORT;
use live::lab::RECEIVER_V4;
use live::oracle::Nstat;
use live::oracle::wait_for_counter;
use live::require_root;

/// Starts that are measured, after one that fills the cache of compiled plugins.
const STARTS: usize = 21;
/// What connect says of a socket that does not block.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
/// Connections that are not answered, each with one SYN that is sent again.
const CONNECTIONS: u64 = 9_000;

fn main() -> Result<()> {
    // `cargo test` starts benchmarks too, only to see that they do.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let Some(root) = require_root() else {
        return Ok(());
    };
    start_up(&root)?;
    syn_burst(&root)
}

fn start_up(root: &Root) -> Result<()> {
    Host::start(root, &[])?.stop()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let host = Host::start(root, &[])?;
        times.push(begin.elapsed());
        host.stop()?;
    }
    times.sort_unstable();
    println!(
        "exec to attached, json-print in the cache: median {:.0?}, worst {:.0?} of {STARTS}",
        times[STARTS / 2],
        times[STARTS - 1],
    );
    Ok(())
}

fn syn_burst(root: &Root) -> Result<()> {
    let lab = Lab::new()?;
    lab.sender.sysctl("net.ipv4.tcp_syn_retries", "1")?;
    lab.sender.sysctl("net.ipv4.tcp_syn_linear_timeouts", "0")?;
    lab.lose(&format!("tcp dport {PORT}"))?;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .context("cannot have so many sockets")?;

    let host = Host::start(root, &[])?;
    let before = memory(&host, "VmRSS")?;
    let sockets = lab.sender.enter(|| connect_all(CONNECTIONS))??;
    wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", CONNECTIONS)?;
    let peak = memory(&host, "VmHWM")?;
    let run = host.stop()?;
    drop(sockets);

    let events = run.retransmits_in(&lab.sender)?;
    let counted = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    let span = match (events.first(), events.last()) {
        (Some(first), Some(last)) => {
            let time = |event: &serde_json::Value| event["record"]["boot_time_ns"].as_u64();
            Duration::from_nanos(time(last).unwrap_or(0) - time(first).unwrap_or(0))
        }
        _ => Duration::ZERO,
    };
    println!(
        "burst: {counted} SYN retransmits within {span:.0?} (RetransSegs), {} events printed, {} \
         refused by the ring; resident {before} before, {peak} at most",
        events.len(),
        run.ledger.kernel.get("ring_full"),
    );
    Ok(())
}

fn connect_all(count: u64) -> Result<Vec<Socket>> {
    let peer = SocketAddr::from((RECEIVER_V4, PORT)).into();
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        match socket.connect(&peer) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => Err(error.into()),
            _ => Ok(socket),
        }
    };
    (0..count).map(connect).collect()
}

/// A line of /proc/PID/status, such as "12345 kB".
fn memory(host: &Host, key: &str) -> Result<String> {
    let path = format!("/proc/{}/status", host.pid());
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    Ok(line
        .with_context(|| format!("{path} has no {key}"))?
        .trim()
        .to_owned())
}
