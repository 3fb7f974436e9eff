//! A long run of the host: events at full speed, one fault and two reloads per second, and a check of its memory.
//!
//! `make soak`, or `cargo bench --bench soak -- --seconds 600`. It fails if an event is lost or counted twice, if a
//! fault or a reload is missing in the ledger, or if memory grows.

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
use retrans_host::stream::moment::Mark;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

#[path = "../tests/common/mod.rs"]
mod common;

use common::versions::Versions;

/// The socket mark (`SO_MARK`) of the events on which the plugin panics.
const POISON: u32 = 0xdead;

/// The most bytes by which memory may grow from the second quarter of the run to the last.
const MAX_GROWTH: u64 = 4 << 20;

/// Number of generated events, which are sent repeatedly with later times.
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
    let reader = thread::spawn({
        let reloaded = reloaded.clone();
        move || read_stderr(stderr, &reloaded)
    });
    let stdin = child.stdin.take().context("it is piped")?;
    let writer = thread::spawn(move || write_events(stdin, time));

    let begun = Instant::now();
    let mut memory = Vec::new();
    let mut wanted = 0;
    while !writer.is_finished() {
        thread::sleep(SECOND);
        // The host exits once it has processed the last events.
        let Some(bytes) = resident(pid) else { continue };
        memory.push(bytes);
        // Two plugins use the file, so a change of it causes two reloads.
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
    let sent = writer
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that writes events panicked"))??;
    let output = child
        .wait_with_output()
        .context("cannot wait for the host")?;
    let stderr = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that reads standard error panicked"))?;
    ensure!(output.status.success(), "the host failed: {stderr:#?}");
    sent.check(&stderr, wanted / 2)?;
    // Only the two instances of the witness plugin print, one line each at the end.
    let stdout = String::from_utf8(output.stdout)?;
    let seen = format!("seen {}, gaps ", sent.events);
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
        sent.events,
        begun.elapsed().as_secs_f64(),
        sent.events as f64 / begun.elapsed().as_secs_f64(),
        sent.faults,
        growth.0 as f64 / f64::from(1 << 20),
        growth.1 as f64 / f64::from(1 << 20),
    );
    ensure!(
        growth.1 <= growth.0 + MAX_GROWTH,
        "memory grows: {memory:?}"
    );
    Ok(())
}

/// Counts of the events that were sent to the host.
struct Sent {
    events: u64,
    /// Events on which the plugin panics.
    faults: u64,
}

impl Sent {
    /// Checks that the ledger accounts for each event, fault and reload.
    fn check(&self, stderr: &[String], reloads: u64) -> Result<()> {
        let Sent { events, faults } = self;
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
            ensure!(stderr.contains(&line), "missing: {line}: {stderr:#?}");
        }
        for (plugin, restarts) in [("witness", 9 * faults), ("after", 0)] {
            let prefix = format!("ledger: faults {plugin} ");
            let suffix = format!(" restarts={restarts} reloads={reloads}");
            let found = stderr
                .iter()
                .any(|line| line.starts_with(prefix.trim_end()) && line.ends_with(&suffix));
            ensure!(found, "missing: {prefix}…{suffix}: {stderr:#?}");
        }
        ensure!(
            !stderr.iter().any(|line| line.contains("quarantine")),
            "{stderr:#?}"
        );
        Ok(())
    }
}

/// Reads standard error and counts the reloads. Returns only the lines for [`Sent::check`],
/// because each fault and each reload writes further lines.
fn read_stderr(stderr: ChildStderr, reloaded: &AtomicU64) -> Vec<String> {
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

/// Writes events for this time, as fast as the host reads them. One per second has the mark [`POISON`].
fn write_events(stdin: ChildStdin, time: Duration) -> Result<Sent> {
    let head = Head::new(None, "2026-01-01T00:00:00.000Z".to_owned());
    let mut writer = Writer::new(BufWriter::new(stdin), &head)?;
    let mut records: Vec<Record> = Synth::new(1).take(EVENTS).collect();
    for record in &mut records {
        record.set_mark(None);
    }
    let span = records[EVENTS - 1].time() - records[0].time();
    let first = (records[0].time(), records[0].wall_time());
    let mut sent = Sent {
        events: 0,
        faults: 0,
    };
    let begun = Instant::now();
    let mut shift = Duration::ZERO;
    let mut marked = 0;
    while begun.elapsed() < time {
        for records in records.chunks(256) {
            // The event is in the middle of a batch of 256: nine calls fail until it is found.
            let poison = begun.elapsed() >= SECOND * (sent.faults as u32 + 1);
            let mut batch = Batch::new();
            for (number, record) in records.iter().enumerate() {
                let mut record = record.clone();
                let time = record.time() + shift;
                record.set_time(time);
                record.set_sequence(sent.events);
                if poison && number == 100 {
                    record.set_mark(Some(POISON));
                    sent.faults += 1;
                }
                sent.events += 1;
                batch.push(record.as_bytes());
            }
            writer.item(&Item::Events(batch))?;
        }
        shift += span;
        // A mark for each second of the stream.
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
    Ok(sent)
}

/// Resident anonymous memory of a process, in bytes; `None` if it has ended.
fn resident(pid: u32) -> Option<u64> {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// The medians of the second quarter and of the last quarter, in bytes.
fn growth(memory: &[u64]) -> (u64, u64) {
    let quarter = (memory.len() / 4).max(1);
    let median = |from: usize| {
        let mut part: Vec<u64> = memory.iter().skip(from).take(quarter).copied().collect();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default()
    };
    (median(quarter), median(memory.len() - quarter))
}
