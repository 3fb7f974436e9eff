//! The host as a service: what the service manager is told, and under the restrictions of the unit.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::chown;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::Signal;

use crate::common::pipes::pipe;
use crate::common::pipes::wait_until_stuck;
use crate::common::refusal::BINARY;
use crate::support::burst::RING;
use crate::support::burst::syn_burst;
use crate::support::captures::Directory;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns::command;
use crate::support::oracle::wait_until;
use crate::support::root_test;
use crate::support::unit;

/// The time of the watchdog in these tests.
const WATCHDOG: Duration = Duration::from_secs(4);

/// A service manager: the socket to which the host sends.
struct Manager {
    socket: UnixDatagram,
    address: String,
    said: Vec<String>,
}

impl Manager {
    fn at_path(directory: &Path) -> Result<Manager> {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        chown(&path, Some(unit::USER), None)?;
        Manager::of(socket, path.display().to_string())
    }

    /// The sandbox refuses abstract sockets that are not connected before.
    fn abstract_for(name: &str) -> Result<Manager> {
        let name = format!("retrans-host-test-{}-{name}", process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Manager::of(socket, format!("@{name}"))
    }

    fn of(socket: UnixDatagram, address: String) -> Result<Manager> {
        socket.set_nonblocking(true)?;
        Ok(Manager {
            socket,
            address,
            said: Vec::new(),
        })
    }

    /// The variables that it sets for a service.
    fn variables(&self) -> [(&'static str, OsString); 2] {
        let time = WATCHDOG.as_micros().to_string();
        [
            ("NOTIFY_SOCKET", self.address.clone().into()),
            ("WATCHDOG_USEC", time.into()),
        ]
    }

    /// Receives what was sent. Linux queues ten messages and the host drops further ones.
    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => self
                    .said
                    .push(str::from_utf8(&buffer[..length])?.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for a message that begins so, and returns it with those before it.
    fn wait_for(&mut self, begin: &str) -> Result<Vec<String>> {
        let mut end = 0;
        let waited = wait_until(format_args!("{begin:?}"), || {
            self.receive()?;
            let found = self.said.iter().position(|said| said.starts_with(begin));
            end = found.map_or(0, |found| found + 1);
            Ok(end > 0)
        });
        waited.with_context(|| format!("{:?}", self.said))?;
        Ok(self.said.drain(..end).collect())
    }
}

#[test]
fn root_the_service_manager_is_told_from_the_start_to_the_end() -> Result<()> {
    root_test(|root| {
        let directory = Directory::new()?;
        let managers = [
            Manager::at_path(directory.path())?,
            Manager::abstract_for("told")?,
        ];
        for mut manager in managers {
            let mut command = command(BINARY);
            command.envs(manager.variables());
            let host = Host::start_command(root, command)?;
            let begun = manager.wait_for("READY=1")?;
            assert_eq!(begun[0], "STATUS=preparing plugins");
            let [.., ready] = &begun[..] else {
                bail!("nothing was said");
            };
            let status = "READY=1\nSTATUS=watching TCP retransmits (btf, ring ";
            assert!(ready.starts_with(status), "{ready}");
            for _ in 0..3 {
                manager.wait_for("WATCHDOG=1")?;
            }
            // Counted since, and told in time.
            let status = manager.wait_for("STATUS=watching TCP retransmits: ")?;
            assert!(
                status.iter().any(|said| said.ends_with(" 0 lost")),
                "{status:?}"
            );
            for helper in children(host.pid())? {
                let variables = fs::read(format!("/proc/{helper}/environ"))?;
                assert_eq!(String::from_utf8_lossy(&variables), "", "{helper}");
            }
            host.signal(Signal::HUP)?;
            let reloading = manager.wait_for("RELOADING=1\nMONOTONIC_USEC=")?;
            assert!(
                !reloading.iter().any(|said| said == "READY=1"),
                "{reloading:?}"
            );
            manager.wait_for("READY=1")?;
            manager.wait_for("WATCHDOG=1")?;
            let run = host.stop_with(Signal::TERM)?;
            assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
            manager.wait_for("STOPPING=1\nSTATUS=ending")?;
            let failed = run
                .stderr
                .iter()
                .find(|line| line.contains("service manager"));
            assert_eq!(failed, None);
        }
        Ok(())
    })
}

/// The child processes of the main thread of a process.
fn children(pid: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    let children: Vec<u32> = children.collect::<Result<_, _>>()?;
    ensure!(!children.is_empty(), "the host has no helper");
    Ok(children)
}

#[test]
fn root_a_watchdog_of_another_process_is_not_fed() -> Result<()> {
    root_test(|root| {
        for (pid, is_own) in [("1", false), ("$$", true)] {
            let mut manager = Manager::abstract_for("pid")?;
            let mut command = command("sh");
            // The shell becomes the host.
            let script = format!("WATCHDOG_PID={pid} exec \"$0\"");
            command.args(["-c", &script, BINARY]);
            command.envs(manager.variables());
            let host = Host::start_command(root, command)?;
            let mut said = manager.wait_for("STATUS=watching TCP retransmits: ")?;
            host.stop()?;
            said.extend(manager.wait_for("STOPPING=1")?);
            assert_eq!(
                said.iter().any(|said| said == "WATCHDOG=1"),
                is_own,
                "{pid}"
            );
        }
        Ok(())
    })
}

#[test]
fn root_a_stream_that_is_held_up_is_not_fed_until_it_flows_again() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let mut manager = Manager::abstract_for("stuck")?;
        let (mut read, write) = pipe();
        fcntl_setpipe_size(&write, 4096)?;
        let mut command = command(BINARY);
        command.args(RING).envs(manager.variables());
        // Events of tests that run at the same time would fill the pipe before the burst does.
        command.args(["--netns", &lab.sender.inode().to_string()]);
        let host = Host::start_command_into(root, command, write)?;
        manager.wait_for("WATCHDOG=1")?;
        // More lines than the pipe holds.
        syn_burst(&lab, 100)?;
        wait_until_stuck(&read);
        manager.receive()?;
        manager.said.clear();
        thread::sleep(3 * WATCHDOG);
        manager.receive()?;
        let fed = manager.said.iter().filter(|said| *said == "WATCHDOG=1");
        // One that was sent before the pipe was full may have come late.
        assert!(fed.count() <= 1, "{:?}", manager.said);
        manager.said.clear();

        let reader = thread::spawn(move || {
            let mut printed = String::new();
            read.read_to_string(&mut printed).map(|_| printed)
        });
        manager.wait_for("WATCHDOG=1")?;
        manager.wait_for("WATCHDOG=1")?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        let printed = reader.join().ok().context("the reader has panicked")??;
        assert!(printed.lines().count() >= 100, "{printed}");
        Ok(())
    })
}

#[test]
fn root_the_host_works_under_the_restrictions_of_the_unit() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        chown(directory.path(), Some(unit::USER), Some(unit::USER))?;
        let mut manager = Manager::at_path(directory.path())?;
        let cache = directory.path().join("cache");
        let (capture, alerts) = (directory.file("a.rtc"), directory.file("alerts.jsonl"));
        let arguments = [
            "--record",
            &capture,
            "--alerts-file",
            &alerts,
            "--census",
            "10s",
            "--listen",
            "127.0.0.1:0",
            "--plugin",
            "threshold-alert",
            "--set",
            "threshold=5",
            "--plugin",
            "json-print",
        ];
        let mut command = unit::host(&arguments)?;
        command.envs(manager.variables());
        command.env("CACHE_DIRECTORY", &cache);
        let host = Host::start_command(root, command)?;
        manager.wait_for("READY=1")?;
        let status = fs::read_to_string(format!("/proc/{}/status", host.pid()))?;
        for line in [
            format!("Uid:\t{0}\t{0}\t{0}\t{0}", unit::USER),
            // CAP_PERFMON and CAP_BPF.
            "CapBnd:\t000000c000000000".to_owned(),
            "NoNewPrivs:\t1".to_owned(),
        ] {
            assert!(status.contains(&line), "{line}: {status}");
        }
        // Compiled under the filter, and kept.
        let compiled = fs::read_dir(&cache)?.filter_map(Result::ok);
        let compiled =
            compiled.filter(|file| file.path().extension().is_some_and(|end| end == "compiled"));
        assert_eq!(compiled.count(), 2);

        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_until_said("retransmit-threshold")?;
        manager.wait_for("WATCHDOG=1")?;
        host.signal(Signal::HUP)?;
        manager.wait_for("RELOADING=1")?;
        manager.wait_for("READY=1")?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop_with(Signal::TERM)?;
        assert_eq!(run.status.code(), Some(0), "{:?}", run.stderr);
        run.ledger.assert_complete();
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(events.len(), 10);
        assert!(Path::new(&capture).exists() && fs::metadata(&alerts)?.len() > 0);
        let refused = ["not permitted", "not cached"];
        let is_refused = |line: &&String| refused.iter().any(|words| line.contains(words));
        assert_eq!(run.stderr.iter().find(is_refused), None);
        Ok(())
    })
}
