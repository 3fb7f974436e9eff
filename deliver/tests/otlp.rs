//! Events, alerts and metrics at a real collector of OTLP, and at one that does not accept them.

mod support;

use std::time::Duration;

use retrans_deliver::Config;
use retrans_deliver::Counted;
use retrans_deliver::EventRecord;
use retrans_deliver::Retry;
use retrans_deliver::State;
use retrans_deliver::otlp;
use retrans_deliver::otlp::Distribution;
use retrans_deliver::otlp::Metric;
use retrans_deliver::otlp::Metrics;
use retrans_deliver::otlp::Point;
use retrans_deliver::otlp::Values;
use retrans_deliver::otlp::environment::Kind;
use retrans_event::synth::Synth;

use support::Network;
use support::PATIENCE;
use support::receiver::Receiver;
use support::rotel::Rotel;

/// A collector that the environment names; a receiver that failed is tried again within 200 ms.
fn start(port: u16, kinds: &[Kind], variables: &[(&str, &str)]) -> Network {
    let endpoint = format!("http://127.0.0.1:{port}");
    let get = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        _ => {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    };
    let config = otlp::environment::read(otlp::Config::new("web-1"), kinds, &get);
    let config = otlp::Config {
        retry: Retry {
            first: Duration::from_millis(100),
            max: Duration::from_millis(200),
        },
        ..config.expect("variables")
    };
    Network::start(&Config {
        otlp: vec![config],
        ..Config::default()
    })
}

/// The part of the output between a text and the next of another one.
fn part<'a>(output: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = output
        .split_once(from)
        .unwrap_or_else(|| panic!("no {from:?} in {output}"));
    rest.split(to).next().unwrap_or(rest)
}

fn has_lines(part: &str, expected: &[&str]) {
    for line in expected {
        assert!(
            part.lines().any(|other| other.trim() == *line),
            "no {line:?} in {part}"
        );
    }
}

#[test]
fn an_event_and_an_alert_arrive_as_log_records() {
    let rotel = Rotel::start();
    let variables = [(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment.name=test",
    )];
    let network = start(rotel.port, &[Kind::Logs], &variables);
    let event = Synth::new(1).next().expect("an event");
    network.outlets.send_events(&[EventRecord {
        record: event.as_bytes(),
        labels: &[
            ("container.id", "0123456789abcdef"),
            ("k8s.container.name", "db"),
            ("k8s.namespace.name", "shop"),
            ("k8s.pod.name", "db-0"),
            ("k8s.pod.uid", "f1"),
            ("site", "fra"),
        ],
    }]);
    network.send("loss", State::Firing);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(counted.name, format!("otlp logs 127.0.0.1:{}", rotel.port));
    assert_eq!(
        (counted.received, counted.sent, counted.last_error),
        (2, 2, None)
    );

    rotel.wait_for("EventName: retrans.retransmit");
    let output = rotel.wait_for("EventName: retrans.alert");
    // Its container and its pod are those of the resource.
    let resource = part(&output, "-> container.id", "ScopeLogs");
    let expected = [
        "-> host.name: Str(web-1)",
        "-> k8s.container.name: Str(db)",
        "-> k8s.namespace.name: Str(shop)",
        "-> k8s.pod.name: Str(db-0)",
        "-> k8s.pod.uid: Str(f1)",
        "-> service.name: Str(retrans-host)",
    ];
    has_lines(resource, &expected);
    has_lines(
        resource,
        &[
            "-> deployment.environment.name: Str(test)",
            ": Str(0123456789abcdef)",
        ],
    );
    let json = serde_json::to_value(&*event).expect("JSON");
    let record = part(&output, "EventName: retrans.retransmit", "Trace ID");
    let expected = [
        "-> network.transport: Str(tcp)".to_owned(),
        "-> network.type: Str(ipv4)".to_owned(),
        "-> network.connection.state: Str(established)".to_owned(),
        format!("-> network.local.address: Str({})", event.local_address()),
        format!("-> network.peer.port: Int({})", event.peer_port()),
        format!("-> process.pid: Int({})", json["owner"]["pid"]),
        format!("-> retrans.tcp.srtt_us: Int({})", json["tcp"]["srtt_us"]),
        "-> retrans.retransmit.sent: Bool(true)".to_owned(),
        "-> retrans.label.site: Str(fra)".to_owned(),
    ];
    has_lines(record, &expected.each_ref().map(String::as_str));
    // And one for the transport, one for the label.
    let attributes = record
        .lines()
        .filter(|line| line.trim().starts_with("->"))
        .count();
    assert_eq!(attributes, values(&json) + 2, "{record}");

    let alert = part(&output, "EventName: retrans.alert", "Trace ID");
    let expected = [
        "-> retrans.alert.name: Str(loss)",
        "-> network.peer.address: Str(10.0.0.2)",
        "Body: Str(loss is firing)",
    ];
    has_lines(alert, &expected);
    assert!(
        output.contains("SEVERITY_NUMBER_WARN(13)") && output.contains("SEVERITY_NUMBER_INFO(9)"),
        "{output}"
    );
}

/// Number of values that become attributes: all but numbers beside names, and on the top level the type, the time and `pid`.
fn values(json: &serde_json::Value) -> usize {
    let Some(object) = json.as_object() else {
        return 1;
    };
    let is_top = object.contains_key("timestamp");
    let left_out = |key: &str| {
        key.ends_with("_number") || is_top && ["type", "timestamp", "pid"].contains(&key)
    };
    let wanted = object.iter().filter(|(key, _)| !left_out(key));
    wanted.map(|(_, value)| values(value)).sum()
}

#[test]
fn metrics_arrive() {
    let rotel = Rotel::start();
    let network = start(rotel.port, &[Kind::Metrics], &[]);
    let metric = |name: &str, unit: &str, values| Metric {
        name: name.to_owned(),
        description: format!("Description of {name}"),
        unit: unit.to_owned(),
        values,
    };
    let distribution = Distribution {
        bounds: vec![0.5],
        counts: vec![1, 2],
        sum: Some(4.5),
    };
    network.outlets.send_metrics(Metrics {
        start: Duration::from_secs(1_800_000_000),
        at: Duration::from_secs(1_800_000_060),
        metrics: vec![
            metric(
                "retrans.events",
                "{event}",
                Values::Counter(vec![point("fast", 7), point("timeout", 9)]),
            ),
            metric(
                "retrans.plugins",
                "{plugin}",
                Values::Gauge(vec![point("all", 2.5)]),
            ),
            metric(
                "retrans.cpu",
                "s",
                Values::Time(vec![point("all", Duration::from_millis(1_250))]),
            ),
            metric(
                "retrans.rtt",
                "s",
                Values::Histogram(vec![point("fast", distribution)]),
            ),
        ],
    });
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(
        (counted.received, counted.sent, counted.last_error),
        (1, 1, None)
    );
    let output = rotel.wait_for("Name: retrans.rtt");
    let sum = part(&output, "Name: retrans.events", "Metric #");
    let cumulative = "-> AggregationTemporality: AGGREGATION_TEMPORALITY_CUMULATIVE";
    has_lines(
        sum,
        &[
            "-> DataType: Sum",
            "-> IsMonotonic: true",
            cumulative,
            "-> Unit: {event}",
            "Value: 7",
            "Value: 9",
        ],
    );
    has_lines(
        sum,
        &[
            "-> kind: Str(timeout)",
            "StartTimestamp: 1800000000000000000",
            "Timestamp: 1800000060000000000",
        ],
    );
    has_lines(
        part(&output, "Name: retrans.plugins", "Metric #"),
        &["-> DataType: Gauge", "Value: 2.5"],
    );
    has_lines(
        part(&output, "Name: retrans.cpu", "Metric #"),
        &[
            "-> DataType: Sum",
            "-> IsMonotonic: true",
            cumulative,
            "Value: 1.25",
        ],
    );
    let rtt = part(&output, "Name: retrans.rtt", "Metric #");
    has_lines(
        rtt,
        &[
            "-> DataType: Histogram",
            cumulative,
            "Count: 3",
            "Sum: 4.5",
            "Buckets #1, Count: 2",
        ],
    );
}

fn point<T>(kind: &str, value: T) -> Point<T> {
    Point {
        attributes: vec![("kind".to_owned(), kind.to_owned())],
        value,
    }
}

#[test]
fn many_events_arrive_and_all_are_counted() {
    let rotel = Rotel::start();
    let network = start(rotel.port, &[Kind::Logs], &[]);
    let events: Vec<_> = Synth::new(7).take(2_000).collect();
    for batch in events.chunks(256) {
        let batch: Vec<_> = batch
            .iter()
            .map(|event| EventRecord {
                record: event.as_bytes(),
                labels: &[],
            })
            .collect();
        network.outlets.send_events(&batch);
    }
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(
        (counted.received, counted.sent, counted.last_error),
        (2_000, 2_000, None)
    );
    support::eventually("2,000 records", || {
        (rotel
            .output()
            .matches("EventName: retrans.retransmit")
            .count()
            == 2_000)
            .then_some(())
    });
}

/// What a receiver that answers so gets, and what is counted.
fn with_answers(answers: &str, variables: &[(&str, &str)], requests: usize) -> (Receiver, Counted) {
    let receiver = Receiver::start(&["--answers", answers]);
    let network = start(receiver.port, &[Kind::Logs], variables);
    network.send("loss", State::Firing);
    network.send("loss", State::Resolved);
    receiver.wait_for(requests);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(counted.received, 2);
    (receiver, counted)
}

#[test]
fn a_collector_that_is_busy_gets_the_same_request_again() {
    let (receiver, counted) = with_answers(
        "503,429:1,close,200",
        &[("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b")],
        4,
    );
    assert_eq!(counted.sent, 2);
    let requests = receiver.requests();
    assert_eq!(requests[0].json["path"], "/v1/logs");
    assert_eq!(
        requests[0].header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
    assert_eq!(requests[0].header("x-tenant"), Some("a b"));
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(1));
}

#[test]
fn what_a_collector_refuses_is_counted_and_not_sent_again() {
    let (receiver, counted) = with_answers("500", &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")], 1);
    assert_eq!((counted.sent, counted.failed), (0, 2));
    receiver.is_left_alone(1);
    assert_eq!(receiver.requests()[0].header("content-encoding"), None);

    let (receiver, counted) = with_answers("partial", &[], 1);
    assert_eq!((counted.sent, counted.failed), (1, 1));
    let error = counted.last_error.expect("an error");
    assert_eq!(error.cause, "it refused a part: too old");
    receiver.is_left_alone(1);
}
