//! Alerts at a real receiver of webhooks, which answers as it should, or does not.

mod support;

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use retrans_deliver::Config;
use retrans_deliver::Counted;
use retrans_deliver::Retry;
use retrans_deliver::State;
use retrans_deliver::http::Auth;
use retrans_deliver::webhook;
use retrans_deliver::webhook::UrlSource;
use serde_json::json;

use support::Network;
use support::PATIENCE;
use support::alert;
use support::free_port;
use support::receiver::Receiver;
use support::tls::Certificates;

const SECOND: Duration = Duration::from_secs(1);

/// A receiver that failed is tried again within 200 ms, and one that does not answer is waited for half a second.
fn config(url: String) -> webhook::Config {
    let mut config = webhook::Config {
        retry: Retry {
            first: Duration::from_millis(100),
            max: Duration::from_millis(200),
        },
        ..webhook::Config::new(UrlSource::Text(url), "web-1")
    };
    config.http.timeout = SECOND / 2;
    config
}

fn start(config: webhook::Config) -> Network {
    Network::start(&Config {
        webhooks: vec![config],
        ..Config::default()
    })
}

/// A receiver that gives these answers, and the way to it.
fn receiver(answers: &str) -> (Receiver, Network) {
    let receiver = Receiver::start(&["--answers", answers]);
    let network = start(config(receiver.url()));
    (receiver, network)
}

fn file(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// The cause of the last failure.
fn cause(counted: &Counted) -> &str {
    let error = counted.last_error.as_ref().expect("an error");
    assert!(
        !error.cause.contains("secret"),
        "a URL is shown: {}",
        error.cause
    );
    &error.cause
}

fn fails(network: &Network) -> Counted {
    network.wait_until(0, "it fails", |counted| counted.last_error.is_some())
}

#[test]
fn an_alert_arrives_with_a_signature_that_another_implementation_verifies() {
    let directory = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start(&["--key", "of the receiver"]);
    let network = start(webhook::Config {
        // The first key is about to be replaced.
        key_file: Some(file(
            directory.path(),
            "keys",
            "an old one\nof the receiver\n",
        )),
        ..config(receiver.url())
    });
    network.send("loss", State::Firing);
    network.send("loss", State::Resolved);
    let requests = receiver.wait_for(2);
    for (request, state) in requests.iter().zip(["firing", "resolved"]) {
        assert_eq!(request.json["genuine"], true);
        assert_eq!(request.json["path"], "/services/T0/B0/secret");
        assert_eq!(request.header("content-type"), Some("application/json"));
        let body = request.body();
        assert_eq!(request.header("idempotency-key"), body["id"].as_str());
        assert_eq!(
            (&body["version"], &body["state"]),
            (&json!(1), &json!(state))
        );
        assert_eq!(
            body["event"]["destination"],
            json!({"ip": "10.0.0.2", "port": 443})
        );
    }
    assert_ne!(requests[0].body()["id"], requests[1].body()["id"]);
    // One connection for both.
    assert_eq!(requests[0].json["peer_port"], requests[1].json["peer_port"]);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!(counted.name, format!("webhook 127.0.0.1:{}", receiver.port));
    assert_eq!(
        (counted.received, counted.sent, counted.last_error),
        (2, 2, None)
    );
}

#[test]
fn another_key_does_not_verify() {
    let directory = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start(&["--key", "of the receiver"]);
    let network = start(webhook::Config {
        key_file: Some(file(directory.path(), "keys", "another one")),
        ..config(receiver.url())
    });
    network.send("loss", State::Firing);
    assert_eq!(receiver.wait_for(1)[0].json["genuine"], false);
}

#[test]
fn a_template_makes_the_body_of_slack() {
    let receiver = Receiver::start(&[]);
    let template = r#"{"text": {{ ":warning: *" ~ name ~ "* on " ~ instance ~ ": " ~ summary }},
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": {{ labels.peer|default("no peer") }}}}]}"#;
    let network = start(webhook::Config {
        template: Some(template.to_owned()),
        ..config(receiver.url())
    });
    let mut hostile = alert("loss", State::Firing);
    hostile.summary = "\"}, \"channel\": \"#all\"\n".to_owned();
    network.outlets.send(&[hostile]);
    let body = receiver.wait_for(1)[0].body();
    assert_eq!(
        body["text"],
        ":warning: *loss* on web-1: \"}, \"channel\": \"#all\"\n"
    );
    assert_eq!(body["blocks"][0]["text"]["text"], "10.0.0.2");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2));
}

#[test]
fn a_receiver_that_fails_gets_the_same_delivery_again() {
    let (receiver, network) = receiver("500,429:1,close,503,200");
    network.send("a", State::Firing);
    network.send("b", State::Firing);
    let requests = receiver.wait_for(6);
    let names: Vec<String> = requests
        .iter()
        .map(support::receiver::Request::name)
        .collect();
    assert_eq!(names, ["a", "a", "a", "a", "a", "b"]);
    for request in &requests[1..5] {
        assert_eq!(request.json["body"], requests[0].json["body"]);
        assert_eq!(
            request.header("idempotency-key"),
            requests[0].header("idempotency-key")
        );
    }
    let wait = requests[2].at - requests[1].at;
    assert!(
        wait >= SECOND,
        "Retry-After: 1, and the next attempt came after {wait:?}"
    );
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!((counted.received, counted.sent), (2, 2));
    assert!(
        cause(&counted).starts_with("it answered 503 Service Unavailable: this is 503\u{fffd}"),
        "{counted:?}"
    );
}

#[test]
fn an_alert_that_is_refused_is_counted_and_does_not_hold_up_the_next() {
    let (receiver, network) = receiver("400,413,200");
    for name in ["a", "b", "c"] {
        network.send(name, State::Firing);
    }
    receiver.wait_for(3);
    let counted = network.wait_until(0, "all are told", |counted| counted.queued == 0);
    assert_eq!((counted.sent, counted.failed), (1, 2));
    assert!(
        cause(&counted).starts_with("it answered 413 "),
        "{counted:?}"
    );
    receiver.is_left_alone(3);
}

#[test]
fn a_receiver_that_never_answers_is_tried_again() {
    let (receiver, network) = receiver("never,200");
    network.send("a", State::Firing);
    let requests = receiver.wait_for(2);
    assert!(requests[1].at - requests[0].at >= SECOND / 2);
    let counted = network.wait_until(0, "it arrives", |counted| counted.sent == 1);
    assert_eq!(cause(&counted), "it did not answer within 500ms");
}

#[test]
fn an_answer_without_an_end_is_not_read_to_its_end() {
    let (receiver, network) = receiver("endless,200");
    network.send("a", State::Firing);
    network.send("b", State::Firing);
    receiver.wait_for(2);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!((counted.sent, counted.last_error), (2, None));
}

#[test]
fn a_redirect_is_not_followed() {
    let target = Receiver::start(&[]);
    let (_receiver, network) = receiver(&format!("302:{}", target.url()));
    network.send("a", State::Firing);
    let counted = fails(&network);
    assert!(
        cause(&counted).contains("302 Found") && cause(&counted).contains("not followed"),
        "{counted:?}"
    );
    target.is_left_alone(0);
    assert_eq!(network.counted(0).queued, 1);
}

#[test]
fn a_delivery_that_never_succeeds_is_given_up_and_counted() {
    let receiver = Receiver::start(&["--answers", "500"]);
    let network = start(webhook::Config {
        max_age: SECOND,
        ..config(receiver.url())
    });
    network.send("a", State::Firing);
    let counted = network.wait_until(0, "it is given up", |counted| counted.queued == 0);
    assert_eq!((counted.sent, counted.failed), (0, 1));
    assert!(
        cause(&counted).starts_with("not delivered within 1 s: it answered 500 "),
        "{counted:?}"
    );
}

#[test]
fn alerts_wait_for_a_receiver_that_is_away() {
    let port = free_port();
    let network = start(config(format!("http://127.0.0.1:{port}/")));
    network.send("a", State::Firing);
    let counted = fails(&network);
    assert!(
        cause(&counted).contains("Connection refused"),
        "{counted:?}"
    );
    network.send("b", State::Firing);
    std::thread::sleep(SECOND);
    assert_eq!(network.counted(0).queued, 2);
    let receiver = Receiver::start(&["--port", &port.to_string()]);
    receiver.wait_for(2);
    let counted = network.finish(PATIENCE).swap_remove(0);
    assert_eq!((counted.received, counted.sent), (2, 2));
}

#[test]
fn the_end_of_a_run_does_not_wait_for_a_receiver_that_hangs() {
    let (receiver, network) = receiver("never");
    network.send("a", State::Firing);
    network.send("b", State::Firing);
    receiver.wait_for(1);
    let begin = Instant::now();
    let counted = network.finish(SECOND / 5).swap_remove(0);
    assert!(begin.elapsed() < SECOND * 3, "{:?}", begin.elapsed());
    assert_eq!((counted.received, counted.queued), (2, 2));
}

#[test]
fn a_name_that_cannot_be_looked_up_is_an_error_and_does_not_delay_the_end() {
    let network = start(config("http://no-such-host.invalid/".to_owned()));
    network.send("a", State::Firing);
    let counted = fails(&network);
    let begin = Instant::now();
    network.finish(SECOND / 5);
    assert!(begin.elapsed() < SECOND * 3, "{:?}", begin.elapsed());
    let cause = cause(&counted);
    assert!(
        cause.contains("failed to lookup address") || cause.contains("did not answer"),
        "{cause}"
    );
}

#[test]
fn a_server_is_trusted_only_with_a_certificate_of_a_trusted_authority_and_of_its_name() {
    let certificates = Certificates::new();
    let [certificate, key] =
        [certificates.certificate(), certificates.key()].map(|path| path.display().to_string());
    let receiver = Receiver::start(&["--certificate", &certificate, "--private-key", &key]);
    let url = format!("https://127.0.0.1:{}/", receiver.port);

    // The authority is not that of the system.
    let network = start(config(url.clone()));
    network.send("a", State::Firing);
    let counted = fails(&network);
    let expected = "its authority is not trusted here: set a file with it";
    assert!(
        cause(&counted).contains("invalid peer certificate") && cause(&counted).contains(expected),
        "{counted:?}"
    );
    assert_eq!(counted.queued, 1);

    // The certificate is for 127.0.0.1.
    let mut other_name = config(url.replace("127.0.0.1", "localhost"));
    other_name.http.ca_file = Some(certificates.authority());
    let network = start(other_name);
    network.send("a", State::Firing);
    let counted = fails(&network);
    assert!(
        cause(&counted).contains("not valid for name"),
        "{counted:?}"
    );
    receiver.is_left_alone(0);

    let mut right = config(url);
    right.http.ca_file = Some(certificates.authority());
    let network = start(right);
    network.send("a", State::Firing);
    receiver.wait_for(1);
    network.wait_until(0, "it arrives", |counted| counted.sent == 1);
}

#[test]
fn tls_to_a_server_without_it_fails() {
    let receiver = Receiver::start(&[]);
    let network = start(config(receiver.url().replace("http://", "https://")));
    network.send("a", State::Firing);
    let counted = fails(&network);
    assert!(!cause(&counted).is_empty());
    assert_eq!((counted.queued, counted.sent), (1, 0));
    receiver.is_left_alone(0);
}

#[test]
fn a_token_that_is_renewed_is_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let token = file(directory.path(), "token", "first\n");
    let receiver = Receiver::start(&[]);
    let mut config = config(receiver.url());
    config.http.auth = Some(Auth::Bearer {
        token_file: token.clone(),
    });
    let network = start(config);
    network.send("a", State::Firing);
    assert_eq!(
        receiver.wait_for(1)[0].header("authorization"),
        Some("Bearer first")
    );
    std::fs::write(&token, "second\n").expect("a file");
    network.send("b", State::Firing);
    assert_eq!(
        receiver.wait_for(2)[1].header("authorization"),
        Some("Bearer second")
    );
}

#[test]
fn what_cannot_be_used_is_an_error_at_the_start_without_the_url() {
    let directory = tempfile::tempdir().expect("a directory");
    let error = |config: webhook::Config| {
        let config = Config {
            webhooks: vec![config],
            ..Config::default()
        };
        let error = retrans_deliver::prepare(&config)
            .err()
            .expect("an error")
            .to_string();
        assert!(!error.contains("T0-B0"), "{error}");
        error
    };
    let url = "https://hooks.example.com/T0-B0";
    let scheme = error(config("hooks.example.com/T0-B0".to_owned()));
    assert!(
        scheme.starts_with("webhook: the URL of the webhook cannot be used: the URL has no scheme"),
        "{scheme}"
    );
    let template = error(webhook::Config {
        template: Some("{\"text\": \"{{ summary }}\"}".to_owned()),
        ..config(url.to_owned())
    });
    assert!(
        template.starts_with("webhook: the template makes no JSON"),
        "{template}"
    );
    let key = error(webhook::Config {
        key_file: Some(directory.path().join("none")),
        ..config(url.to_owned())
    });
    assert!(key.contains("/none: No such file"), "{key}");
    let file = error(webhook::Config {
        url: UrlSource::File(directory.path().join("no-url")),
        ..config(url.to_owned())
    });
    assert!(file.contains("/no-url: No such file"), "{file}");
    let mut authority = config(url.to_owned());
    authority.http.ca_file = Some(directory.path().join("ca.pem"));
    let authority = error(authority);
    let expected = "webhook: requests to the webhook hooks.example.com cannot be made: ";
    assert!(
        authority.starts_with(expected) && authority.contains("/ca.pem"),
        "{authority}"
    );
}
