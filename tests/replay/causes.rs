//! Captures of each cause, replayed through the chain, which works where BPF is not allowed.
//!
//! `tests/captures/README.md` describes how they were recorded.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::common::captures::host;
use crate::common::captures::ran;

/// Longer than each capture.
const WINDOW: &str = "window=10s";

/// The output of a replay.
struct Replayed {
    events: Vec<Value>,
    alerts: Vec<Value>,
    /// Lines of the ledger, without CPU time and memory.
    ledger: Vec<String>,
}

/// Replays a capture through threshold-alert with these settings, then json-print.
#[track_caller]
fn replay(name: &str, settings: &[&str]) -> Replayed {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let file = format!("{name}.rtc");
    let mut command = host(&captures, &["replay", &file, "--plugin", "threshold-alert"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.args(["--plugin", "json-print", "--alerts", "json"]);
    let (stdout, stderr) = ran(&mut command);
    assert!(!stderr.contains("cut off"), "{stderr}");
    let lines = stdout.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    let (events, alerts): (Vec<Value>, Vec<Value>) =
        lines.partition(|line: &Value| line["type"] == "retransmit");
    assert!(alerts.iter().all(|line| line["type"] == "alert"));
    let ledger = stderr
        .lines()
        .filter(|line| line.starts_with("ledger: ") && !line.starts_with("ledger: usage "));
    let ledger = ledger.map(str::to_owned).collect();
    Replayed {
        events,
        alerts,
        ledger,
    }
}

fn each<'a>(events: &'a [Value], pointer: &str) -> Vec<&'a Value> {
    let found = events.iter().map(|event| event.pointer(pointer));
    found.map(|found| found.unwrap_or(&Value::Null)).collect()
}

/// Checks that the capture has events of these kinds, all of one connection, all sent, each with an
/// owner of this status, and that an alert fires at exactly as many segments.
#[track_caller]
fn assert_holds(name: &str, kinds: &[&str], status: &str, (local, peer): (&str, &str)) {
    let count = kinds.len();
    let threshold = format!("threshold={count}");
    let replayed = replay(name, &[&threshold, WINDOW]);
    let events = &replayed.events;
    assert_eq!(each(events, "/retransmit/kind"), kinds);
    assert_eq!(each(events, "/retransmit/sent"), vec![true; count]);
    assert_eq!(each(events, "/retransmit/segments"), vec![1; count]);
    assert_eq!(each(events, "/owner/status"), vec![status; count]);
    assert_eq!(each(events, "/owner/comm"), vec!["lab"; count]);
    assert_eq!(each(events, "/source/ip"), vec![local; count]);
    assert_eq!(each(events, "/destination/ip"), vec![peer; count]);
    for event in events {
        for end in ["source", "destination"] {
            assert_eq!(event[end], events[0][end], "one connection");
        }
    }
    let expected = [
        format!("ledger: replay read={count} left_out=0 delivered={count}"),
        format!(
            "ledger: plugin threshold-alert in={count} kept={count} dropped=0 passed_unseen=0 lost=0"
        ),
        format!(
            "ledger: plugin json-print in={count} kept={count} dropped=0 passed_unseen=0 lost=0"
        ),
    ];
    assert_eq!(replayed.ledger, expected);

    let [alert] = replayed.alerts.as_slice() else {
        panic!("one alert, not {:#?}", replayed.alerts);
    };
    let plural = if count == 1 { "" } else { "s" };
    let summary = format!("{count} segment{plural} retransmitted to {peer} within 10s");
    assert_eq!(alert["summary"], summary);
    assert_eq!(alert["state"], "firing");
    assert_eq!(alert["labels"], json!({ "peer": peer }));
    let last = &events[count - 1];
    assert_eq!(alert["timestamp"], last["timestamp"]);
    let connection = json!({"source": last["source"], "destination": last["destination"]});
    assert_eq!(alert["event"], connection);

    let threshold = format!("threshold={}", count + 1);
    assert_eq!(replay(name, &[&threshold, WINDOW]).alerts, [Value::Null; 0]);
}

const OVER_IPV4: (&str, &str) = ("10.7.0.1", "10.7.0.2");
const OVER_IPV6: (&str, &str) = ("fd00:7::1", "fd00:7::2");

#[test]
fn five_fast_retransmits() {
    assert_holds("fast", &["fast"; 5], "held", OVER_IPV4);
    let events = replay("fast", &[]).events;
    assert_eq!(each(&events, "/retransmit/length"), [700; 5]);
    assert_eq!(each(&events, "/tcp/ca_state"), ["recovery"; 5]);
    assert_eq!(each(&events, "/tcp/total_retrans"), [1, 2, 3, 4, 5]);
    assert_eq!(each(&events, "/state"), ["ESTABLISHED"; 5]);
}

#[test]
fn a_tail_loss_probe() {
    assert_holds("tail_loss_probe", &["tail_loss_probe"], "held", OVER_IPV6);
    let events = replay("tail_loss_probe", &[]).events;
    assert_eq!(each(&events, "/retransmit/timer"), ["loss_probe"]);
}

#[test]
fn three_timeouts() {
    assert_holds("timeout", &["timeout"; 3], "held", OVER_IPV4);
    let events = replay("timeout", &[]).events;
    assert_eq!(each(&events, "/retransmit/retransmits"), [1, 2, 3]);
    let sequence = &events[0]["retransmit"]["seq"];
    assert_eq!(each(&events, "/retransmit/seq"), [sequence; 3]);
}

#[test]
fn a_timeout_and_what_slow_start_sends_again() {
    let kinds = ["timeout", "loss_recovery", "loss_recovery", "loss_recovery"];
    assert_holds("loss_recovery", &kinds, "held", OVER_IPV6);
    let events = replay("loss_recovery", &[]).events;
    assert_eq!(each(&events, "/tcp/ca_state"), ["loss"; 4]);
}

#[test]
fn two_syn_acks_of_a_connection_that_nobody_has_accepted() {
    assert_holds("syn_ack", &["syn_ack"; 2], "not_accepted", OVER_IPV4);
    let events = replay("syn_ack", &[]).events;
    assert_eq!(each(&events, "/retransmit/flags"), ["SYN|ACK"; 2]);
    assert_eq!(each(&events, "/state"), ["SYN_RECV"; 2]);
    let tracepoint = ["tcp_retransmit_synack"; 2];
    assert_eq!(each(&events, "/retransmit/tracepoint"), tracepoint);
}

#[test]
fn a_syn_over_each_family() {
    let replayed = replay("syn", &["threshold=1", WINDOW]);
    let events = &replayed.events;
    assert_eq!(each(events, "/retransmit/kind"), ["syn"; 2]);
    assert_eq!(each(events, "/retransmit/flags"), ["SYN"; 2]);
    assert_eq!(each(events, "/state"), ["SYN_SENT"; 2]);
    assert_eq!(each(events, "/owner/comm"), ["lab"; 2]);
    let sorted = |mut words: Vec<&Value>| {
        words.sort_by_key(|word| word.to_string());
        words.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(sorted(each(events, "/ipversion")), [4, 6]);
    let peers = [OVER_IPV4.1, OVER_IPV6.1];
    assert_eq!(sorted(each(events, "/destination/ip")), peers);
    // Each of the two peers has an alert of its own.
    let alerts = &replayed.alerts;
    assert_eq!(sorted(each(alerts, "/labels/peer")), peers);
}

#[test]
fn attempts_that_were_not_sent_count_for_no_alert() {
    let replayed = replay("failed", &["threshold=1", WINDOW]);
    let (sent, failed) = replayed.events.split_last().expect("events");
    assert!(failed.len() >= 2, "{failed:#?}");
    for event in failed {
        let retransmit = &event["retransmit"];
        assert_eq!(retransmit["kind"], "timeout", "{event}");
        assert_eq!(retransmit["sent"], false, "{event}");
        assert_eq!(retransmit["error"], "EHOSTUNREACH", "{event}");
        assert_eq!(retransmit["segments"], 0, "{event}");
    }
    assert_eq!(sent["retransmit"]["sent"], true);
    assert_eq!(sent["retransmit"]["segments"], 1);
    assert_eq!(each(&replayed.alerts, "/timestamp"), [&sent["timestamp"]]);
    assert!(replay("failed", &["threshold=2", WINDOW]).alerts.is_empty());
}

#[test]
fn a_socket_that_was_closed_still_tells_who_held_it() {
    let threshold = ["threshold=2", "window=10s", r#"key=["process"]"#];
    let replayed = replay("orphan", &threshold);
    let closed = replayed
        .events
        .iter()
        .position(|event| event["owner"]["status"] == "orphaned");
    let closed = closed.expect("the socket was closed");
    let (held, orphaned) = replayed.events.split_at(closed);
    assert!(held.len() >= 2 && orphaned.len() >= 2, "{closed}");
    for event in held {
        assert_eq!(event["owner"]["status"], "held", "{event}");
        assert_eq!(event["owner"]["comm"], "lab", "{event}");
        assert_eq!(event["pid"], event["owner"]["pid"], "{event}");
    }
    for event in orphaned {
        assert_eq!(event["owner"]["status"], "orphaned", "{event}");
        assert_eq!(event["owner"]["last"]["comm"], "lab", "{event}");
        assert_eq!(event["owner"]["last"]["pid"], held[0]["pid"], "{event}");
        assert_eq!(event["state"], "FIN_WAIT1", "{event}");
        assert!(event["pid"].is_null(), "{event}");
    }
    // The alert is keyed by the process that held the socket.
    let alert = replayed.alerts.first().expect("an alert");
    assert_eq!(alert["labels"]["process"], "lab");
    assert_eq!(alert["timestamp"], held[1]["timestamp"]);
}

#[test]
fn the_recorded_seconds_resolve_an_alert() {
    let replayed = replay("fast", &["threshold=5", "window=1s"]);
    assert_eq!(each(&replayed.alerts, "/state"), ["firing", "resolved"]);
    let again = replay("fast", &["threshold=5", "window=1s"]);
    assert_eq!(again.alerts, replayed.alerts);
}
