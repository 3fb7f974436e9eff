//! Retransmits of sockets that known processes hold, and what events must say about those processes.

use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde_json::Value;
use serde_json::json;

use super::host::Run;
use super::lab::HAS_PAYLOAD;
use super::lab::Lab;
use super::lab::PORT;
use super::lab::RECEIVER_V4;
use super::lab::SEGMENT;
use super::lab::SENDER_V4;
use super::netns::Namespace;
use super::oracle::Nstat;
use super::oracle::PATIENCE;
use super::oracle::wait_for_counter;
use super::processes::Process;

/// How long the host's answers hold: what it said before may be said again until then.
const FRESH: Duration = Duration::from_secs(1);

/// How often a segment is lost again. More than once: the kernel may, rarely, skip a run of the probe,
/// and these tests ask who it was, not how many.
pub const AGAIN: u64 = 2;

/// Where a process in the sender listens.
pub const AT_SENDER: SocketAddr = SocketAddr::new(IpAddr::V4(SENDER_V4), PORT);
/// Where the test listens, in the receiver.
pub const AT_RECEIVER: SocketAddr = SocketAddr::new(IpAddr::V4(RECEIVER_V4), PORT);

/// For nft: matches the answers to SYNs.
pub const IS_SYN_ACK: &str = "tcp flags & (syn|ack) == syn|ack";

/// Listens in the receiver.
pub fn listen(lab: &Lab) -> Result<TcpListener> {
    let listener = lab.receiver.enter(|| TcpListener::bind(AT_RECEIVER))?;
    listener.with_context(|| format!("cannot listen at {AT_RECEIVER}"))
}

/// The connection that a process in the sender has made.
pub fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (peer, _) = listener.accept()?;
    peer.set_read_timeout(Some(PATIENCE))?;
    Ok(peer)
}

/// Connects from the receiver to a process in the sender.
pub fn call(lab: &Lab) -> Result<TcpStream> {
    let connect = || TcpStream::connect_timeout(&AT_SENDER, PATIENCE);
    let peer = lab.receiver.enter(connect)??;
    peer.set_read_timeout(Some(PATIENCE))?;
    Ok(peer)
}

/// The same, with SYN-ACKs of the sender's lost until they were sent twice again.
pub fn call_and_lose_a_syn_ack(lab: &Lab) -> Result<TcpStream> {
    lab.lose(IS_SYN_ACK)?;
    thread::scope(|scope| {
        let call = scope.spawn(|| call(lab));
        let lost = wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", AGAIN);
        lab.lose_nothing()?;
        lost?;
        call.join().expect("connecting does not panic")
    })
}

/// A process in the sender sends a segment, which is lost until it was sent twice again, and arrives
/// in the end. Nothing is under way before and after.
pub fn lose_a_segment(lab: &Lab, process: &mut Process, peer: &mut TcpStream) -> Result<()> {
    begin_to_lose_a_segment(lab, process)?;
    lab.lose_nothing()?;
    receive_a_segment(peer)
}

/// The same, and it goes on being lost.
pub fn begin_to_lose_a_segment(lab: &Lab, process: &mut Process) -> Result<()> {
    lab.lose(&format!("meta l4proto tcp {HAS_PAYLOAD}"))?;
    let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    process.send_segments(1)?;
    wait_for_counter(&lab.sender, "TcpRetransSegs", before + AGAIN)
}

/// Waits until what is lost was sent twice more.
pub fn lose_it_again(lab: &Lab) -> Result<()> {
    let before = Nstat::of(&lab.sender)?.retransmitted_segments()?;
    wait_for_counter(&lab.sender, "TcpRetransSegs", before + AGAIN)
}

/// The peer has received everything.
pub fn receive_a_segment(peer: &mut TcpStream) -> Result<()> {
    peer.read_exact(&mut [0; SEGMENT])
        .context("the data did not arrive")
}

/// Waits until the host must look again.
pub fn let_answers_expire() {
    thread::sleep(FRESH + FRESH / 10);
}

/// Now, on the clock of the events.
pub fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The sender's events between two moments: at least one.
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

/// The events of a namespace: at least one. The books balance.
#[track_caller]
pub fn events_in(run: &Run, namespace: &Namespace) -> Result<Vec<Value>> {
    run.ledger.assert_complete();
    let events = run.retransmits_in(namespace)?;
    assert!(!events.is_empty(), "no event: {:#?}", run.stderr);
    Ok(events)
}

/// Who a process is, by what the system says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Number.
    pub pid: u32,
    comm: String,
    uid: u32,
}

impl Identity {
    /// Of a process that lives.
    pub fn of(process: &Process) -> Result<Identity> {
        Ok(Identity {
            pid: process.pid(),
            comm: process.comm()?,
            uid: process.uid()?,
        })
    }

    /// It is the one that holds these events' socket, with so many holders altogether.
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

    /// It holds the listener of these events' connections, which nobody has accepted yet.
    #[track_caller]
    pub fn assert_listens(&self, events: &[Value]) {
        for event in events {
            assert_eq!(event["owner"]["status"], "not_accepted", "{event}");
            self.assert_is(&event["owner"]);
            assert!(event["owner"]["holders"].is_null(), "{event}");
            assert!(event["pid"].is_null(), "it holds no connection: {event}");
        }
    }

    /// It was the last that was seen to hold these events' socket, which is closed now.
    #[track_caller]
    pub fn assert_held_last(&self, events: &[Value]) {
        for event in events {
            assert_named_nobody(event, "orphaned");
            self.assert_is(&event["owner"]["last"]);
        }
    }

    #[track_caller]
    fn assert_is(&self, process: &Value) {
        let named = json!({"pid": process["pid"], "comm": process["comm"], "uid": process["uid"]});
        let truth = json!({"pid": self.pid, "comm": self.comm, "uid": self.uid});
        assert_eq!(named, truth);
    }
}

/// This is the status of the event's owner, and no process is named that might hold it.
#[track_caller]
pub fn assert_named_nobody(event: &Value, status: &str) {
    let owner = &event["owner"];
    assert_eq!(owner["status"], status, "{event}");
    for key in ["pid", "comm", "uid", "holders", "container"] {
        assert!(owner[key].is_null(), "{key} of nobody: {event}");
    }
    assert!(event["pid"].is_null(), "a pid without a holder: {event}");
}
