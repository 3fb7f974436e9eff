//! Once the probe is attached, no thread of the host has a capability, unless the user is root, and the host does all
//! that it did with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;
use rustix::thread::capabilities;

use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::oracle::wait_until;
use crate::support::root_test;

/// A plugin that the host bundles, as a file.
const PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/json_print.wasm"));

/// The sets of capabilities in /proc/PID/status, without the bounding set.
const SETS: [&str; 4] = ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"];

/// Threads of a host with all that has one, as the kernel cuts their names.
const THREADS: [&str; 9] = [
    "chain",
    "epochs",
    "owners",
    "reload",
    "retrans-host",
    "sighup",
    "signals",
    "sink alerts-fil",
    "statistics",
];

/// CAP_BPF, which older kernels need for reading maps.
const BPF: u64 = 1 << 39;

/// Name and status of each thread of a process.
fn threads(pid: u32) -> Result<Vec<(String, String)>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
    let status = |task: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(task?.path().join("status"))?;
        Ok((value(&status, "Name:")?.to_owned(), status))
    };
    tasks.map(status).collect()
}

/// The value of a line of a status.
fn value<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(name));
    found.map(str::trim).with_context(|| format!("no {name}"))
}

/// A set of capabilities in a status.
fn set(status: &str, name: &str) -> Result<u64> {
    Ok(u64::from_str_radix(value(status, name)?, 16)?)
}

/// Names of the threads of a process, which must have no capabilities but `kept`.
fn confined_threads(pid: u32, kept: u64) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (name, status) in threads(pid)? {
        for sets in SETS {
            assert_eq!(set(&status, sets)? & !kept, 0, "{name}: {sets}");
        }
        assert_eq!(value(&status, "NoNewPrivs:")?, "1", "{name}");
        names.insert(name);
    }
    Ok(names)
}

#[test]
fn root_after_it_has_attached_no_thread_of_a_user_has_a_capability() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = tempfile::tempdir()?;
        let file = |name: &str| directory.path().join(name).display().to_string();
        // The host, which runs as another user, creates files in it.
        fs::set_permissions(
            directory.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )?;
        let plugin = file("printer.wasm");
        fs::write(&plugin, PLUGIN)?;
        fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        let (capture, alerts) = (file("a.rtc"), file("alerts.jsonl"));
        let host = Host::start_as_other_user(
            root,
            &[
                "--watch",
                "--reconcile",
                &format!("--plugin={plugin}"),
                &format!("--record={capture}"),
                &format!("--alerts-file={alerts}"),
                "--duration=10m",
                "--stats-every=10m",
            ],
        )?;
        let kept = if is_since(5, 19)? { 0 } else { BPF };
        // The last one begins when the host has said that it is attached.
        wait_until("all threads to run", || {
            let threads = confined_threads(host.pid(), kept)?;
            Ok(THREADS.iter().all(|name| threads.contains(*name)))
        })?;

        lab.five_fast_retransmits(RECEIVER_V4)?;
        // Reading counters, maps and owners, compiling a new version, and opening files again need none.
        // The same with an empty custom section.
        fs::write(&plugin, [PLUGIN, &[0, 1, 0]].concat())?;
        host.signal(Signal::HUP)?;
        host.wait_until_said("plugin printer was reloaded")?;
        confined_threads(host.pid(), kept)?;
        let run = host.stop()?;
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(events.len(), 5);
        for event in &events {
            assert_eq!(event["owner"]["status"], "held", "{event}");
        }
        run.ledger.assert_complete();
        assert!(Path::new(&capture).exists());
        Ok(())
    })
}

#[test]
fn root_keeps_its_capabilities_and_gains_none_by_a_program() -> Result<()> {
    root_test(|root| {
        let host = Host::start(root, &[])?;
        let own = capabilities(None)?.effective.bits();
        assert_ne!(own, 0);
        for (name, status) in threads(host.pid())? {
            assert_eq!(set(&status, "CapEff:")?, own, "{name}");
            assert_eq!(value(&status, "NoNewPrivs:")?, "1", "{name}");
        }
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}
