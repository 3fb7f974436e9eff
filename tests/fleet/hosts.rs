//! What hosts publish, and what they say where the broker is away or is another one.

use std::process::Command;

use serde_json::Value;

use crate::processes::Fleet;
use crate::processes::HOST;
use crate::processes::eventually;
use crate::processes::ledger;
use crate::processes::output;
use crate::server::free_port;

fn fails(command: &mut Command) -> String {
    let output = command.output().expect("the program");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let url = format!("nats://127.0.0.1:{}", free_port());
    for arguments in [
        &["consume", &url, "--plugin", "json-print"][..],
        &["fleet", "init", &url],
        &["fleet", "status", &url],
    ] {
        let said = fails(Command::new(HOST).args(arguments));
        assert!(
            said.contains("cannot reach the broker") && said.contains(&url),
            "{said}"
        );
    }
}

#[test]
fn a_broker_that_is_not_set_up_is_told_what_to_do() {
    let server = crate::server::Server::start();
    let said = fails(Command::new(HOST).args(["consume", &server.url()]));
    assert!(
        said.contains("is not set up: run `retrans-host fleet init"),
        "{said}"
    );
}

#[test]
fn another_number_of_partitions_is_refused() {
    let fleet = Fleet::start(4);
    let arguments = ["fleet", "init", &fleet.server.url(), "--partitions", "8"];
    let said = fails(Command::new(HOST).args(arguments));
    assert!(
        said.contains("the fleet has 4 partitions, and 8 are expected"),
        "{said}"
    );
    let arguments = ["consume", &fleet.server.url(), "--partitions", "2-4"];
    let said = fails(Command::new(HOST).args(arguments));
    assert!(said.contains("there is no partition 4"), "{said}");
}

#[test]
fn what_waits_in_a_directory_is_published_by_the_next_run() {
    let mut fleet = Fleet::start(2);
    let capture = fleet.capture("a.rtc", 500, 20);
    let spool = fleet.path("spool");
    let spool = spool.to_str().expect("UTF-8").to_owned();
    fleet.server.kill();
    let mut command = fleet.publish(&capture, "web-1", 2);
    command.args(["--publish-spool", &spool, "--publish-wait", "1s"]);
    let text = output(&mut command);
    let first = ledger(&text).published.expect("a line");
    assert_eq!(
        (
            first.get("events"),
            first.get("spooled"),
            first.get("acknowledged")
        ),
        (500, 500, 0),
        "{text}"
    );
    fleet.server.restart();
    let mut command = fleet.publish(&capture, "web-1", 2);
    command.args(["--publish-spool", &spool]);
    let second = ledger(&output(&mut command)).published.expect("a line");
    assert_eq!((second.get("events"), second.get("earlier")), (500, 500));
    assert_eq!(
        (second.get("acknowledged"), second.get("spooled")),
        (1_000, 0)
    );
}

#[test]
fn a_replay_that_could_not_publish_everything_fails() {
    let mut fleet = Fleet::start(2);
    let capture = fleet.capture("a.rtc", 500, 20);
    fleet.server.kill();
    let mut command = fleet.publish(&capture, "web-1", 2);
    let said = fails(command.args(["--publish-wait", "1s"]));
    assert!(said.contains("500 events were not published"), "{said}");
}

#[test]
fn events_that_were_too_old_when_they_were_published_are_counted_and_left_out() {
    let fleet = Fleet::start(1);
    // Events over minutes in one frame: only those of its last second are young.
    let capture = fleet.capture("a.rtc", 5_000, 20);
    let consumer = fleet.consumer(
        "late",
        &[
            "--from-beginning",
            "--plugin",
            "json-print",
            "--max-lateness",
            "100ms",
        ],
    );
    let consumer = consumer.begun();
    output(&mut fleet.publish(&capture, "web-1", 1));
    // The plugin is told with the next event or tick, and more than once if a tick comes between two frames.
    let (delivered, lost) = eventually("all events, or that they were lost", || {
        let (mut delivered, mut lost) = (0, 0);
        for line in consumer.lines() {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            match line["type"].as_str() {
                Some("retransmit") => delivered += 1,
                Some("gap") => lost += line["lost"].as_u64().expect("a number"),
                _ => {}
            }
        }
        (delivered + lost >= 5_000).then_some((delivered, lost))
    });
    let fleet = consumer.end().fleet.expect("a line");
    assert_eq!(delivered + lost, 5_000);
    assert_eq!(fleet.get("received"), 5_000);
    assert_eq!(fleet.get("delivered"), delivered);
    assert_eq!(fleet.get("late"), lost);
    assert!(lost > 0, "{fleet:?}");
}
