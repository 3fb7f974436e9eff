//! Checks for every event of a recipe.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::lab::Flow;

/// The time in which a test's events must lie.
pub struct Window {
    begin: SystemTime,
}

impl Window {
    /// Starts now.
    pub fn open() -> Window {
        Window {
            begin: SystemTime::now(),
        }
    }

    /// Checks that every event happened since the window was opened, and that those of one socket are
    /// in order. Of two sockets, on two CPUs, the later event may come first (seen: by 1.4 µs).
    #[track_caller]
    pub fn assert_holds(&self, events: &[Value]) {
        let end = SystemTime::now();
        let begin = self.begin - Duration::from_millis(1); // the host reads two clocks one after the other
        let mut latest = HashMap::new();
        for event in events {
            let time = timestamp(event);
            let socket = format!("{} {}", event["source"], event["destination"]);
            let earliest = latest.insert(socket, time).unwrap_or(begin);
            assert!(
                earliest <= time && time <= end,
                "{time:?} is not between {earliest:?} and {end:?}: {event}"
            );
        }
    }
}

/// The event's time. Panics where it has none.
#[track_caller]
pub fn timestamp(event: &Value) -> SystemTime {
    let text = event["timestamp"].as_str();
    let time: Timestamp = text
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no RFC 3339 timestamp: {event}"));
    time.into()
}

/// The kinds, in the order of the events.
pub fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| &event["retransmit"]["kind"]);
    kinds.map(|kind| kind.as_str().unwrap_or("none")).collect()
}

/// Checks that the event's addresses and ports are those of this connection, seen from the sender.
#[track_caller]
pub fn assert_on_flow(event: &Value, flow: &Flow) {
    let local = flow
        .client
        .local_addr()
        .expect("a connected socket has one");
    let peer = flow.client.peer_addr().expect("a connected socket has one");
    assert_between(event, (local.ip(), local.port()), (peer.ip(), peer.port()));
}

/// Checks the event's addresses and ports.
#[track_caller]
pub fn assert_between(event: &Value, source: (IpAddr, u16), destination: (IpAddr, u16)) {
    let end =
        |(ip, port): (IpAddr, u16)| json!({"ip": ip.to_canonical().to_string(), "port": port});
    let version = if source.0.to_canonical().is_ipv4() {
        4
    } else {
        6
    };
    assert_eq!(event["source"], end(source), "{event}");
    assert_eq!(event["destination"], end(destination), "{event}");
    assert_eq!(event["ipversion"], version, "{event}");
}

/// Checks that the segment was sent, as RetransSegs counts it. Kernels before 6.17 do not report that.
#[track_caller]
pub fn assert_sent(event: &Value) {
    let error = &event["retransmit"]["error_number"];
    assert!(error.is_null() || error == 0, "{event}");
}
