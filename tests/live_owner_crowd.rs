//! Many processes at once on a machine that has no time, and more open sockets than the host can keep:
//! no event names the wrong process, and hardly any names none.

mod live;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;
use serde_json::Value;

use crate::live::Root;
use crate::live::host::Host;
use crate::live::lab::HAS_PAYLOAD;
use crate::live::lab::Lab;
use crate::live::lab::PORT;
use crate::live::lab::SENDER_V4;
use crate::live::oracle::wait_until;
use crate::live::owners::AT_RECEIVER;
use crate::live::owners::accept;
use crate::live::owners::boot_time;
use crate::live::owners::events_between;
use crate::live::owners::events_in;
use crate::live::owners::let_answers_expire;
use crate::live::owners::listen;
use crate::live::owners::lose_a_segment;
use crate::live::processes;
use crate::live::processes::Process;
use crate::live::root_test;

/// Clients, and as many servers.
const PAIRS: u16 = 50;
/// Loops that leave the machine's CPUs no rest.
const BURNERS: usize = 4;

/// No promise: where the processes begin that the tests start. Without a test it ends at once.
#[test]
fn the_process_that_other_tests_start() -> Result<()> {
    processes::serve()
}

#[test]
fn root_in_a_crowd_on_busy_cpus_no_owner_is_wrong_and_99_percent_are_known() -> Result<()> {
    root_test(|root| {
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
            // Of 20,000 segments every tenth is lost.
            assert!(events.len() > 1_000, "only {} events", events.len());
            assert_none_is_wrong(&events, &truth)?;
            assert_in_order_of_time(&events);
            assert_99_percent_are_known(&events);
        }
        Ok(())
    })
}

/// How often each of [`HOARDERS`] processes has the same socket open.
const DUPLICATES: usize = 15_000;
const HOARDERS: u32 = 20;

/// By so much the host may grow while it scans them: it grew by 47 MiB where it kept each.
const GROWTH_KIB: u64 = 6 * 1_024;

#[test]
fn root_a_socket_that_is_open_300_000_times_takes_no_memory_and_hides_no_owner() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let connected = || -> Result<(Process, TcpStream)> {
            let mut process = Process::start(root, &lab.sender)?;
            process.connect(AT_RECEIVER)?;
            Ok((process, accept(&listener)?))
        };
        let host = Host::start(root, &[])?;
        let (mut before, mut peer) = connected()?;
        lose_a_segment(&lab, &mut before, &mut peer)?;
        let_answers_expire();
        let peaceful = host.most_memory()?;

        let (mut hoarder, mut hoarders_peer) = connected()?;
        hoarder.duplicate(DUPLICATES)?;
        let forks: Vec<Process> = (1..HOARDERS)
            .map(|_| hoarder.fork())
            .collect::<Result<_>>()?;
        let (mut after, mut peer) = connected()?;
        let begin = boot_time();
        lose_a_segment(&lab, &mut after, &mut peer)?;
        let middle = boot_time();
        lose_a_segment(&lab, &mut hoarder, &mut hoarders_peer)?;
        let end = boot_time();
        let crowded = host.most_memory()?;
        let run = host.stop()?;
        drop(forks);

        let events = events_in(&run, &lab.sender)?;
        assert_last_is_held(&events_between(&events, begin, middle), &after, 1);
        assert_last_is_held(&events_between(&events, middle, end), &hoarder, HOARDERS);
        assert!(
            crowded < peaceful + GROWTH_KIB,
            "{peaceful} KiB before, {crowded} KiB with the duplicates"
        );
        Ok(())
    })
}

/// Sockets that each of [`HOARDERS`] processes has open: more pairs than the 262,144 that are kept.
const SOCKETS: usize = 15_000;

/// What is kept, and what it takes to collect it: 23 MiB.
const CUT_GROWTH_KIB: u64 = 36 * 1_024;

#[test]
fn root_more_open_sockets_than_the_host_keeps_hide_no_owner_and_their_memory_comes_back()
-> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let connected = || -> Result<(Process, TcpStream)> {
            let mut process = Process::start(root, &lab.sender)?;
            process.connect(AT_RECEIVER)?;
            Ok((process, accept(&listener)?))
        };
        let host = Host::start(root, &[])?;
        let (mut client, mut peer) = connected()?;
        lose_a_segment(&lab, &mut client, &mut peer)?;
        let_answers_expire();
        let peaceful = host.memory()?;

        let mut hoarder = Process::start(root, &lab.sender)?;
        hoarder.open_sockets(SOCKETS)?;
        let forks: Vec<Process> = (1..HOARDERS)
            .map(|_| hoarder.fork())
            .collect::<Result<_>>()?;
        // Their numbers are lower, so that they are found first.
        let (mut late, mut lates_peer) = connected()?;
        let begin = boot_time();
        lose_a_segment(&lab, &mut late, &mut lates_peer)?;
        host.wait_until_said("TCP sockets open more than 262144 times")?;
        lose_a_segment(&lab, &mut late, &mut lates_peer)?;
        let end = boot_time();
        let crowded = host.most_memory()?;
        drop(forks);
        drop(hoarder);
        wait_until("the memory to come back", || {
            let_answers_expire();
            lose_a_segment(&lab, &mut client, &mut peer)?;
            Ok(host.memory()? < peaceful + GROWTH_KIB)
        })?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        assert_last_is_held(&events_between(&events, begin, end), &late, 1);
        assert!(
            crowded < peaceful + CUT_GROWTH_KIB,
            "{peaceful} KiB before, {crowded} KiB with the sockets"
        );
        assert!(run.ledger.owners.get("scans_cut") > 0);
        let told = run.stderr.iter().filter(|line| line.contains("262144"));
        assert_eq!(told.count(), 1, "{:#?}", run.stderr);
        Ok(())
    })
}

/// A scan may take longer than an event waits; the next event has its owner.
#[track_caller]
fn assert_last_is_held(events: &[Value], process: &Process, holders: u32) {
    let owner = &events.last().expect("there is one")["owner"];
    assert_eq!(owner["status"], "held", "{events:#?}");
    assert_eq!(owner["pid"], process.pid(), "{owner}");
    assert_eq!(owner["holders"], holders, "{owner}");
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

/// Which process holds the socket with this local and this remote port.
type Truth = BTreeMap<(u16, u16), u32>;

/// A server and its client, which send to each other.
struct Pair {
    server: Process,
    client: Process,
    at: SocketAddr,
    /// Connections, one after the other, and the segments that each carries each way.
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
            // Half of them have new sockets, which the host has to look for, all the time.
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

/// Whatever process an event names, as holder, listener or last holder, is the one that does it all.
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

/// Events that wait for their owner do not let later ones of the same socket pass.
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

/// A loop that never rests. Ended when dropped.
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
