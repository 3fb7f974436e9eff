//! Sinks over the network: what arrives at real receivers in a replay.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::ALERTS;
use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::ledger::Ledger;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::text;
use crate::receivers::alertmanager::Alertmanager;
use crate::receivers::eventually;
use crate::receivers::free_port;
use crate::receivers::receiver::Receiver;
use crate::receivers::rotel::Rotel;
use crate::receivers::tls::Certificates;

/// What became of what a sink was given: received, sent, queued, dropped, failed.
#[track_caller]
fn counted(ledger: &Ledger, sink: &str) -> [u64; 5] {
    let sink = ledger.sinks.get(sink);
    let sink = sink.unwrap_or_else(|| panic!("{:?}", ledger.sinks));
    ["in", "sent", "queued", "dropped", "failed"].map(|name| sink.get(name))
}

/// A directory with the lines of events of these connections.
fn events(events: usize, connections: usize) -> (Files, String) {
    let files = Files::new();
    let (events, connections) = (events.to_string(), connections.to_string());
    let options = ["--events", &events, "--connections", &connections];
    generated(files.path(), "a.rtc", &options);
    let lines = printed(files.path(), &["a.rtc"]);
    (files, lines)
}

/// A replay that goes on until its standard input ends.
struct Running {
    child: Child,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = (stdout.expect("a pipe"), stderr.expect("a pipe"));
        Running {
            child,
            stdout: std::thread::spawn(|| text(stdout)),
            stderr: std::thread::spawn(|| text(stderr)),
        }
    }

    fn write(&mut self, lines: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(lines.as_bytes()).expect("it reads");
        stdin.flush().expect("it reads");
    }

    /// Ends the run. Returns the alerts of `--alerts json`, and standard error.
    #[track_caller]
    fn end(mut self) -> (Vec<Value>, String) {
        drop(self.child.stdin.take());
        let status = ends_within(&mut self.child, WAIT_TIMEOUT);
        let stderr = self.stderr.join().expect("it is read");
        assert!(status.success(), "{stderr}");
        assert!(!stderr.contains("does not balance"), "{stderr}");
        let stdout = self.stdout.join().expect("it is read");
        let alerts = stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        (alerts.collect(), stderr)
    }
}

/// A replay of lines on standard input, which raises an alert for each peer, with these options.
fn replay(files: &Path, options: &[&str]) -> Running {
    let arguments = [&["replay", "-", "--alerts", "json"], ALERTS, options].concat();
    Running::start(host(files, &arguments))
}

fn label<'a>(alert: &'a Value, name: &str) -> &'a str {
    alert["labels"][name].as_str().unwrap_or_default()
}

#[test]
fn what_arrives_is_what_the_ledger_counts() {
    const EVENTS: usize = 600;
    let (files, lines) = events(EVENTS, 20);
    let (alertmanager, receiver, rotel) =
        (Alertmanager::start(), Receiver::start(&[]), Rotel::start());
    let mut running = replay(
        files.path(),
        &[
            &format!("--sink=alertmanager=http://localhost:{}", alertmanager.port),
            "--sink-set=labels.site=fra",
            "--sink-set=instance=web-1",
            &format!("--sink=webhook={}", receiver.url()),
            "--sink-set=again-after=0s",
            &format!("--sink=otlp=http://127.0.0.1:{}", rotel.port),
            "--sink-set=attributes.deployment.environment.name=test",
            "--external-url=https://grafana.example.com/d/x",
        ],
    );
    running.write(&lines);
    let of_events = || {
        rotel
            .output()
            .matches("EventName: retrans.retransmit")
            .count()
    };
    eventually("all events at the collector", || {
        (of_events() == EVENTS).then_some(())
    });
    receiver.wait_for(20);
    alertmanager.wait_for(&["retransmit-threshold"; 20]);
    let (alerts, stderr) = running.end();
    let ledger = Ledger::of(&stderr);
    let number = alerts.len() as u64;

    let sink = format!("alertmanager/localhost:{}", alertmanager.port);
    assert_eq!(counted(&ledger, &sink), [number, number, 0, 0, 0]);
    let arrived = alertmanager.alerts();
    let peers = |alerts: &[Value]| -> BTreeSet<String> {
        let peers = alerts.iter().map(|alert| label(alert, "peer").to_owned());
        peers.collect()
    };
    assert_eq!(peers(&arrived), peers(&alerts));
    for alert in &arrived {
        for (name, value) in [
            ("plugin", "threshold-alert"),
            ("instance", "web-1"),
            ("site", "fra"),
            ("severity", "warning"),
        ] {
            assert_eq!(label(alert, name), value, "{alert}");
        }
        assert_eq!(alert["generatorURL"], "https://grafana.example.com/d/x");
    }

    let sink = format!("webhook/127.0.0.1:{}", receiver.port);
    assert_eq!(counted(&ledger, &sink), [number, number, 0, 0, 0]);
    let bodies: Vec<Value> = receiver
        .wait_for(alerts.len())
        .iter()
        .map(|request| request.body())
        .collect();
    assert_eq!(bodies.len(), alerts.len());
    for (body, alert) in bodies.iter().zip(&alerts) {
        for name in [
            "timestamp",
            "plugin",
            "name",
            "state",
            "summary",
            "labels",
            "event",
        ] {
            assert_eq!(body[name], alert[name], "{name}");
        }
    }

    let sink = format!("otlp/logs/127.0.0.1:{}", rotel.port);
    let records = number + EVENTS as u64;
    assert_eq!(counted(&ledger, &sink), [records, records, 0, 0, 0]);
    let output = rotel.output();
    let of_alerts = output.matches("EventName: retrans.alert").count();
    assert_eq!((of_events(), of_alerts), (EVENTS, alerts.len()));
    for attribute in [
        "-> service.name: Str(retrans-host)",
        "-> deployment.environment.name: Str(test)",
        "-> os.version: Str(",
    ] {
        assert!(output.contains(attribute), "{attribute}");
    }

    // The last set of metrics has the counters of the ledger.
    let sink = format!("otlp/metrics/127.0.0.1:{}", rotel.port);
    let [received, sent, 0, dropped, 0] = counted(&ledger, &sink) else {
        panic!("all are sent: {stderr}");
    };
    assert_eq!(received, sent + dropped);
    let values = last_values(&output, "retrans.source.events", "outcome");
    assert_eq!(values["delivered"], EVENTS.to_string());
    let values = last_values(&output, "retrans.plugin.events", "outcome");
    assert_eq!(values["kept"], EVENTS.to_string());
}

/// The values of the last set of a metric that rotel has shown, by an attribute.
fn last_values(output: &str, name: &str, attribute: &str) -> BTreeMap<String, String> {
    let (_, metric) = output
        .rsplit_once(&format!("Name: {name}\n"))
        .unwrap_or_else(|| panic!("no {name}"));
    let metric = metric.split("Metric #").next().unwrap_or(metric);
    let mut key = String::new();
    let mut values = BTreeMap::new();
    for line in metric.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix(&format!("-> {attribute}: Str(")) {
            key = text.trim_end_matches(')').to_owned();
        }
        if let Some(value) = line.strip_prefix("Value: ") {
            values.insert(key.clone(), value.to_owned());
        }
    }
    values
}

#[test]
fn a_configuration_file_has_secrets_and_a_template() {
    let (files, lines) = events(40, 1);
    let receiver = Receiver::start(&["--key", "of the receiver"]);
    files.write("url", format!("{}\n", receiver.url()));
    files.write("key", "of the receiver\n");
    files.write("token", "open sesame\n");
    files.write(
        "slack.json",
        r#"{"text": {{ severity ~ " " ~ name ~ " on " ~ instance }}}"#,
    );
    files.write(
        "config.toml",
        "[[sink]]\ntype = 'webhook'\nname = 'slack'\nurl-file = 'url'\nhmac-file = 'key'\n\
         token-file = 'token'\ntemplate-file = 'slack.json'\ninstance = 'web-1'\n",
    );
    let (shown, _) = ran(&mut host(files.path(), &["config", "show", "config.toml"]));
    assert!(shown.contains("url-file = \"url\""), "{shown}");
    // A replay has no configuration file: the same on the command line.
    let options = [
        "--sink=webhook",
        "--sink-set=name=slack",
        "--sink-set=url-file=url",
        "--sink-set=hmac-file=key",
        "--sink-set=token-file=token",
        "--sink-set=template-file=slack.json",
        "--sink-set=instance=web-1",
    ];
    let mut running = replay(files.path(), &options);
    running.write(&lines);
    let requests = receiver.wait_for(1);
    let (_, stderr) = running.end();
    assert_eq!(requests[0].json["genuine"], true);
    assert_eq!(
        requests[0].header("authorization"),
        Some("Bearer open sesame")
    );
    assert_eq!(
        requests[0].body()["text"],
        "warning retransmit-threshold on web-1"
    );
    let sink = format!("slack/127.0.0.1:{}", receiver.port);
    let [received, sent, ..] = counted(&Ledger::of(&stderr), &sink);
    assert_eq!(received, sent);
}

#[test]
fn an_alert_ends_if_it_is_not_raised_again_unless_its_plugin_resolves_alerts() {
    let (files, lines) = events(40, 1);
    files.write(
        "copy.wasm",
        include_bytes!(concat!(env!("OUT_DIR"), "/threshold_alert.wasm")),
    );
    let alertmanager = Alertmanager::start();
    let sink = format!("--sink=alertmanager={}", alertmanager.url());
    let options = [
        // What a plugin of a file does is not known.
        "--plugin=./copy.wasm",
        "--set=threshold=1",
        &sink,
        "--sink-set=resolve-after=3s",
        "--sink-set=repeat=1s",
    ];
    let mut running = replay(files.path(), &options);
    running.write(&lines);
    let plugins = || -> Vec<String> {
        let alerts = alertmanager.alerts();
        let plugins = alerts.iter().map(|alert| label(alert, "plugin").to_owned());
        plugins.collect::<BTreeSet<_>>().into_iter().collect()
    };
    eventually("alerts of both", || {
        (plugins() == ["copy", "threshold-alert"]).then_some(())
    });
    eventually("the end of one", || {
        (plugins() == ["threshold-alert"]).then_some(())
    });
    let (alerts, _) = running.end();
    assert!(
        alerts.iter().all(|alert| alert["state"] == "firing"),
        "{alerts:#?}"
    );
}

#[test]
fn a_webhook_is_trusted_with_the_authority_of_a_file() {
    let (files, lines) = events(40, 1);
    let certificates = Certificates::new();
    let [authority, certificate, key] = [
        certificates.authority(),
        certificates.certificate(),
        certificates.key(),
    ]
    .map(|path| path.display().to_string());
    let receiver = Receiver::start(&["--certificate", &certificate, "--private-key", &key]);
    let sink = format!("--sink=webhook=https://127.0.0.1:{}/", receiver.port);
    let mut running = replay(
        files.path(),
        &[&sink, &format!("--sink-set=ca-file={authority}")],
    );
    running.write(&lines);
    receiver.wait_for(1);
    running.end();
}

#[test]
fn more_alerts_than_the_limit_are_held_back_and_one_says_so() {
    let (files, lines) = events(600, 20);
    let alertmanager = Alertmanager::start();
    let sink = format!("--sink=alertmanager={}", alertmanager.url());
    let mut running = replay(files.path(), &[&sink, "--alerts-per-minute=5"]);
    running.write(&lines);
    let mut expected = vec!["retransmit-threshold"; 5];
    expected.insert(0, "alert-limit");
    alertmanager.wait_for(&expected);
    let (alerts, stderr) = running.end();
    let number = alerts.len() as u64;
    let sink = format!("alertmanager/127.0.0.1:{}", alertmanager.port);
    let [received, sent, queued, dropped, failed] = counted(&Ledger::of(&stderr), &sink);
    // And the one about the limit.
    assert_eq!((received, queued, failed), (number + 1, 0, 0));
    let held_back = alerts
        .iter()
        .map(|alert| label(alert, "peer"))
        .collect::<BTreeSet<_>>()
        .len() as u64
        - 5;
    assert!(dropped >= held_back, "{stderr}");
    assert_eq!(sent + dropped, received);
}

#[test]
fn a_receiver_that_is_away_does_not_delay_the_events_and_what_is_left_is_counted() {
    let files = Files::new();
    let options = ["--events", "3k", "--connections", "50"];
    generated(files.path(), "a.rtc", &options);
    let port = free_port();
    let mut command = host(files.path(), &["replay", "a.rtc"]);
    command.args(ALERTS).args([
        &format!("--sink=alertmanager=http://127.0.0.1:{port}"),
        &format!("--sink=webhook=http://127.0.0.1:{port}/secret"),
    ]);
    let (_, stderr) = ran(&mut command);
    let ledger = Ledger::of(&stderr);
    for sink in ["alertmanager", "webhook"] {
        let name = format!("{sink}/127.0.0.1:{port}");
        assert_eq!(counted(&ledger, &name), [50, 0, 50, 0, 0], "{sink}");
        let warning = format!("WARN {sink} 127.0.0.1:{port}: cannot deliver: ");
        assert!(stderr.contains(&warning), "{stderr}");
    }
    assert!(!stderr.contains("secret"), "{stderr}");
}
