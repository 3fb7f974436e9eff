//! Once the probe is attached, every thread of the host is in the sandbox and has no capability but those that the run
//! needs, and the host does all that it did without.

use std::collections::BTreeSet;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use tempfile::TempDir;

use crate::common::components::large;
use crate::common::refusal::BINARY;
use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::oracle::wait_until;
use crate::support::root::lacks;
use crate::support::root_test;

/// A plugin that the host bundles, as a file.
const PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/json_print.wasm"));

/// The sets of capabilities in /proc/PID/status, without the bounding set.
const SETS: [&str; 4] = ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"];

/// Threads of a host with all that has one, as the kernel cuts their names.
const THREADS: [&str; 10] = [
    "chain",
    "epochs",
    "names",
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

/// CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER.
const FILES: u64 = 1 | 1 << 1 | 1 << 3;

/// User and group of `nobody` in Debian.
const NOBODY: u32 = 65_534;

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

/// Names of the threads of a process, which must have no capabilities but `kept`, and seccomp filters.
fn confined_threads(pid: u32, kept: u64) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (name, status) in threads(pid)? {
        for sets in SETS {
            assert_eq!(set(&status, sets)? & !kept, 0, "{name}: {sets}");
        }
        assert_eq!(value(&status, "NoNewPrivs:")?, "1", "{name}");
        assert_eq!(value(&status, "Seccomp:")?, "2", "{name}");
        names.insert(name);
    }
    Ok(names)
}

/// A directory of the user `nobody`, which no other user may use.
fn private_directory() -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700))?;
    chown(directory.path(), Some(NOBODY), Some(NOBODY))?;
    Ok(directory)
}

/// The helper of a host: its only child process while no plugin is compiled.
fn helper(host: u32) -> Result<u32> {
    let children = children(host)?;
    match children[..] {
        [helper] => Ok(helper),
        _ => bail!("the host has the child processes {children:?}"),
    }
}

#[test]
fn root_after_it_has_attached_no_thread_of_a_user_has_a_capability() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = tempfile::tempdir()?;
        let file = |name: &str| directory.path().join(name).display().to_string();
        // The host, which runs as another user, creates files in it.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777))?;
        let plugin = file("printer.wasm");
        fs::write(&plugin, PLUGIN)?;
        fs::set_permissions(&plugin, Permissions::from_mode(0o644))?;
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
        host.wait_until("all threads to run", || {
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
fn root_that_needs_no_files_has_no_capability_either() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &["--reconcile"])?;
        let kept = if is_since(5, 19)? { 0 } else { BPF };
        confined_threads(host.pid(), kept)?;
        let helper = helper(host.pid())?;
        assert_eq!(
            confined_threads(helper, 0)?.len(),
            1,
            "the helper has one thread"
        );
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;
        assert_eq!(run.retransmits_in(&lab.sender)?.len(), 5);
        run.ledger.assert_complete();
        wait_until("the helper to end", || Ok(!is_running(helper)))
    })
}

#[test]
fn root_keeps_what_files_of_other_users_need_and_plugins_do_not_have_it() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        // As the home directory of a user who called sudo: root reads and writes in it with CAP_DAC_OVERRIDE alone.
        let home = private_directory()?;
        let file = |name: &str| home.path().join(name).display().to_string();
        let (capture, alerts) = (file("a.rtc"), file("alerts.jsonl"));
        let record = format!("--record={capture}");
        let arguments = [
            record.as_str(),
            "--record-rotate=1s",
            &format!("--alerts-file={alerts}"),
        ];
        let host = Host::start(root, &arguments)?;
        let old = if is_since(5, 19)? { 0 } else { BPF };
        let kept = |name: &str| match name {
            "retrans-host" | "reload" | "sink alerts-fil" => FILES,
            _ => 0,
        };
        // A thread drops them first of all, but the host does not wait for that.
        host.wait_until("each thread to have what it needs, and no more", || {
            let mut threads = threads(host.pid())?.into_iter();
            Ok(threads.all(|(name, status)| {
                set(&status, "CapEff:").is_ok_and(|set| set & !old == kept(&name))
            }))
        })?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until("a second capture", || {
            Ok(Path::new(&format!("{capture}.1")).exists())
        })?;
        host.signal(Signal::HUP)?;
        host.wait_until_said("was reopened")?;
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}

#[test]
fn root_goes_on_as_another_user() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = private_directory()?;
        let plugin = directory.path().join("printer.wasm");
        fs::write(&plugin, PLUGIN)?;
        fs::set_permissions(&plugin, Permissions::from_mode(0o644))?;
        let capture = directory.path().join("a.rtc");
        let arguments = [
            "--user=nobody",
            "--reconcile",
            &format!("--plugin={}", plugin.display()),
            &format!("--record={}", capture.display()),
        ];
        let host = Host::start(root, &arguments)?;
        let kept = if is_since(5, 19)? { 0 } else { BPF };
        let users = format!("{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}");
        let helper = helper(host.pid())?;
        for (process, kept) in [(host.pid(), kept), (helper, 0)] {
            confined_threads(process, kept)?;
            for (name, status) in threads(process)? {
                assert_eq!(value(&status, "Uid:")?, users, "{name}");
                assert_eq!(value(&status, "Gid:")?, users, "{name}");
            }
        }
        lab.five_fast_retransmits(RECEIVER_V4)?;
        fs::write(&plugin, [PLUGIN, &[0, 1, 0]].concat())?;
        host.signal(Signal::HUP)?;
        host.wait_until_said("plugin printer was reloaded")?;
        let run = host.stop()?;
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(events.len(), 5);
        for event in &events {
            assert_eq!(event["owner"]["status"], "held", "{event}");
        }
        run.ledger.assert_complete();
        let status = fs::metadata(&capture)?;
        assert_eq!((status.uid(), status.gid()), (NOBODY, NOBODY));
        Ok(())
    })
}

#[test]
fn root_a_link_that_leads_out_of_the_sandbox_is_refused_with_the_reason() -> Result<()> {
    root_test(|root| {
        if !is_since(5, 13)? {
            lacks("before Linux 5.13 there is no Landlock");
            return Ok(());
        }
        let (inside, outside) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let plugin = inside.path().join("printer.wasm");
        fs::write(&plugin, PLUGIN)?;
        let other = outside.path().join("other.wasm");
        fs::write(&other, [PLUGIN, &[0, 1, 0]].concat())?;
        let chosen = format!("--plugin={}", plugin.display());
        let replace = |host: &Host| {
            fs::remove_file(&plugin)?;
            symlink(&other, &plugin)?;
            host.signal(Signal::HUP)
        };
        let host = Host::start(root, &[&chosen])?;
        replace(&host)?;
        host.wait_until_said(
            "the sandbox allows only the directories that the files had at the start",
        )?;
        host.stop()?.ledger.assert_complete();

        fs::remove_file(&plugin)?;
        fs::write(&plugin, PLUGIN)?;
        let host = Host::start(root, &[&chosen, "--no-sandbox"])?;
        assert!(
            host.said()
                .iter()
                .any(|line| line.contains("without the sandbox"))
        );
        for (name, status) in threads(host.pid())? {
            assert_eq!(value(&status, "Seccomp:")?, "0", "{name}");
        }
        replace(&host)?;
        host.wait_until_said("plugin printer was reloaded")?;
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}

/// The child processes of the main thread of a process.
fn children(pid: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    Ok(children.collect::<Result<_, _>>()?)
}

#[test]
fn root_a_compiler_ends_with_its_host_and_the_helper_survives_signals_to_the_service() -> Result<()>
{
    root_test(|_| {
        let directory = tempfile::tempdir()?;
        let plugin = directory.path().join("large.wasm");
        // It takes seconds to compile.
        fs::write(&plugin, large(20_000))?;
        let mut host = Command::new(BINARY)
            .arg("--plugin")
            .arg(&plugin)
            .env("XDG_CACHE_HOME", directory.path())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let (mut helper, mut worker) = (0, 0);
        wait_until("a compiler to run", || {
            helper = children(host.id())?.first().copied().unwrap_or(0);
            worker = match helper {
                0 => 0,
                helper => children(helper)?.first().copied().unwrap_or(0),
            };
            Ok(worker != 0)
        })?;
        for signal in [Signal::HUP, Signal::USR1, Signal::INT, Signal::TERM] {
            send(helper, signal)?;
        }
        // Stopped, it does not end by itself.
        send(worker, Signal::STOP)?;
        let (helper, worker) = (helper, worker);
        assert!(is_running(helper) && is_running(worker));
        host.kill()?;
        host.wait()?;
        wait_until("helper and compiler to end", || {
            Ok(!is_running(helper) && !is_running(worker))
        })
    })
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.context("a process")?, signal)?;
    Ok(())
}

/// Not even a zombie, which has no links in /proc.
fn is_running(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[test]
fn root_the_check_tries_the_sandbox_out() -> Result<()> {
    root_test(|_| {
        let output = Command::new(BINARY).arg("check").output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut lines = text.lines();
        let line = lines.find(|line| line.contains(" sandbox "));
        let line = line.context("no line about the sandbox")?;
        // Linux 6.12 has the version of Landlock that is asked for.
        let expected = match (is_since(5, 13)?, is_since(6, 12)?) {
            (_, true) => "files (Landlock) and system calls (seccomp) are restricted",
            (true, false) => "older than Linux 6.12",
            (false, false) => "has no Landlock",
        };
        assert!(line.contains(expected), "{line}");
        assert_eq!(line.starts_with("yes"), is_since(6, 12)?, "{line}");
        Ok(())
    })
}
