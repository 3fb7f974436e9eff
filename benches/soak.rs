//! Whether the host stays as it is however long it runs: events at full speed, a fault and two
//! reloads a second, and its memory looked at all the while.
//!
//! `make soak`, or `cargo bench --bench soak -- --seconds 600`. Fails if an event is lost or counted
//! twice, if a fault or a reload goes missing, or if memory grows.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::BufWriter;
use std::path::Path;
use std::process::ChildStderr;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::capture::Head;
use retrans_host::capture::Writer;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::batch::Mark;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

#[path = "../tests/common/mod.rs"]
mod common;

use common::versions::Versions;

/// On an event with this mark the plugin fails.
const POISON: u32 = 0xdead;

/// How much memory may grow from the second quarter of the run to the last.
const MAX_GROWTH: u64 = 4 << 20;

/// Events made up once, and sent over and over with later times.
const EVENTS: usize = 256 * 64;

const SECOND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds");
    let Some(seconds) = arguments.nth(1).and_then(|seconds| seconds.parse().ok()) else {
        eprintln!("soak: runs with --seconds NUMBER only, as `make soak` does");
        return ExitCode::SUCCESS;
    };
    match soak(Duration::from_secs(seconds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn soak(time: Duration) -> Result<()> {
    let versions = Versions::begin();
    let mut child = Command::new(env!("CARGO_BIN_EXE_retrans-host"))
        .current_dir(versions.directory())
        .env("XDG_CACHE_HOME", versions.directory())
        .args(["replay", "-", "--plugin", "./witness.wasm"])
        .args([
            "--set",
            &format!("panic_on_mark={POISON}"),
            "--set",
            "ballast=10000",
        ])
        .args(["--plugin", "threshold-alert", "--set", "threshold=500000"])
        .args(["--plugin", "after=./witness.wasm"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run the host")?;
    let pid = child.id();
    let stderr = child.stderr.take().context("it is piped")?;
    let reloaded = Arc::new(AtomicU64::new(0));
    let told = thread::spawn({
        let reloaded = reloaded.clone();
        move || listen(stderr, &reloaded)
    });
    let stdin = child.stdin.take().context("it is piped")?;
    let feeding = thread::spawn(move || feed(stdin, time));

    let begun = Instant::now();
    let mut memory = Vec::new();
    let mut wanted = 0;
    while !feeding.is_finished() {
        thread::sleep(SECOND);
        // The host ends when it has worked off the last events.
        let Some(bytes) = resident(pid) else { continue };
        memory.push(bytes);
        // Both plugins have the file: a reload is one of each.
        if reloaded.load(Ordering::Relaxed) == wanted && begun.elapsed() + 2 * SECOND < time {
            versions.put(if wanted % 4 == 0 { '2' } else { '1' });
            wanted += 2;
            let pid = Pid::from_raw(pid as i32).context("a pid")?;
            kill_process(pid, Signal::HUP).context("cannot send SIGHUP")?;
        }
        let seconds = memory.len() as u64;
        if seconds.is_multiple_of((time.as_secs() / 20).max(1)) {
            let mib = memory.last().copied().unwrap_or_default() as f64 / f64::from(1 << 20);
            eprintln!("soak: {seconds:>5} s  {mib:>6.1} MiB resident  {wanted:>5} reloads");
        }
    }
    let fed = feeding
        .join()
        .map_err(|_| anyhow::anyhow!("it panicked"))??;
    let output = child.wait_with_output().context("the host was lost")?;
    let stderr = told.join().map_err(|_| anyhow::anyhow!("it panicked"))?;
    ensure!(output.status.success(), "the host failed: {stderr:#?}");
    fed.check(&stderr, wanted / 2)?;
    // What both witnesses say at the end is all that there is to print.
    let stdout = String::from_utf8(output.stdout)?;
    let seen = format!("seen {}, gaps ", fed.events);
    ensure!(stdout.lines().count() == 2, "{stdout}");
    ensure!(
        stdout
            .lines()
            .last()
            .is_some_and(|line| line.contains(&seen)),
        "{stdout}"
    );
    let growth = growth(&memory);
    println!(
        "soak: {} events in {:.0} s ({:.0} a second), {} faults, {wanted} reloads; memory {:.1} MiB in the \
         second quarter, {:.1} MiB in the last",
        fed.events,
        begun.elapsed().as_secs_f64(),
        fed.events as f64 / begun.elapsed().as_secs_f64(),
        fed.faults,
        growth.0 as f64 / f64::from(1 << 20),
        growth.1 as f64 / f64::from(1 << 20),
    );
    ensure!(
        growth.1 <= growth.0 + MAX_GROWTH,
        "memory grows: {memory:?}"
    );
    Ok(())
}

/// What the host was given.
struct Fed {
    events: u64,
    faults: u64,
}

impl Fed {
    /// Is each event accounted for, and each fault and reload?
    fn check(&self, stderr: &[String], reloads: u64) -> Result<()> {
        let Fed { events, faults } = self;
        let kept = events - faults;
        for line in [
            format!(
                "ledger: plugin witness in={events} kept={kept} dropped=0 passed_unseen={faults} lost=0"
            ),
            format!(
                "ledger: plugin after in={events} kept={events} dropped=0 passed_unseen=0 lost=0"
            ),
            format!("ledger: counter witness seen={kept}"),
            format!("ledger: counter after seen={events}"),
        ] {
            ensure!(stderr.contains(&line), "not {line}: {stderr:#?}");
        }
        for (plugin, restarts) in [("witness", 9 * faults), ("after", 0)] {
            let prefix = format!("ledger: faults {plugin} ");
            let suffix = format!(" restarts={restarts} reloads={reloads}");
            let found = stderr
                .iter()
                .any(|line| line.starts_with(prefix.trim_end()) && line.ends_with(&suffix));
            ensure!(found, "not {prefix}…{suffix}: {stderr:#?}");
        }
        ensure!(
            !stderr.iter().any(|line| line.contains("quarantine")),
            "{stderr:#?}"
        );
        Ok(())
    }
}

/// Keeps what is not said once a fault or a reload.
fn listen(stderr: ChildStderr, reloaded: &AtomicU64) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line.contains(" was reloaded: ") {
            reloaded.fetch_add(1, Ordering::Relaxed);
        }
        if line.starts_with("ledger: ") || line.contains("quarantine") || line.contains("WARN") {
            kept.push(line);
        }
    }
    kept
}

/// Writes events for so long, as fast as they are taken. One a second is poison.
fn feed(stdin: ChildStdin, time: Duration) -> Result<Fed> {
    let head = Head::new(None, "2026-01-01T00:00:00.000Z".to_owned());
    let mut writer = Writer::new(BufWriter::new(stdin), &head)?;
    let mut records: Vec<Record> = Synth::new(1).take(EVENTS).collect();
    for record in &mut records {
        record.set_mark(None);
    }
    let span = records[EVENTS - 1].time() - records[0].time();
    let first = (records[0].time(), records[0].wall_time());
    let mut fed = Fed {
        events: 0,
        faults: 0,
    };
    let begun = Instant::now();
    let mut shift = Duration::ZERO;
    let mut marked = 0;
    while begun.elapsed() < time {
        for records in records.chunks(256) {
            // The middle of a batch of 256: nine calls until it is found.
            let poison = begun.elapsed() >= SECOND * (fed.faults as u32 + 1);
            let mut batch = Batch::new();
            for (number, record) in records.iter().enumerate() {
                let mut record = record.clone();
                let time = record.time() + shift;
                record.set_time(time);
                record.set_sequence(fed.events);
                if poison && number == 100 {
                    record.set_mark(Some(POISON));
                    fed.faults += 1;
                }
                fed.events += 1;
                batch.push(record.as_bytes());
            }
            writer.item(&Item::Events(batch))?;
        }
        shift += span;
        // The stream's seconds.
        while Duration::from_secs(marked) < shift {
            marked += 1;
            writer.item(&Item::Mark(Mark {
                time: first.0 + shift,
                wall_time: first.1 + shift,
                lost: 0,
            }))?;
        }
    }
    writer.item(&Item::End(Mark {
        time: first.0 + shift,
        wall_time: first.1 + shift,
        lost: 0,
    }))?;
    writer.finish()?;
    Ok(fed)
}

/// Bytes of memory that are the process's own, while it runs.
fn resident(pid: u32) -> Option<u64> {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Medians of the second quarter and of the last.
fn growth(memory: &[u64]) -> (u64, u64) {
    let quarter = (memory.len() / 4).max(1);
    let median = |from: usize| {
        let mut part: Vec<u64> = memory.iter().skip(from).take(quarter).copied().collect();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default()
    };
    (median(quarter), median(memory.len() - quarter))
}
