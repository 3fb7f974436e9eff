//! Many processes on busy CPUs: no event names the wrong process, and at most 1 % have no known owner. Many new sockets at
//! once: all are known.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;
use serde_json::Value;

use crate::support::Root;
use crate::support::burst::begin_syn_burst;
use crate::support::burst::hidden_of_burst;
use crate::support::host::Host;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::SENDER_V4;
use crate::support::processes::Process;
use crate::support::root_test_alone;
use crate::support::tracefs::Trace;

/// Clients, and as many servers.
const PAIRS: u16 = 50;
/// Busy loops that take all CPU time.
const BURNERS: usize = 4;

#[test]
fn root_in_a_crowd_on_busy_cpus_no_owner_is_wrong_and_99_percent_are_known() -> Result<()> {
    root_test_alone(|root| {
        let lab = lossy_lab()?;
        let host = Host::start(root, &[])?;
        let mut pairs = Vec::new();
        for number in 0..PAIRS {
            pairs.push(Pair::start(root, &lab, number)?);
        }
        let burners: Vec<Burner> = (0..BURNERS)
            .map(|_| Burner::start())
            .collect::<Result<_>>()?;
        for pair in &mut pairs {
            pair.begin()?;
        }
        let mut truth = Truth::new();
        for pair in &mut pairs {
            pair.end(&mut truth)?;
        }
        drop(burners);
        let run = host.stop()?;

        run.ledger.assert_complete();
        for namespace in [&lab.sender, &lab.receiver] {
            let events = run.retransmits_in(namespace)?;
            // Every tenth of 20,000 segments is lost.
            assert!(events.len() > 1_000, "only {} events", events.len());
            assert_none_is_wrong(&events, &truth)?;
            assert_in_order_of_time(&events);
            assert_99_percent_are_known(&events);
        }
        Ok(())
    })
}

/// The scan that finds the sockets takes a while, in which most of the events arrive.
#[test]
fn root_in_a_burst_of_new_sockets_every_event_has_its_owner() -> Result<()> {
    /// SYNs, each retransmitted once.
    const BURST: u64 = 9_000;
    root_test_alone(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let trace = Trace::start()?;
        // They are open until the host has ended.
        let sockets = begin_syn_burst(&lab, BURST)?;
        let hidden = hidden_of_burst(&lab, &trace, BURST)?;
        let run = host.stop()?;
        drop(sockets);

        run.ledger.assert_complete();
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(events.len() as u64, BURST - hidden);
        for event in &events {
            assert_eq!(event["owner"]["pid"], std::process::id(), "{event}");
        }
        Ok(())
    })
}

/// Both sides lose every tenth segment, at random.
fn lossy_lab() -> Result<Lab> {
    let lab = Lab::new()?;
    lab.sender.run("nft add table inet lab")?;
    lab.sender
        .run("nft add chain inet lab input { type filter hook input priority 0 ; }")?;
    for namespace in [&lab.sender, &lab.receiver] {
        namespace.run(&format!(
            "nft add rule inet lab input meta l4proto tcp {HAS_PAYLOAD} \
             numgen random mod 100 < 10 drop"
        ))?;
    }
    Ok(lab)
}

/// The process that holds the socket with this local and this remote port.
type Truth = BTreeMap<(u16, u16), u32>;

/// A server and its client, which send to each other.
struct Pair {
    server: Process,
    client: Process,
    at: SocketAddr,
    /// The number of connections in sequence, and of segments on each in each direction.
    plan: (usize, usize),
}

impl Pair {
    fn start(root: &Root, lab: &Lab, number: u16) -> Result<Pair> {
        let at = SocketAddr::new(SENDER_V4.into(), PORT + number);
        let mut server = Process::start(root, &lab.sender)?;
        server.listen(at)?;
        Ok(Pair {
            server,
            client: Process::start(root, &lab.receiver)?,
            at,
            // Half of the pairs open new sockets all the time, which the host has to look up.
            plan: if number.is_multiple_of(2) {
                (1, 400)
            } else {
                (10, 40)
            },
        })
    }

    fn begin(&mut self) -> Result<()> {
        let ((connections, segments), at) = (self.plan, self.at);
        self.server
            .begin(format_args!("converse {connections} {segments}"))?;
        self.client
            .begin(format_args!("converse {connections} {segments} {at}"))
    }

    fn end(&mut self, truth: &mut Truth) -> Result<()> {
        self.server.answer()?;
        let ports = self.client.answer()?;
        for port in ports.split(' ') {
            let port: u16 = port.parse().with_context(|| ports.clone())?;
            truth.insert((port, self.at.port()), self.client.pid());
            truth.insert((self.at.port(), port), self.server.pid());
        }
        Ok(())
    }
}

/// The connection's local and remote port.
fn ports(event: &Value) -> (u16, u16) {
    let port = |end: &str| event[end]["port"].as_u64().unwrap_or_default() as u16;
    (port("source"), port("destination"))
}

/// Checks that every process in an event, as holder, listener or last holder, is the right one.
#[track_caller]
fn assert_none_is_wrong(events: &[Value], truth: &Truth) -> Result<()> {
    for event in events {
        let pid = truth.get(&ports(event));
        let pid = pid.with_context(|| format!("an event of no connection: {event}"))?;
        let owner = &event["owner"];
        for named in [&event["pid"], &owner["pid"], &owner["last"]["pid"]] {
            assert!(named.is_null() || named == pid, "it is {pid}: {event}");
        }
    }
    Ok(())
}

/// Checks that events of a socket are in order, although they may wait for their owner.
#[track_caller]
fn assert_in_order_of_time(events: &[Value]) {
    let mut last = BTreeMap::new();
    for event in events {
        let time = event["record"]["boot_time_ns"].as_u64();
        let before = last.insert(ports(event), time).flatten();
        assert!(before <= time, "came too late: {event}");
    }
}

#[track_caller]
fn assert_99_percent_are_known(events: &[Value]) {
    let is_unknown = |event: &&Value| event["owner"]["status"] == "unknown";
    let unknown = events.iter().filter(is_unknown).count();
    assert!(
        unknown * 100 <= events.len(),
        "of {} events, {unknown} have no known owner",
        events.len()
    );
}

/// A busy loop. Ended when dropped.
struct Burner(Child);

impl Burner {
    fn start() -> Result<Burner> {
        let mut command = Command::new("sh");
        command
            .args(["-c", "while :; do :; done"])
            .stdin(Stdio::null());
        // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        Ok(Burner(command.spawn().context("cannot start sh")?))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
