//! Once the probe is attached, no thread of the host has a capability, unless the user is root, and the host does all
//! that it did with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;

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

/// Names of the threads of a process, which must have no capabilities but `kept`.
fn confined_threads(pid: u32, kept: u64) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let status = fs::read_to_string(task.join("status"))?;
        let value = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::trim).with_context(|| format!("no {name}"))
        };
        let name = value("Name:")?.to_owned();
        for set in SETS {
            let capabilities = u64::from_str_radix(value(set)?, 16)?;
            assert_eq!(capabilities & !kept, 0, "{name}: {set}");
        }
        assert_eq!(value("NoNewPrivs:")?, "1", "{name}");
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
        // The user nobody makes files there.
        fs::set_permissions(
            directory.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )?;
        let plugin = file("printer.wasm");
        fs::write(&plugin, PLUGIN)?;
        fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        let (capture, alerts) = (file("a.rtc"), file("alerts.jsonl"));
        let host = Host::start_as_nobody(
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
        let all = u64::MAX;
        confined_threads(host.pid(), all)?;
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}
