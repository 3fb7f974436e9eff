//! Alerts at a real Alertmanager.

mod support;

use std::io::BufRead as _;
use std::io::BufReader;
use std::num::NonZeroU32;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use retrans_deliver::Config;
use retrans_deliver::Retry;
use retrans_deliver::Severity;
use retrans_deliver::State;
use retrans_deliver::alertmanager;
use retrans_deliver::http::Auth;
use serde_json::json;

use support::Network;
use support::PATIENCE;
use support::Process;
use support::alert;
use support::alertmanager::Alertmanager;
use support::eventually;
use support::free_port;
use support::tls::Certificates;

const SECOND: Duration = Duration::from_secs(1);

/// Alerts are repeated each second, and a receiver that failed is tried again within half a second.
fn config(urls: Vec<String>) -> alertmanager::Config {
    alertmanager::Config {
        repeat: SECOND,
        retry: Retry {
            first: Duration::from_millis(100),
            max: Duration::from_millis(500),
        },
        ..alertmanager::Config::new(urls, "web-1")
    }
}

fn start(config: alertmanager::Config) -> Network {
    Network::start(&Config {
        alertmanagers: vec![config],
        ..Config::default()
    })
}

#[test]
fn an_alert_fires_and_is_resolved() {
    let alertmanager = Alertmanager::start();
    let network = start(alertmanager::Config {
        external_url: Some("https://grafana.example.com/d/retrans?var-host=web-1".to_owned()),
        labels: vec![("site".to_owned(), "fra".to_owned())],
        ..config(vec![alertmanager.url()])
    });
    network.send("loss", State::Firing);
    let alerts = alertmanager.wait_for(&["loss"]);
    let labels = json!({
        "alertname": "loss", "plugin": "ratio", "instance": "web-1", "severity": "warning", "peer": "10.0.0.2",
        "site": "fra",
    });
    assert_eq!(alerts[0]["labels"], labels);
    let annotations = json!({
        "summary": "loss is firing", "source": "10.0.0.1:40000", "destination": "10.0.0.2:443",
    });
    assert_eq!(alerts[0]["annotations"], annotations);
    assert_eq!(
        alerts[0]["generatorURL"],
        "https://grafana.example.com/d/retrans?var-host=web-1"
    );
    assert_eq!(alerts[0]["status"]["state"], "active");

    network.send("loss", State::Resolved);
    alertmanager.wait_for(&[]);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(
        counted.name,
        format!("alertmanager 127.0.0.1:{}", alertmanager.port)
    );
    assert_eq!(
        (counted.received, counted.sent, counted.last_error),
        (2, 2, None)
    );
}

#[test]
fn an_alert_is_repeated_and_ends_when_it_is_not_raised_again() {
    let alertmanager = Alertmanager::start();
    let network = start(alertmanager::Config {
        resolve_after: SECOND * 8,
        ..config(vec![alertmanager.url()])
    });
    let begin = Instant::now();
    network.send("timeout", State::Firing);
    alertmanager.wait_for(&["timeout"]);
    // Without repetitions it would end after four seconds.
    while begin.elapsed() < SECOND * 6 {
        assert_eq!(
            alertmanager.names(),
            ["timeout"],
            "after {:?}",
            begin.elapsed()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    alertmanager.wait_for(&[]);
    let after = begin.elapsed();
    assert!(after >= SECOND * 8, "it ended after {after:?}");
    // Neither the repetitions nor the end are new alerts.
    let counted = network.counted(0);
    assert_eq!((counted.received, counted.sent), (1, 1));
}

#[test]
fn names_of_labels_are_mapped_and_two_that_become_one_are_both_kept() {
    let alertmanager = Alertmanager::start();
    let network = start(config(vec![alertmanager.url()]));
    let mut alert = alert("loss", State::Firing);
    let labels = [
        ("container.id", "7f"),
        ("container_id", "80"),
        ("instance", "db"),
        ("größe", "1"),
        ("5xx", "2"),
        ("", "3"),
    ];
    alert.labels = labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    network.outlets.send(&[alert]);
    let alerts = alertmanager.wait_for(&["loss"]);
    let expected = json!({
        "alertname": "loss", "plugin": "ratio", "instance": "web-1", "severity": "warning", "container_id": "80",
        "container_id_2": "7f", "exported_instance": "db", "gr__e": "1", "_5xx": "2", "_": "3",
    });
    assert_eq!(alerts[0]["labels"], expected);
    assert_eq!(network.counted(0).sent, 1);
}

#[test]
fn equal_alerts_of_two_hosts_are_two() {
    let alertmanager = Alertmanager::start();
    let second = alertmanager::Config {
        instance: "web-2".to_owned(),
        ..config(vec![alertmanager.url()])
    };
    let networks = [start(config(vec![alertmanager.url()])), start(second)];
    networks
        .iter()
        .for_each(|network| network.send("loss", State::Firing));
    alertmanager.wait_for(&["loss", "loss"]);
    networks[0].send("loss", State::Resolved);
    let alerts = alertmanager.wait_for(&["loss"]);
    assert_eq!(alerts[0]["labels"]["instance"], "web-2");
}

#[test]
fn a_new_severity_ends_the_alert_before_it() {
    let alertmanager = Alertmanager::start();
    let network = start(config(vec![alertmanager.url()]));
    network.send("loss", State::Firing);
    alertmanager.wait_for(&["loss"]);
    let mut critical = alert("loss", State::Firing);
    critical.severity = Severity::Critical;
    network.outlets.send(&[critical]);
    eventually("the critical one alone", || {
        let alerts = alertmanager.alerts();
        (alerts.len() == 1 && alerts[0]["labels"]["severity"] == "critical").then_some(())
    });
}

#[test]
fn of_a_request_that_is_refused_only_the_bad_alert_is_lost() {
    let alertmanager = Alertmanager::start();
    let (_proxy, port, requests) = poison(alertmanager.port);
    let network = start(alertmanager::Config {
        repeat: SECOND * 60,
        ..config(vec![format!("http://127.0.0.1:{port}")])
    });
    let mut bad = alert("bad", State::Firing);
    bad.labels.push(("poison".to_owned(), "x".to_owned()));
    network
        .outlets
        .send(&[alert("a", State::Firing), bad, alert("c", State::Firing)]);
    let counted = network.wait_until(0, "all are told", |counted| counted.queued == 0);
    assert_eq!((counted.sent, counted.failed), (2, 1));
    let cause = counted.last_error.expect("an error").cause;
    assert!(
        cause.starts_with("it answered 400 Bad Request: ") && cause.contains("poi.son"),
        "{cause}"
    );
    assert_eq!(alertmanager.names(), ["a", "c"]);
    let seen: Vec<String> = requests.try_iter().collect();
    assert_eq!(seen, ["3 400", "1 200", "1 400", "1 200"]);
}

/// A proxy before an Alertmanager that spoils alerts with the label `poison`: its port, and what it saw.
fn poison(alertmanager: u16) -> (Process, u16, mpsc::Receiver<String>) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/poison.py");
    let mut command = Command::new("python3");
    command
        .args([script, &alertmanager.to_string()])
        .stdout(Stdio::piped());
    let mut process = Process::start(&mut command, "python3");
    let mut lines = BufReader::new(process.0.stdout.take().expect("a pipe")).lines();
    let port = lines
        .next()
        .expect("a port")
        .expect("a port")
        .parse()
        .expect("a port");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (process, port, receiver)
}

#[test]
fn alerts_wait_for_an_alertmanager_that_is_away_and_come_back_to_one_that_was_restarted() {
    let mut alertmanager = Alertmanager::start();
    let network = start(config(vec![alertmanager.url()]));
    network.send("before", State::Firing);
    network.send("ended", State::Firing);
    alertmanager.wait_for(&["before", "ended"]);

    alertmanager.kill();
    network.send("meanwhile", State::Firing);
    network.send("ended", State::Resolved);
    let counted = network.wait_until(0, "it fails", |counted| counted.last_error.is_some());
    assert_eq!((counted.sent, counted.queued), (2, 2));
    let cause = counted.last_error.expect("an error").cause;
    assert!(cause.contains("Connection refused"), "{cause}");
    std::thread::sleep(SECOND * 2);

    alertmanager.restart();
    alertmanager.wait_for(&["before", "meanwhile"]);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!((counted.received, counted.sent), (4, 4));
}

#[test]
fn a_replica_that_is_away_does_not_hold_up_the_other() {
    let alertmanager = Alertmanager::start();
    let away = format!("http://127.0.0.1:{}", free_port());
    let network = start(config(vec![away, alertmanager.url()]));
    network.send("loss", State::Firing);
    alertmanager.wait_for(&["loss"]);
    network.wait_until(0, "the first one fails", |counted| {
        counted.last_error.is_some()
    });
    network.wait_until(1, "the second one has it", |counted| counted.sent == 1);

    let begin = Instant::now();
    let counted = network.finish(SECOND);
    assert!(
        begin.elapsed() < SECOND * 4,
        "the end took {:?}",
        begin.elapsed()
    );
    assert_eq!((counted[0].received, counted[0].queued), (1, 1));
    assert_eq!((counted[1].received, counted[1].sent), (1, 1));
}

#[test]
fn beyond_the_limit_one_alert_says_so() {
    let alertmanager = Alertmanager::start();
    let network = Network::start(&Config {
        alerts_per_minute: NonZeroU32::new(2),
        alertmanagers: vec![config(vec![alertmanager.url()])],
        ..Config::default()
    });
    for name in ["a", "b", "c", "d", "a", "b"] {
        network.send(name, State::Firing);
    }
    let alerts = alertmanager.wait_for(&["a", "alert-limit", "b"]);
    assert_eq!(alerts[1]["labels"]["plugin"], "ratio");
    let counted = network.finish(PATIENCE).swap_remove(0);
    // Six were raised, and the one about the limit.
    assert_eq!((counted.received, counted.sent, counted.dropped), (7, 5, 2));
}

#[test]
fn what_is_raised_just_before_the_end_arrives() {
    let alertmanager = Alertmanager::start();
    let network = start(config(vec![alertmanager.url()]));
    let names: Vec<String> = (0..200).map(|number| format!("a{number:03}")).collect();
    let alerts: Vec<_> = names
        .iter()
        .map(|name| alert(name, State::Firing))
        .collect();
    network.outlets.send(&alerts);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!((counted.received, counted.sent), (200, 200));
    assert_eq!(alertmanager.names(), names);
}

#[test]
fn a_password_and_tls_are_used() {
    let certificates = Certificates::new();
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let password = file("password", "open sesame\n".to_owned());
    // Of bcrypt, with the fewest rounds.
    let hash = "$2b$04$aP8ec.WItsE05TIeQf3Nvu8lVq9m7RHC03SOPwki3xu3Ur1YpFzcC";
    let web = file(
        "web.yml",
        format!(
            "tls_server_config: {{cert_file: {}, key_file: {}}}\nbasic_auth_users: {{me: {hash}}}\n",
            certificates.certificate().display(),
            certificates.key().display()
        ),
    );
    let option = format!("--web.config.file={}", web.display());
    let alertmanager = Alertmanager::start_on(free_port(), &[option]);
    let url = format!("https://127.0.0.1:{}", alertmanager.port);
    let mut right = config(vec![url]);
    right.http.ca_file = Some(certificates.authority());
    let without_password = right.clone();
    right.http.auth = Some(Auth::Basic {
        user: "me".to_owned(),
        password_file: password,
    });

    let network = start(without_password);
    network.send("loss", State::Firing);
    let counted = network.wait_until(0, "it fails", |counted| counted.last_error.is_some());
    let cause = counted.last_error.expect("an error").cause;
    assert!(cause.starts_with("it answered 401 Unauthorized"), "{cause}");
    assert_eq!(counted.queued, 1);

    let network = start(right);
    network.send("loss", State::Firing);
    network.wait_until(0, "it arrives", |counted| counted.sent == 1);
}
