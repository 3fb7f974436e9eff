//! Measures the live host: the time from exec to the attached probe, losses and memory during a burst of SYN
//! retransmits, the age of events when the first plugin gets them, the CPU time without events, and the size of a capture
//! of a real transfer. Without root it prints that it was skipped.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/live/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests, which use the rest"
)]
mod live;

use live::Root;
use live::burst;
use live::host::Host;
use live::lab::Flow;
use live::lab::HAS_PAYLOAD;
use live::lab::Lab;
use live::lab::PORT;
use live::lab::RECEIVER_V4;
use live::lab::SEGMENT;
use live::oracle::Nstat;

/// Number of measured starts. An earlier one fills the cache of compiled plugins.
const STARTS: usize = 21;
/// Number of connections that are not answered. Each retransmits one SYN.
const CONNECTIONS: u64 = 9_000;
/// Connections that send a segment every [`SEND_INTERVAL`], of which every fifth is lost: 1,000 retransmits a second.
const SENDERS: usize = 90;
const SEND_INTERVAL: Duration = Duration::from_millis(10);
const SEND_TIME: Duration = Duration::from_secs(10);
/// How long a host without events is watched.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Duration of the lossy transfer.
const TRANSFER_TIME: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let root = match Root::of_this_process() {
        Ok(root) => root,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return Ok(());
        }
    };
    start_up(&root)?;
    syn_burst(&root)?;
    for owners in [&[][..], &["--no-owners"]] {
        latency(&root, owners)?;
    }
    idle(&root)?;
    capture_size(&root)
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
    let host = Host::start(root, &[])?;
    let before = memory(&host, "VmRSS")?;
    burst::syn_burst(&lab, CONNECTIONS)?;
    let peak = memory(&host, "VmHWM")?;
    let run = host.stop()?;

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
         lost because the ring was full; resident {before} before, {peak} at most",
        events.len(),
        run.ledger.kernel.get("ring_full"),
    );
    Ok(())
}

/// Measures how old events are when the first plugin gets them, at some 1,000 events a second.
fn latency(root: &Root, arguments: &[&str]) -> Result<()> {
    let lab = Lab::new()?;
    let flows: Vec<Flow> = (0..SENDERS)
        .map(|_| lab.connect(RECEIVER_V4))
        .collect::<Result<_>>()?;
    for flow in &flows {
        flow.client.set_nonblocking(true)?;
        flow.server.set_nonblocking(true)?;
    }
    let netns = lab.sender.inode().to_string();
    let host = Host::start(root, &[&["--netns", &netns], arguments].concat())?;
    lab.lose(&format!(
        "tcp dport {PORT} {HAS_PAYLOAD} numgen random mod 100 < 20"
    ))?;
    let begin = Instant::now();
    while begin.elapsed() < SEND_TIME {
        let next = Instant::now() + SEND_INTERVAL;
        for flow in &flows {
            // A full buffer takes nothing: the connection is in recovery.
            let _ = (&flow.client).write(&[0x5a; SEGMENT]);
            let _ = (&flow.server).read(&mut [0; 65_536]);
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let run = host.stop()?;
    let [at_once, waited] = run.ledger.latency.each_ref().map(|stage| stage.show());
    println!("kernel to plugin {arguments:?}: {at_once}; after waiting for the owner: {waited}");
    Ok(())
}

/// Measures the CPU time of a host without events.
fn idle(root: &Root) -> Result<()> {
    let lab = Lab::new()?;
    let host = Host::start(root, &["--netns", &lab.sender.inode().to_string()])?;
    thread::sleep(Duration::from_secs(2));
    let cpu = || -> Result<u64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", host.pid()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = times.split(' ').next().context("schedstat has a time")?;
            sum += first.parse::<u64>()?;
        }
        Ok(sum)
    };
    let before = cpu()?;
    thread::sleep(IDLE_TIME);
    let used = Duration::from_nanos(cpu()? - before);
    println!(
        "idle: {used:.1?} of CPU time in {IDLE_TIME:?}, {:.3} % of a core",
        100.0 * used.as_secs_f64() / IDLE_TIME.as_secs_f64()
    );
    host.stop()?;
    Ok(())
}

/// Measures the size of a capture of eight connections that send as fast as they can, with 2 % loss.
fn capture_size(root: &Root) -> Result<()> {
    let lab = Lab::new()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lossy.rtc");
    let path = file.to_str().context("the path is text")?;
    let flows: Vec<Flow> = (0..8)
        .map(|_| lab.connect(RECEIVER_V4))
        .collect::<Result<_>>()?;
    lab.lose("meta l4proto tcp numgen random mod 100 < 2")?;
    let host = Host::start(root, &["--record", path])?;
    let end = Instant::now() + TRANSFER_TIME;
    thread::scope(|scope| {
        for flow in &flows {
            scope.spawn(|| {
                let mut client = &flow.client;
                while Instant::now() < end && client.write_all(&[0x5a; 16_384]).is_ok() {}
                // Unsent data is discarded.
                let _ = client.shutdown(Shutdown::Both);
            });
            scope.spawn(|| {
                let mut server = &flow.server;
                while Instant::now() < end && server.read(&mut [0; 65_536]).is_ok_and(|n| n > 0) {}
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    let run = host.stop()?;
    let events = run.ledger.host.get("delivered");
    let bytes = fs::metadata(&file)?.len();
    println!(
        "capture of a lossy transfer: {events} events in {bytes} bytes, {:.1} bytes an event",
        bytes as f64 / events.max(1) as f64
    );
    Ok(())
}

/// The value of a line of /proc/PID/status, such as "12345 kB".
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
