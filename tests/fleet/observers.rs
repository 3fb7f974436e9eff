//! What `replay`, `report` and `top` read from the broker: all that was published, once, beside the consumers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::Broker;
use retrans_fleet::connect::ConnectError;
use retrans_fleet::names::STREAM;
use serde_json::Value;

use crate::foreign;
use crate::processes::Feed;
use crate::processes::Fleet;
use crate::processes::HOST;
use crate::processes::eventually;
use crate::processes::json_lines;
use crate::processes::ledger;
use crate::processes::output;
use crate::processes::run;
use crate::screens::Screen;
use crate::server::Options;
use crate::server::Server;
use crate::server::free_port;

/// The program, without input.
fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(HOST);
    command.args(arguments).stdin(Stdio::null());
    command
}

fn ran(arguments: &[&str]) -> Output {
    let output = host(arguments).output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output
}

/// Number of events that a replay of the broker has read and passed on, and all that it has said.
fn replayed(fleet: &Fleet, arguments: &[&str]) -> (u64, u64, String) {
    let url = fleet.server.url();
    let output = ran(&[&["replay", &url, "--plugin", "json-print"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let replay = ledger(&said).replay;
    (replay.get("read"), replay.get("delivered"), said)
}

/// Lines of events without what depends on when and by whom they were published, sorted.
fn events(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let lines = lines.into_iter().map(|line| {
        let mut event: Value = serde_json::from_str(line.as_ref()).expect("JSON");
        let fields = event.as_object_mut().expect("an object");
        fields.remove("timestamp");
        fields.remove("labels");
        let record = fields.get_mut("record").and_then(Value::as_object_mut);
        record.expect("an object").remove("boot_time_ns");
        event.to_string()
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

fn with_broker<T>(server: &Server, work: impl AsyncFnOnce(&Broker) -> T) -> T {
    let address = server.url().parse().expect("an address");
    let prepared = connect::prepare(address, &Access::default(), "test").expect("no files");
    #[derive(Debug)]
    struct Failed;
    impl From<std::io::Error> for Failed {
        fn from(_: std::io::Error) -> Failed {
            Failed
        }
    }
    impl From<ConnectError> for Failed {
        fn from(_: ConnectError) -> Failed {
            Failed
        }
    }
    let result: Result<T, Failed> =
        connect::with_broker(&prepared, async |broker| Ok(work(broker).await));
    result.expect("a broker")
}

#[test]
fn a_replay_of_the_broker_prints_each_event_as_it_was_recorded() {
    let fleet = Fleet::start(8);
    let capture = fleet.capture("a.rtc", 3_000, 100);
    for name in ["web-1", "web-2"] {
        output(&mut fleet.publish(&capture, name, 8));
    }
    let output = ran(&["replay", &fleet.server.url(), "--plugin", "json-print"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for name in ["web-1", "web-2"] {
        let label = format!(r#""host.name":"{name}""#);
        let of_host = text.lines().filter(|line| line.contains(&label));
        assert_eq!(events(of_host), events(json_lines(&capture)), "{name}");
    }
    assert_eq!(text.lines().count(), 6_000);
}

#[test]
fn a_report_counts_what_was_published_since_a_time() {
    let fleet = Fleet::start(4);
    output(&mut fleet.publish(&fleet.capture("a.rtc", 700, 20), "web-1", 4));
    // Ages are at most the length of the second capture, some 200 ms.
    std::thread::sleep(Duration::from_secs(2));
    let cut = Instant::now();
    std::thread::sleep(Duration::from_secs(4));
    output(&mut fleet.publish(&fleet.capture("b.rtc", 130, 20), "web-2", 4));
    let url = fleet.server.url();
    let page = fleet.path("page.html");
    let page = page.to_str().expect("UTF-8");
    let report = |arguments: &[&str]| {
        let output = ran(&[&["report", &url, "-o", page, "--force"], arguments].concat());
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let said = report(&[]);
    assert!(said.contains(" 830 segments were sent again"), "{said}");
    let html = fs::read_to_string(page).expect("a page");
    assert!(html.contains(&url), "the page names the broker");
    let since = format!("{}ms", cut.elapsed().as_millis());
    let said = report(&["--since", &since]);
    assert!(said.contains(" 130 segments were sent again"), "{said}");
    let said = report(&["--since", "1h", "--plugin", "threshold-alert"]);
    assert!(said.contains(" 830 segments were sent again"), "{said}");
}

#[test]
fn an_empty_stream_ends_at_once() {
    let fleet = Fleet::start(2);
    let (read, _, _) = replayed(&fleet, &[]);
    assert_eq!(read, 0);
}

#[test]
fn a_frame_that_is_there_twice_counts_once_and_what_is_damaged_or_missing_is_told() {
    let fleet = Fleet::start(1);
    let capture = fleet.capture("a.rtc", 5_000, 50);
    output(&mut fleet.publish(&capture, "web-1", 1));
    let (read, delivered, said) = replayed(&fleet, &[]);
    assert_eq!((read, delivered), (5_000, 5_000));
    assert!(!said.contains("WARN"), "{said}");
    let removed = with_broker(&fleet.server, async |broker| {
        let stream = broker.jetstream().get_stream(STREAM).await;
        let stream = stream.expect("a stream");
        let last = stream.cached_info().state.last_sequence;
        assert!(last >= 3, "there are {last} frames");
        // Another text of the same number: the broker takes it for another identifier.
        for sequence in [1, last] {
            let frame = stream.get_raw_message(sequence).await.expect("a frame");
            let mut headers = frame.headers.clone();
            let id = headers.get("Nats-Msg-Id").expect("a header").to_string();
            let (run, number) = id.rsplit_once('/').expect("a number");
            headers.insert("Nats-Msg-Id", format!("{run}/0{number}"));
            let sent = broker
                .jetstream()
                .publish_with_headers(frame.subject.clone(), headers, frame.payload)
                .await;
            sent.expect("an answer").await.expect("it is stored");
        }
        let second = stream.get_raw_message(2).await.expect("a frame");
        assert!(stream.delete_message(2).await.expect("an answer"));
        let events = second.headers.get("Retrans-Events").expect("a header");
        events.as_str().parse::<u64>().expect("a number")
    });
    foreign::publish(fleet.server.port, "retrans.v1.ev.0.web-9", "", b"x");
    let (read, delivered, said) = replayed(&fleet, &[]);
    assert_eq!((read, delivered), (5_000 - removed, 5_000 - removed));
    for expected in [
        "WARN 1 frames that hosts have published did not arrive",
        "WARN 1 messages with 0 events cannot be used; the first one is message",
        "it has no header",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn losses_of_a_host_are_told_once() {
    let fleet = Fleet::start(8);
    let path = fleet.path("gaps.rtc");
    let path = path.to_str().expect("UTF-8");
    run(&["generate", path, "--events", "1000", "--gaps"]);
    let lost = |arguments: &[&str]| {
        let output = ran(&[&["replay", "--quiet", "--plugin", "json-print"], arguments].concat());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let gaps = text.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            (line["type"] == "gap").then(|| line["lost"].as_u64().expect("a number"))
        });
        gaps.sum::<u64>()
    };
    let recorded = lost(&[path]);
    assert!(recorded > 0);
    output(&mut fleet.publish(Path::new(path), "web-1", 8));
    assert_eq!(lost(&[&fleet.server.url()]), recorded);
}

#[test]
fn a_consumer_is_not_disturbed() {
    let fleet = Fleet::start(4);
    let capture = fleet.capture("a.rtc", 2_000, 100);
    let consumer = fleet.consumer("one", &["--from-beginning", "--plugin", "json-print"]);
    let consumer = consumer.begun();
    let has_all = || {
        let status = run(&["fleet", "status", &fleet.server.url()]);
        let has =
            |line: &str| line.starts_with("one") && line.split_whitespace().nth(1) == Some("4");
        status.lines().any(has)
    };
    eventually("a consumer of all partitions", || has_all().then_some(()));
    let url = fleet.server.url();
    let follow = ["replay", &url, "--follow", "--count", "4000"];
    let follower = host(&follow)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    for name in ["web-1", "web-2"] {
        output(&mut fleet.publish(&capture, name, 4));
        let (read, _, _) = replayed(&fleet, &[]);
        assert!(has_all(), "an observer takes no partition");
        assert_eq!(read % 2_000, 0);
    }
    let followed = follower.wait_with_output().expect("a process");
    let said = String::from_utf8_lossy(&followed.stderr).into_owned();
    assert_eq!(ledger(&said).replay.get("delivered"), 4_000, "{said}");
    eventually("the events", || {
        (consumer.lines().len() >= 4_000).then_some(())
    });
    let counted = consumer.end().fleet.expect("a line");
    assert_eq!(counted.get("received"), 4_000, "{counted:?}");
    assert_eq!(counted.get("delivered"), 4_000, "{counted:?}");
    // Observers leave nothing behind.
    eventually("a stream without consumers", || {
        let consumers = with_broker(&fleet.server, async |broker| {
            let stream = broker.jetstream().get_stream(STREAM).await;
            stream.expect("a stream").cached_info().state.consumer_count
        });
        (consumers == 0).then_some(())
    });
}

#[test]
fn following_goes_on_when_the_broker_comes_back() {
    let mut fleet = Fleet::start(2);
    let capture = fleet.capture("a.rtc", 1_000, 20);
    let lines = json_lines(&capture);
    let mut command = host(&["replay", "-", "--publish", &fleet.server.url()]);
    command.args(["--publish-partitions", "2"]);
    let mut feed = Feed::start(&mut command);
    let url = fleet.server.url();
    let follow = ["replay", &url, "--follow", "--count", "1000"];
    let follower = host(&follow)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    for part in lines.chunks(250) {
        feed.give(part);
        std::thread::sleep(Duration::from_millis(1_500));
        fleet.server.kill();
        fleet.server.restart();
    }
    let published = feed.end().published.expect("a line");
    assert_eq!(published.get("acknowledged"), 1_000);
    let output = follower.wait_with_output().expect("a process");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(events(text.lines()), events(lines), "{said}");
}

#[test]
fn top_shows_what_hosts_publish_from_now_on() {
    let fleet = Fleet::start(4);
    output(&mut fleet.publish(&fleet.capture("before.rtc", 900, 20), "web-1", 4));
    let url = fleet.server.url();
    let mut screen = Screen::run(&host(&["top", &url]), (120, 40));
    screen.wait_for(&format!("fleet at {url}"));
    screen.wait_for("0 events");
    output(&mut fleet.publish(&fleet.capture("a.rtc", 321, 1), "web-2", 4));
    screen.wait_for("321 events");
    screen.press("q");
    let left = screen.left();
    assert_eq!(left.status.code(), Some(0), "{}", left.text);
    let screen = Screen::run(&host(&["top", &url, "--since", "1h"]), (120, 40));
    screen.wait_for("1221 events");
}

#[test]
fn a_broker_that_cannot_be_read_is_one_clear_line() {
    let not_there = format!("nats://127.0.0.1:{}", free_port());
    let not_set_up = Server::start();
    let closed = Server::with(&Options {
        more: "authorization { user: \"me\", password: \"right\" }\n".to_owned(),
        ..Options::default()
    });
    let directory = tempfile::tempdir().expect("a directory");
    let password = directory.path().join("password");
    fs::write(&password, "wrong").expect("a file");
    let password = password.to_str().expect("UTF-8");
    let page = directory.path().join("page.html");
    let page = page.to_str().expect("UTF-8");
    let refused = |url: &str, more: &[&str], expected: &str| {
        for command in [&["replay", url][..], &["report", url, "-o", page]] {
            let output = host(command).args(more).output().expect("the program");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(expected) && said.contains(url), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        let arguments = [&["top", url][..], more].concat();
        let left = Screen::run(&host(&arguments), (120, 40)).left();
        assert_eq!(left.status.code(), Some(1), "{}", left.text);
        assert!(left.text.contains(expected), "{}", left.text);
    };
    refused(&not_there, &[], "cannot reach the broker");
    refused(&not_set_up.url(), &[], "is not set up: run `retrans-host");
    let wrong = ["--nats-user", "me", "--nats-password", password];
    refused(&closed.url(), &wrong, "refuses the connection");
}

#[test]
fn a_user_who_may_not_read_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = run(&[
        "fleet",
        "server-config",
        "web-1",
        "--listen",
        "127.0.0.1:PORT",
        "--store",
        "STORE",
    ]);
    let server = Server::with(&Options {
        configuration: Some(text.clone()),
        ..Options::default()
    });
    let password = |user: &str| {
        let begin = format!("user: \"{user}\", password: \"");
        let at = text.find(&begin).expect("a user") + begin.len();
        let rest = &text[at..];
        let path = directory.path().join(user);
        fs::write(&path, &rest[..rest.find('"').expect("a quote")]).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let as_user = |arguments: &[&str], user: &str| {
        let mut command = host(arguments);
        command.args(["--nats-user", user, "--nats-password", &password(user)]);
        command.output().expect("the program")
    };
    let url = server.url();
    let arguments = ["fleet", "init", &url, "--max-bytes", "256MiB"];
    assert!(as_user(&arguments, "admin").status.success());
    let read = as_user(&["replay", &url], "consumer");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    let refused = as_user(&["replay", &url], "agent-web-1");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("does not permit it"), "{said}");
}
