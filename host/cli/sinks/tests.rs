//! What sinks on a command line are, and what is shown of them.

use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use retrans_deliver::http::Auth;
use retrans_deliver::http::ClientCertificate;

use super::*;
use crate::cli::args::Cli;

fn given(arguments: &[&str]) -> (NetworkArgs, ArgMatches) {
    let words = [&["retrans-host"], arguments].concat();
    let matches = Cli::command().get_matches_from(words);
    let cli = Cli::from_arg_matches(&matches).expect("options");
    (cli.watch.chain.network, matches)
}

fn parsed(arguments: &[&str]) -> Vec<SinkOptions> {
    let (args, matches) = given(arguments);
    sinks(&args, &matches).expect("sinks")
}

fn delivered(arguments: &[&str]) -> Network {
    let (args, matches) = given(arguments);
    network(&args, &matches).expect("sinks")
}

#[test]
fn a_key_belongs_to_the_sink_before_it_and_the_last_value_counts() {
    let network = delivered(&[
        "--sink=alertmanager=http://a:1,http://b:2",
        "--sink-set=resolve-after=10m",
        "--sink-set=labels.site=fra",
        "--sink-set=labels.site=ams",
        "--sink=webhook=http://c/secret",
        "--sink-set=timeout=1s",
        "--sink-set=timeout=2s",
        "--sink-set=name=chat",
        "--external-url=https://g/d",
        "--alerts-per-minute=7",
    ]);
    let receivers = &network.receivers;
    let alertmanager = &receivers.alertmanagers[0];
    assert_eq!(alertmanager.urls, ["http://a:1", "http://b:2"]);
    assert_eq!(alertmanager.resolve_after.as_secs(), 600);
    assert_eq!(alertmanager.labels, [("site".to_owned(), "ams".to_owned())]);
    assert_eq!(alertmanager.external_url.as_deref(), Some("https://g/d"));
    let webhook = &receivers.webhooks[0];
    assert_eq!(
        (webhook.name.as_str(), webhook.http.timeout.as_secs()),
        ("chat", 2)
    );
    assert_eq!(receivers.alerts_per_minute.map(u32::from), Some(7));
    assert_eq!(
        (receivers.otlp.len(), network.metrics_interval.as_secs()),
        (0, 60)
    );
}

#[test]
fn a_collector_gets_what_it_is_for_at_the_shortest_interval() {
    let network = delivered(&[
        "--sink=otlp=http://a:4318/",
        "--sink-set=interval=30s",
        "--sink-set=headers.X-Key=secret",
        "--sink-set=compression=none",
        "--sink=otlp",
        "--sink-set=name=metrics",
        "--sink-set=logs=false",
        "--sink-set=metrics-url=http://b/push",
        "--sink-set=interval=10s",
    ]);
    let [first, second] = network.receivers.otlp.as_slice() else {
        panic!("two collectors");
    };
    let logs = first.logs.as_ref().expect("logs");
    assert_eq!(logs.url, "http://a:4318/v1/logs");
    assert_eq!(logs.headers, [("X-Key".to_owned(), "secret".to_owned())]);
    assert!(!logs.is_compressed);
    assert_eq!(
        first.metrics.as_ref().expect("metrics").url,
        "http://a:4318/v1/metrics"
    );
    assert_eq!(first.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(second.logs, None);
    assert_eq!(
        second.metrics.as_ref().expect("metrics").url,
        "http://b/push"
    );
    assert_eq!(network.metrics_interval.as_secs(), 10);
}

#[test]
fn requests_are_authorised_and_limited_as_the_keys_say() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a secret").expect("a file");
    let secret = file.path().display();
    let network = delivered(&[
        "--sink=webhook=http://a",
        "--sink-set=user=me",
        &format!("--sink-set=password-file={secret}"),
        &format!("--sink-set=hmac-file={secret}"),
        "--sink-set=connect-timeout=1s",
        "--sink-set=retry=100ms",
        "--sink-set=retry-max=2s",
        "--sink-set=again-after=0s",
        "--sink-set=give-up-after=1h",
        "--sink-set=content-type=application/vnd.x+json",
        // Files of TLS are read where the URL is one of HTTPS.
        "--sink-set=ca-file=ca.pem",
        "--sink-set=cert-file=me.pem",
        "--sink-set=key-file=me.key",
    ]);
    let webhook = &network.receivers.webhooks[0];
    let auth = Auth::Basic {
        user: "me".to_owned(),
        password_file: file.path().to_owned(),
    };
    assert_eq!(webhook.http.auth, Some(auth));
    assert_eq!(webhook.key_file.as_deref(), Some(file.path()));
    assert_eq!(webhook.http.connect_timeout.as_secs(), 1);
    assert_eq!(webhook.retry.first.as_millis(), 100);
    assert_eq!(webhook.retry.max.as_secs(), 2);
    assert_eq!(
        (webhook.again_after.as_secs(), webhook.max_age.as_secs()),
        (0, 3_600)
    );
    assert_eq!(webhook.content_type, "application/vnd.x+json");
    let certificate = ClientCertificate {
        certificate_file: "me.pem".into(),
        key_file: "me.key".into(),
    };
    assert_eq!(webhook.http.client_certificate, Some(certificate));
    assert_eq!(webhook.http.ca_file, Some("ca.pem".into()));
}

#[test]
fn what_may_be_a_secret_is_not_shown() {
    let sinks = parsed(&[
        "--sink=webhook=https://hooks.example.com/T0/secret",
        "--sink=otlp=http://a:4318/base?key=secret",
        "--sink-set=headers.X-Key=secret",
        "--sink-set=attributes.site=fra",
        "--sink=alertmanager=http://a/am/,http://me:secret@b",
    ]);
    let shown: Vec<String> = sinks
        .iter()
        .flat_map(SinkOptions::shown)
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    assert!(!shown.concat().contains("secret"), "{shown:#?}");
    for line in [
        r#"url = "https://hooks.example.com/…""#,
        r#"url = "http://a:4318/base?…""#,
        r#"headers = { X-Key = "…" }"#,
        r#"attributes = { site = "fra" }"#,
        r#"url = "http://a/am/,http://b""#,
    ] {
        assert!(
            shown.iter().any(|shown| shown == line),
            "{line}: {shown:#?}"
        );
    }
}

#[test]
fn every_key_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sinks.md");
    let document = std::fs::read_to_string(path).expect("a document");
    for key in keys::KEYS {
        let row = format!("| `{}`", key.name);
        assert!(document.lines().any(|line| line.starts_with(&row)), "{row}");
    }
}

#[test]
fn all_files_of_sinks_are_known() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let template = file("template", "{}");
    let token = file("token", "secret");
    let network = delivered(&[
        "--sink=webhook=http://a/",
        &format!("--sink-set=template-file={}", template.display()),
        &format!("--sink-set=token-file={}", token.display()),
        // Without TLS it is not read, and need not exist.
        "--sink-set=ca-file=/nowhere/ca.pem",
    ]);
    let expected = [template, token, "/nowhere/ca.pem".into()];
    assert_eq!(network.files, expected);
}
