//! `make demo`: two private network namespaces, a link between them that loses every eighth segment, and
//! `retrans-host` watching what the kernel does about it. What it has seen is recorded, replayed, shown as columns, and
//! told in a report at the end.
//!
//! Nothing outside of the namespaces is touched, and they are gone when this program is. The report stays, beside the
//! host's program.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::process::set_parent_process_death_signal;
use serde_json::Value;

use crate::lab::Lab;
use crate::oracle::Nstat;
use crate::oracle::WAIT_TIMEOUT;
use crate::oracle::wait_until;

#[path = "../../tests/live/support/kernel.rs"]
mod kernel;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/live/support/lab.rs"]
mod lab;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/live/support/netns.rs"]
mod netns;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/live/support/oracle.rs"]
mod oracle;

/// The plugins.
const CHAIN: &[&str] = &[
    "--plugin",
    "threshold-alert",
    "--set",
    "threshold=5",
    "--set",
    "window=5s",
    "--plugin",
    "ratio-alert",
    "--set",
    "percent=5",
    "--set",
    "min_segments=100",
    "--plugin",
    "json-print",
    "--set",
    "census=true",
    "--alerts",
    "json",
];
/// Connections of the transfer, over IPv4 and IPv6.
const CONNECTIONS: (usize, usize) = (9, 4);
/// Where the host records, in a directory that goes with the demo.
const CAPTURE: &str = "demo.rtc";
/// Events that are shown as columns.
const COLUMNS: &str = "12";
/// The report, beside the program of the host.
const REPORT: &str = "demo-report.html";

fn main() -> ExitCode {
    match demo() {
        Ok(seen) => {
            let _ = writeln!(io::stdout(), "\n{seen}");
            if seen.is_as_expected() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("no demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<Seen> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "network namespaces and the probe need root; run `make demo` as root or where there is sudo"
    );
    let directory = tempfile::tempdir()?;
    let arguments = [CHAIN, &["--census", "1s", "--record", CAPTURE]].concat();
    eprintln!("$ retrans-host {}", arguments.join(" "));
    // First: its error says why a probe cannot be loaded here.
    let host = Host::start(&arguments, directory.path())?;
    let lab = Lab::new()?;
    eprintln!("Two private network namespaces, one link, every eighth segment lost:");

    let begin = Instant::now();
    let (ipv4, ipv6) = CONNECTIONS;
    lab.lossy_transfer_of(ipv4, ipv6)?;
    let took = begin.elapsed();

    let counted = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    let lines = host.stop()?;
    let replayed = replay(directory.path())?;
    ensure!(
        replayed == lines,
        "replayed, the capture prints other lines"
    );
    show_columns(directory.path())?;
    let report = report(directory.path())?;
    let capture = fs::metadata(directory.path().join(CAPTURE))?.len();
    let lines = lines.iter().map(|line| serde_json::from_str(line));
    let lines = lines
        .collect::<Result<Vec<Value>, _>>()
        .context("retrans-host printed a line that is not JSON")?;
    Ok(Seen {
        report,
        ..Seen::in_lines(&lines, &lab, took, counted, capture)
    })
}

/// What the capture prints once more, without a probe.
fn replay(directory: &Path) -> Result<Vec<String>> {
    let output = Command::new(binary()?)
        .args(["replay", CAPTURE, "--quiet"])
        .args(CHAIN)
        .current_dir(directory)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the replay failed: {said}");
    let printed = String::from_utf8(output.stdout)?;
    Ok(printed.lines().map(str::to_owned).collect())
}

/// Runs the host on the capture once more. What it prints is shown.
fn run(directory: &Path, arguments: &[&str]) -> Result<()> {
    eprintln!("\n$ retrans-host {}", arguments.join(" "));
    let status = Command::new(binary()?)
        .args(arguments)
        .current_dir(directory)
        .status()?;
    ensure!(status.success(), "retrans-host {}: {status}", arguments[0]);
    Ok(())
}

/// Shows the first events as columns.
fn show_columns(directory: &Path) -> Result<()> {
    let columns = ["--quiet", "--plugin", "table-print", "--count", COLUMNS];
    run(directory, &[&["replay", CAPTURE], &columns[..]].concat())
}

/// Writes the report, with the alerts of the chain. Returns its path.
fn report(directory: &Path) -> Result<PathBuf> {
    let path = binary()?.with_file_name(REPORT);
    let to = path.to_str().context("the path of the report is no text")?;
    let plugins = CHAIN.iter().take_while(|word| **word != "json-print");
    // Without the option before that plugin.
    let plugins: Vec<&str> = plugins.copied().collect();
    let plugins = &plugins[..plugins.len() - 1];
    let output = ["--output", to, "--force"];
    run(
        directory,
        &[&["report", CAPTURE], plugins, &output].concat(),
    )?;
    Ok(path)
}

/// What the host reported, and what the kernel itself counted.
struct Seen {
    took: Duration,
    events: usize,
    segments: u64,
    connections: usize,
    /// Segments with data that were sent, and those of them that were sent again, by the census.
    sent: u64,
    again: u64,
    alerts: Vec<String>,
    counted: u64,
    lines: usize,
    /// Bytes of the capture.
    capture: u64,
    /// Path of the report.
    report: PathBuf,
}

impl Seen {
    fn in_lines(lines: &[Value], lab: &Lab, took: Duration, counted: u64, capture: u64) -> Seen {
        // Whatever else is retransmitted on this machine is none of the demo's.
        let events: Vec<&Value> = lines
            .iter()
            .filter(|line| line["type"] == "retransmit")
            .filter(|event| event["netns"]["inode"] == lab.sender.inode())
            .collect();
        let connections: BTreeSet<String> = events
            .iter()
            .map(|event| format!("{}{}", event["source"], event["destination"]))
            .collect();
        let rows = lines
            .iter()
            .filter(|line| line["type"] == "census")
            .filter(|row| row["netns_inode"] == lab.sender.inode());
        let sum = |field: &str| rows.clone().filter_map(|row| row[field].as_u64()).sum();
        let alerts = lines
            .iter()
            .filter(|line| line["type"] == "alert" && line["state"] == "firing")
            .filter_map(|alert| alert["summary"].as_str().map(str::to_owned))
            .collect();
        Seen {
            took,
            events: events.len(),
            segments: events
                .iter()
                .filter(|event| event["retransmit"]["error_number"].as_i64().unwrap_or(0) == 0)
                .filter_map(|event| event["retransmit"]["segments"].as_u64())
                .sum(),
            connections: connections.len(),
            sent: sum("segments"),
            again: sum("retransmitted_segments"),
            alerts,
            counted,
            lines: lines.len(),
            capture,
            report: PathBuf::new(),
        }
    }
}

impl Seen {
    /// Whether the host has seen losses, told of them, and counted as the kernel did. All retransmits are of data.
    fn is_as_expected(&self) -> bool {
        self.events > 0 && !self.alerts.is_empty() && self.again == self.counted
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen {
            took,
            events,
            segments,
            connections,
            sent,
            again,
            alerts,
            counted,
            lines,
            capture,
            report,
        } = self;
        write!(
            f,
            "In {:.1} s, retrans-host saw {events} retransmits of {connections} connections \
             ({segments} segments; the kernel's own count, RetransSegs, is {counted}). Of {sent} segments that \
             these sent, {again} were sent again: {:.1} %. ",
            took.as_secs_f64(),
            100.0 * *again as f64 / *sent as f64
        )?;
        match alerts.as_slice() {
            [] => write!(f, "No alert fired."),
            [alert] => write!(f, "One alert fired: {alert}."),
            alerts => write!(f, "{} alerts fired: {}.", alerts.len(), alerts.join("; ")),
        }?;
        write!(
            f,
            " The recording has {capture} bytes; replayed, it has printed the same {lines} lines. The report is {}.",
            report.display()
        )
    }
}

fn binary() -> Result<PathBuf> {
    let demo = env::current_exe()?;
    let directory = demo.parent();
    let directory = directory.context("the demo runs from cargo's target directory")?;
    Ok(directory.join("retrans-host"))
}

/// The host, whose lines are shown as they come.
struct Host {
    child: KilledOnDrop,
    stdout: JoinHandle<Vec<String>>,
    stderr: JoinHandle<Vec<String>>,
}

impl Host {
    /// Starts the host and waits until it is attached.
    fn start(arguments: &[&str], directory: &Path) -> Result<Host> {
        let binary = binary()?;
        let mut command = Command::new(&binary);
        command
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
        unsafe {
            // Whatever becomes of the demo: no host is left behind.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}; cargo build --release", binary.display()))?;
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        let (said, is_attached) = mpsc::channel();
        let host = Host {
            child: KilledOnDrop(child),
            stdout: show_and_collect(stdout, io::stdout(), |_| ()),
            stderr: show_and_collect(stderr, io::stderr(), move |line| {
                if line.contains("watching TCP retransmits") {
                    let _ = said.send(());
                }
            }),
        };
        match is_attached.recv_timeout(WAIT_TIMEOUT) {
            Ok(()) => Ok(host),
            // The sending side is gone when the host is.
            Err(RecvTimeoutError::Disconnected) => {
                bail!("retrans-host could not attach its probe, for the reason above")
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("retrans-host has not attached its probe after {WAIT_TIMEOUT:?}")
            }
        }
    }

    /// Ends the host; the lines of its standard output. By SIGTERM: a shell starts what it runs in the background with
    /// SIGINT ignored, and the host heeds that.
    fn stop(mut self) -> Result<Vec<String>> {
        let KilledOnDrop(child) = &mut self.child;
        kill_process(Pid::from_child(child), Signal::TERM)?;
        wait_until("retrans-host to end", || Ok(child.try_wait()?.is_some()))?;
        // Both, so that the demo has the last word.
        let [lines, _] = [self.stdout, self.stderr].map(|reader| reader.join().unwrap_or_default());
        Ok(lines)
    }
}

struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let KilledOnDrop(child) = self;
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Shows each line of `pipe`, and tells `then` of it; all of them in the end.
fn show_and_collect(
    pipe: impl io::Read + Send + 'static,
    mut to: impl io::Write + Send + 'static,
    then: impl Fn(&str) + Send + 'static,
) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let lines = BufReader::new(pipe).lines().map_while(io::Result::ok);
        lines
            .inspect(|line| {
                // In one write, since both streams share a terminal. If the terminal has gone, the
                // demo goes on.
                let _ = to.write_all(format!("{line}\n").as_bytes());
                then(line);
            })
            .collect()
    })
}
