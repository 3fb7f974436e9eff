//! Retransmits of sockets with known holders, and checks of the owners in events.

use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde_json::Value;
use serde_json::json;

use super::host::Host;
use super::host::Run;
use super::kernel::is_since;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;
use super::lab::RECEIVER_V4;
use super::lab::SEGMENT;
use super::lab::SENDER_V4;
use super::netns::Namespace;
use super::oracle::Nstat;
use super::oracle::WAIT_TIMEOUT;
use super::oracle::wait_for_counter;
use super::processes::Process;
use super::root::lacks;

/// How long the host reuses the results of a scan.
const SCAN_LIFETIME: Duration = Duration::from_secs(1);

/// Retransmits to wait for. More than one: the kernel may, rarely, skip a run of the probe, and these
/// tests check owners, not counts.
pub const RETRANSMITS: u64 = 2;

/// Where a process in the sender listens.
pub const AT_SENDER: SocketAddr = SocketAddr::new(IpAddr::V4(SENDER_V4), PORT);
/// Where the test listens, in the receiver.
pub const AT_RECEIVER: SocketAddr = SocketAddr::new(IpAddr::V4(RECEIVER_V4), PORT);

/// For nft: matches SYN-ACKs.
pub const IS_SYN_ACK: &str = "tcp flags & (syn|ack) == syn|ack";

/// Listens in the receiver.
pub fn listen(lab: &Lab) -> Result<TcpListener> {
    let listener = lab.receiver.enter(|| TcpListener::bind(AT_RECEIVER))?;
    listener.with_context(|| format!("cannot listen at {AT_RECEIVER}"))
}

/// The connection that a process in the sender has made.
pub fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (peer, _) = listener.accept()?;
    peer.set_read_timeout(Some(WAIT_TIMEOUT))?;
    Ok(peer)
}

/// Connects from the receiver to a process in the sender.
pub fn call(lab: &Lab) -> Result<TcpStream> {
    let connect = || TcpStream::connect_timeout(&AT_SENDER, WAIT_TIMEOUT);
    let peer = lab.receiver.enter(connect)??;
    peer.set_read_timeout(Some(WAIT_TIMEOUT))?;
    Ok(peer)
}

/// The same; the sender's SYN-ACKs are lost until [`RETRANSMITS`] were retransmitted.
pub fn call_and_lose_a_syn_ack(lab: &Lab) -> Result<TcpStream> {
    lab.lose(IS_SYN_ACK)?;
    thread::scope(|scope| {
        let call = scope.spawn(|| call(lab));
        let lost = wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", RETRANSMITS);
        lab.lose_nothing()?;
        lost?;
        call.join().expect("connecting does not panic")
    })
}

/// A process in the sender sends a segment, which is lost until [`RETRANSMITS`] retransmits of it were
/// counted, and then arrives. Nothing is in flight before and after.
pub fn lose_a_segment(lab: &Lab, process: &mut Process, peer: &mut TcpStream) -> Result<()> {
    begin_to_lose_a_segment(lab, process)?;
    lab.lose_nothing()?;
    receive_a_segment(peer)
}

/// The same, but the segment stays lost.
pub fn begin_to_lose_a_segment(lab: &Lab, process: &mut Process) -> Result<()> {
    // The host scans for events of other tests, too, at any moment: also between two steps of this one.
    let_answers_expire();
    lab.lose(&format!("meta l4proto tcp {HAS_PAYLOAD}"))?;
    let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    process.send_segments(1)?;
    wait_for_counter(&lab.sender, "TcpRetransSegs", before + RETRANSMITS)
}

/// Waits until the host has printed every retransmit of the sender so far, so that their owners are known: a process
/// that changes before, in a slow guest, is not what the scan after the event finds. Goes on after half a minute,
/// because the kernel may skip a run of the probe.
pub fn wait_until_printed(host: &Host, lab: &Lab) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        let counted = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        let mut events = host.printed("retransmit")?;
        events.retain(|event| event["netns"]["inode"] == lab.sender.inode());
        let segments = events.iter();
        let segments = segments.filter_map(|event| event["retransmit"]["segments"].as_u64());
        if segments.sum::<u64>() >= counted {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits for [`RETRANSMITS`] more retransmits.
pub fn lose_it_again(lab: &Lab) -> Result<()> {
    let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    wait_for_counter(&lab.sender, "TcpRetransSegs", before + RETRANSMITS)
}

/// Receives the segment at the peer.
pub fn receive_a_segment(peer: &mut TcpStream) -> Result<()> {
    peer.read_exact(&mut [0; SEGMENT])
        .context("the data did not arrive")
}

/// Waits until the results of the last scan have expired.
pub fn let_answers_expire() {
    thread::sleep(SCAN_LIFETIME + SCAN_LIFETIME / 10);
}

/// The current time on the clock of events.
pub fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The events between two moments, of which there must be one.
#[track_caller]
pub fn events_between(events: &[Value], begin: Duration, end: Duration) -> Vec<Value> {
    let lies_between = |event: &&Value| {
        let time = event["record"]["boot_time_ns"].as_u64();
        let time = Duration::from_nanos(time.unwrap_or_default());
        begin <= time && time < end
    };
    let found: Vec<Value> = events.iter().filter(lies_between).cloned().collect();
    assert!(!found.is_empty(), "no event in this part: {events:#?}");
    found
}

/// The events of a namespace, of which there must be one. The ledger must balance.
#[track_caller]
pub fn events_in(run: &Run, namespace: &Namespace) -> Result<Vec<Value>> {
    run.ledger.assert_complete();
    let events = run.retransmits_in(namespace)?;
    assert!(!events.is_empty(), "no event: {:#?}", run.stderr);
    Ok(events)
}

/// The identity of a process, read from /proc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Process number.
    pub pid: u32,
    comm: String,
    uid: u32,
}

impl Identity {
    /// Reads the identity of a running process.
    pub fn of(process: &Process) -> Result<Identity> {
        Ok(Identity {
            pid: process.pid(),
            comm: process.comm()?,
            uid: process.uid()?,
        })
    }

    /// Checks that it holds these events' socket, and that there are this many holders.
    #[track_caller]
    pub fn assert_holds(&self, events: &[Value], holders: u32) {
        for event in events {
            let owner = &event["owner"];
            assert_eq!(owner["status"], "held", "{self:?}: {event}");
            self.assert_is(owner);
            assert_eq!(owner["holders"], holders, "{event}");
            assert_eq!(event["pid"], self.pid, "{event}");
        }
    }

    /// Checks that it holds the listener of these events' connections, which are not accepted yet.
    #[track_caller]
    pub fn assert_listens(&self, events: &[Value]) {
        for event in events {
            assert_eq!(event["owner"]["status"], "not_accepted", "{event}");
            self.assert_is(&event["owner"]);
            assert!(event["owner"]["holders"].is_null(), "{event}");
            assert!(event["pid"].is_null(), "it holds no connection: {event}");
        }
    }

    /// Checks that it was the last known holder of these events' socket, which is closed now.
    #[track_caller]
    pub fn assert_held_last(&self, events: &[Value]) -> Result<()> {
        // A closed socket has no inode: it is recognised by its cookie.
        let is_told = is_since(5, 12)?;
        if !is_told {
            lacks(
                "before Linux 5.12 the probe cannot give a socket a cookie: the last owner of an orphan is unknown",
            );
        }
        for event in events {
            assert_named_nobody(event, "orphaned");
            match &event["owner"]["last"] {
                Value::Null if !is_told => {}
                last => self.assert_is(last),
            }
        }
        Ok(())
    }

    #[track_caller]
    fn assert_is(&self, process: &Value) {
        let named = json!({"pid": process["pid"], "comm": process["comm"], "uid": process["uid"]});
        let truth = json!({"pid": self.pid, "comm": self.comm, "uid": self.uid});
        assert_eq!(named, truth);
    }
}

/// Checks the status of the event's owner, and that no process is named.
#[track_caller]
pub fn assert_named_nobody(event: &Value, status: &str) {
    let owner = &event["owner"];
    assert_eq!(owner["status"], status, "{event}");
    for key in ["pid", "comm", "uid", "holders", "container"] {
        assert!(owner[key].is_null(), "{key} without a process: {event}");
    }
    assert!(event["pid"].is_null(), "a pid without a holder: {event}");
}
