//! Measures the report of large captures: time, and the most memory that the process has had, of a page and of a summary.
//!
//! ```text
//! cargo bench --bench report             1 million events, on 1,000 and on 1 million connections
//! EVENTS=10M cargo bench --bench report
//! ```

use std::env;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

/// Interval at which the memory of the process is read.
const POLL: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    let events = env::var("EVENTS").unwrap_or_else(|_| "1M".to_owned());
    let directory = tempfile::tempdir()?;
    for connections in ["1000", "1M"] {
        let file = directory.path().join(format!("{connections}.rtc"));
        let mut generate = host(&[
            "generate",
            "--events",
            &events,
            "--connections",
            connections,
        ]);
        generate.arg(&file);
        let (time, _) = measure(&mut generate)?;
        println!("{events} events, {connections} connections: generated in {time:.1?}");
        for (name, arguments) in [
            ("report", &["report", "-o", "-"][..]),
            ("inspect", &["inspect", "--by", "peer,kind"]),
        ] {
            let mut command = host(arguments);
            let (time, memory) = measure(command.arg(&file).stdout(Stdio::null()))?;
            println!(
                "    {name:<8} {time:>8.2?}   {:>4} MiB at most",
                memory >> 10
            );
        }
        fs::remove_file(&file)?;
    }
    Ok(())
}

/// The host with these arguments.
fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retrans-host"));
    command.arg("--quiet").args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command: how long it took, and the maximum of its resident memory in KiB.
fn measure(command: &mut Command) -> Result<(Duration, u64)> {
    let begun = Instant::now();
    let mut child = command.spawn().context("cannot start the host")?;
    let mut memory = 0;
    let status = loop {
        memory = memory.max(most_memory(&child).unwrap_or(0));
        match child.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(POLL),
        }
    };
    ensure!(status.success(), "{command:?}: {status}");
    Ok((begun.elapsed(), memory))
}

/// The maximum of the resident memory in KiB; `None` once the process has ended.
fn most_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(
        Path::new("/proc")
            .join(child.id().to_string())
            .join("status"),
    );
    let status = status.ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
