//! Measures a burst: 100,000 new sockets, of which each retransmits its SYN once within 2 s, with the host's defaults and
//! json-print into a file. Prints losses, unknown owners, resident memory and CPU time for each event. Needs root.
//!
//! A thread's CPU time has that of interrupts in it: on a busy machine, part of the traffic's own cost.
//!
//! `cargo bench --bench burst` measures this build. `-- --program PATH`, once or several times, measures other builds
//! in turn instead; `-- --bpftrace` measures bpftrace as well, which prints one short line for each event; `--events N`
//! and `--rounds N` set the size of a burst and the number of rounds; options after `--host` are options of the host.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;
use tempfile::TempDir;

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/live/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests, which use the rest"
)]
mod live;

use common::refusal::BINARY;
use live::Root;
use live::burst;
use live::host::Host;
use live::host::WITH_TRACEFS;
use live::lab::Lab;
use live::lab::PORT;
use live::netns::command;
use live::oracle::Nstat;
use live::oracle::WAIT_TIMEOUT;

/// Sockets of a burst.
const EVENTS: u64 = 100_000;
/// How long the host rests before a burst, and before its memory is read after one.
const REST: Duration = Duration::from_secs(5);
/// Processes that hold the sockets. Each connects to a port of its own.
const HOLDERS: u16 = 8;
/// The argument that starts this program as such a process.
const HOLD: &str = "--hold";
/// Interval between two looks at the kernel's counters: each takes CPU time from the host.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What bpftrace prints of an event.
const BPFTRACE: &str = "tracepoint:tcp:tcp_retransmit_skb { \
    printf(\"%llu %s:%d > %s:%d %d\\n\", nsecs, ntop(args->saddr), args->sport, \
    ntop(args->daddr), args->dport, args->state); }";

/// What to measure.
struct Plan {
    events: u64,
    rounds: u64,
    programs: Vec<PathBuf>,
    bpftrace: bool,
    host: Vec<String>,
}

fn main() -> Result<()> {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != HOLD);
    if arguments.next().is_some() {
        return Holder::run(arguments);
    }
    let root = match Root::of_this_process() {
        Ok(root) => root,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return Ok(());
        }
    };
    let plan = Plan::of_arguments()?;
    for _ in 0..plan.rounds {
        for program in &plan.programs {
            measure_host(&root, &plan, program)?;
        }
        if plan.bpftrace {
            measure_bpftrace(&plan)?;
        }
    }
    Ok(())
}

impl Plan {
    fn of_arguments() -> Result<Plan> {
        let mut plan = Plan {
            events: EVENTS,
            rounds: 1,
            programs: Vec::new(),
            bpftrace: false,
            host: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| argument.clone());
            match argument.as_str() {
                "--events" => plan.events = value()?.parse()?,
                "--rounds" => plan.rounds = value()?.parse()?,
                "--program" => plan.programs.push(value()?.into()),
                "--bpftrace" => plan.bpftrace = true,
                "--host" => plan.host.extend(arguments.by_ref()),
                // `--bench` is cargo's, and may come last.
                _ => {}
            }
        }
        plan.host.retain(|argument| argument != "--bench");
        if plan.programs.is_empty() {
            plan.programs.push(BINARY.into());
        }
        Ok(plan)
    }
}

fn measure_host(root: &Root, plan: &Plan, program: &Path) -> Result<()> {
    let lab = Lab::new()?;
    let directory = TempDir::new()?;
    let lines = directory.path().join("lines");
    let arguments: Vec<&str> = plan.host.iter().map(String::as_str).collect();
    let host = Host::start_build_into(root, program, File::create(&lines)?, &arguments)?;
    thread::sleep(REST);
    let before = (host.memory()?, cpu_times(host.pid())?);
    burst_of(&lab, plan.events)?;
    let after = (host.memory()?, cpu_times(host.pid())?);
    let peak = host.most_memory()?;
    let run = host.stop()?;

    let (kernel, owners) = (&run.ledger.kernel, &run.ledger.owners);
    let delivered = run.ledger.host.get("delivered");
    println!(
        "{}: {} SYN retransmits ({} by the kernel's counter, {} calls of the probe) within {:.0?}, printed {}",
        program.display(),
        plan.events,
        Nstat::of(&lab.sender)?.retransmitted_segments()?,
        kernel.get("entered"),
        span(&lines, lab.sender.inode())?,
        BufReader::new(File::open(&lines)?).lines().count(),
    );
    println!(
        "  ring_full={} unknown={} ({:.3} %) scans={}",
        kernel.get("ring_full"),
        owners.get("unknown"),
        100.0 * owners.get("unknown") as f64 / delivered.max(1) as f64,
        owners.get("scans"),
    );
    println!(
        "  resident: {} MB before, {} MB at most, {} MB after",
        megabytes(before.0),
        megabytes(peak),
        megabytes(after.0),
    );
    print_cpu(&before.1, &after.1, host_names, delivered);
    Ok(())
}

/// The main thread has the name of the program, and is the source.
fn host_names(name: &str, is_main: bool) -> String {
    match is_main {
        true => "source".to_owned(),
        false => name.to_owned(),
    }
}

/// Measures bpftrace with one line for each event, in the same burst.
fn measure_bpftrace(plan: &Plan) -> Result<()> {
    let lab = Lab::new()?;
    let directory = TempDir::new()?;
    let lines = directory.path().join("lines");
    let mut bpftrace = KilledOnDrop(
        command("unshare")
            .args(["--mount", "sh", "-c", WITH_TRACEFS, "bpftrace", "-o"])
            .arg(&lines)
            .args(["-e", BPFTRACE])
            // Room for the burst, as the host has: with the default it prints a half, and what it loses costs nothing.
            .env("BPFTRACE_PERF_RB_PAGES", "4096")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("errors"))?)
            .spawn()
            .context("cannot start bpftrace")?,
    );
    thread::sleep(REST);
    let pid = bpftrace.0.id();
    let before = cpu_times(pid)?;
    burst_of(&lab, plan.events)?;
    ensure!(bpftrace.0.try_wait()?.is_none(), "bpftrace has ended");
    let after = cpu_times(pid)?;
    let printed = BufReader::new(File::open(&lines)?).lines().count() as u64;
    println!("bpftrace: {printed} lines of {}", plan.events);
    print_cpu(&before, &after, |_, _| "bpftrace".to_owned(), printed);
    Ok(())
}

/// Makes a burst, and waits until the kernel has counted all of it.
fn burst_of(lab: &Lab, events: u64) -> Result<()> {
    lab.one_syn_retransmit()?;
    let last = PORT + HOLDERS - 1;
    lab.lose(&format!("tcp dport {PORT}-{last}"))?;
    let each = events / u64::from(HOLDERS);
    let ports = PORT..=last;
    let holders = ports.map(|port| Holder::start(lab, port, each));
    let mut holders: Vec<Holder> = holders.collect::<Result<_>>()?;
    for holder in &mut holders {
        holder.begin()?;
    }
    let begin = Instant::now();
    while Nstat::of(&lab.sender)?.retransmitted_segments()? < each * u64::from(HOLDERS) {
        ensure!(begin.elapsed() < WAIT_TIMEOUT, "the burst never ended");
        thread::sleep(POLL_INTERVAL);
    }
    // The sockets stay open until their owners were looked up.
    thread::sleep(REST);
    Ok(())
}

/// A process that connects sockets and holds them: the limit on open files of one process would be too low.
struct Holder {
    child: Child,
    orders: ChildStdin,
}

impl Holder {
    fn start(lab: &Lab, port: u16, sockets: u64) -> Result<Holder> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--bench", HOLD, &port.to_string(), &sockets.to_string()])
            .stdin(Stdio::piped());
        let mut child = lab.sender.enter(|| command.spawn())??;
        let orders = child.stdin.take().context("standard input is a pipe")?;
        Ok(Holder { child, orders })
    }

    fn begin(&mut self) -> Result<()> {
        Ok(self.orders.write_all(b"\n")?)
    }

    /// In the process itself: connects at an order, and ends when standard input is closed.
    fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
        let mut argument = || arguments.next().context("a holder has two arguments");
        let (port, sockets) = (argument()?.parse()?, argument()?.parse()?);
        let mut orders = io::stdin().lines();
        if orders.next().is_none() {
            return Ok(());
        }
        let _sockets = burst::connect_all(port, sockets)?;
        orders.next();
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU times of the threads of a process, in ns, and their names.
type CpuTimes = BTreeMap<u32, (String, bool, u64)>;

fn cpu_times(pid: u32) -> Result<CpuTimes> {
    let mut times = CpuTimes::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let tid: u32 = task
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
            .context("a task is a number")?;
        let name = fs::read_to_string(task.join("comm"))?.trim().to_owned();
        let statistics = fs::read_to_string(task.join("schedstat"))?;
        let time = statistics.split(' ').next().context("it has a time")?;
        times.insert(tid, (name, tid == pid, time.parse()?));
    }
    Ok(times)
}

fn print_cpu(
    before: &CpuTimes,
    after: &CpuTimes,
    name: impl Fn(&str, bool) -> String,
    events: u64,
) {
    let mut threads: BTreeMap<String, u64> = BTreeMap::new();
    for (tid, (comm, is_main, time)) in after {
        let earlier = before.get(tid).map_or(0, |(_, _, time)| *time);
        *threads.entry(name(comm, *is_main)).or_default() += time - earlier;
    }
    let each = |time: u64| time as f64 / events.max(1) as f64 / 1_000.0;
    let parts = threads.iter().filter(|(_, time)| each(**time) >= 0.005);
    let parts: Vec<String> = parts
        .map(|(name, time)| format!("{name} {:.2}", each(*time)))
        .collect();
    println!(
        "  CPU time an event in µs: {:.2} ({})",
        each(threads.values().sum()),
        parts.join(", ")
    );
}

/// The time between the first and the last event of a network namespace in the lines.
fn span(lines: &Path, namespace: u64) -> Result<Duration> {
    let (mut first, mut last) = (u64::MAX, 0);
    for line in BufReader::new(File::open(lines)?).lines() {
        let event: Value = serde_json::from_str(&line?)?;
        if event["netns"]["inode"] == namespace
            && let Some(time) = event["record"]["boot_time_ns"].as_u64()
        {
            first = first.min(time);
            last = last.max(time);
        }
    }
    Ok(Duration::from_nanos(last.saturating_sub(first)))
}

fn megabytes(kib: u64) -> u64 {
    (kib * 1_024).div_ceil(1_000_000)
}

/// A process that ends with its owner.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
