//! The files of `deploy/`: configurations pass, alerts and the dashboard name what the host serves, and real programs
//! accept them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use retrans_host::metrics::family::FAMILIES;
use retrans_host::metrics::family::Family;
use retrans_host::metrics::family::Kind;
use serde_json::Value;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::http::sum;
use crate::common::pipes::wait_until;
use crate::common::prometheus::Prometheus;
use crate::metrics::Served;

const RULES: &str = "deploy/prometheus/retrans-host.rules.yml";
const TESTS: [&str; 2] = [
    "deploy/prometheus/retrans-host.rules.test.yml",
    "deploy/prometheus/retrans-host.day.test.yml",
];
const DASHBOARD: &str = "deploy/grafana/retrans-host.json";

/// Labels that Prometheus adds, and that of the buckets of a histogram.
const OTHER_LABELS: [&str; 3] = ["job", "instance", "le"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Runs promtool in the folder of the alerts; what it prints.
#[track_caller]
fn promtool(arguments: &[&str]) -> String {
    let mut command = Command::new("promtool");
    let command = command.args(arguments).stdin(Stdio::null());
    let output = command
        .current_dir(root().join("deploy/prometheus"))
        .output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot start promtool: {error}; scripts/setup.sh installs it (Debian's package prometheus)")
    });
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{arguments:?}: {printed}");
    printed
}

/// The names of the samples of a metric.
fn samples(family: &Family) -> Vec<String> {
    let endings: &[&str] = match family.kind {
        Kind::Counter => &["_total"],
        Kind::Info => &["_info"],
        Kind::Gauge => &[""],
        Kind::Histogram => &["_bucket", "_sum", "_count"],
    };
    let endings = endings.iter();
    endings.map(|end| format!("{}{end}", family.name)).collect()
}

/// The metric of which this is a sample.
fn family_of(sample: &str) -> Option<&'static Family> {
    let mut families = FAMILIES.iter();
    families.find(|family| samples(family).iter().any(|name| name == sample))
}

/// Each sample that a text names, and what follows.
fn named(text: &str) -> Vec<(&str, &str)> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let end = word.find(|character| !is_part(character));
        let (word, behind) = word.split_at(end.unwrap_or(word.len()));
        if word.starts_with("retrans_") || word.starts_with("process_") {
            found.push((word, behind));
        }
        rest = behind;
    }
    found
}

/// The names of the labels that a selector such as `{kind="fast", le=~"1|2"}` matches.
fn labels(behind: &str) -> Vec<&str> {
    let Some(rest) = behind.strip_prefix('{') else {
        return Vec::new();
    };
    let inside = rest.split('}').next().unwrap_or_default();
    let matchers = inside.split(',');
    let names = matchers.filter_map(|matcher| matcher.split(['=', '!']).next());
    names.map(str::trim).collect()
}

fn alerts(rules: &str) -> Vec<&str> {
    let lines = rules.lines();
    lines
        .filter_map(|line| line.trim_start().strip_prefix("- alert: "))
        .collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("JSON")
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().expect("panels")
}

/// The queries of all panels, with values for the variables of Grafana.
fn queries(dashboard: &Value) -> Vec<String> {
    let targets = panels(dashboard)
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query"));
    let variables = [
        ("$__rate_interval", "10s"),
        ("$__range", "10s"),
        ("$instance", ".*"),
        ("$kind", ".*"),
    ];
    let filled_in = |query: &str| {
        let replace = |query: String, (name, value): &(&str, &str)| query.replace(name, value);
        variables.iter().fold(query.to_owned(), replace)
    };
    queries.map(filled_in).collect()
}

#[test]
fn the_host_would_start_with_each_configuration() {
    for path in [
        "deploy/systemd/config.toml",
        "deploy/kubernetes/config.toml",
    ] {
        let (text, stderr) = ran(&mut host(root(), &["config", "check", path]));
        let plugins = "threshold-alert, ratio-alert";
        assert_eq!(
            text,
            format!("{path}: the host would start, with {plugins}\n")
        );
        assert_eq!(stderr, "");
    }
}

#[test]
fn promtool_accepts_the_alerts_and_their_tests_pass() {
    let rules = read(RULES);
    let alerts = alerts(&rules);
    assert!(alerts.len() > 20, "{alerts:?}");
    let printed = promtool(&["check", "rules", "retrans-host.rules.yml"]);
    let expected = format!("SUCCESS: {} rules found", alerts.len());
    assert!(printed.contains(&expected), "{printed}");
    let files = TESTS.map(|path| path.rsplit('/').next().expect("a name"));
    let printed = promtool(&["test", "rules", files[0], files[1]]);
    assert_eq!(printed.matches("SUCCESS").count(), TESTS.len(), "{printed}");
    promtool(&["check", "config", "scrape.yml"]);
}

#[test]
fn each_alert_has_a_test_in_which_it_fires() {
    let tests = TESTS.map(read).concat();
    for alert in alerts(&read(RULES)) {
        let name = format!("  - name: {alert}\n");
        let (_, test) = tests.split_once(&name).unwrap_or_else(|| panic!("{alert}"));
        let test = test.split("\n  - name: ").next().expect("a test");
        let fires = format!("labels: '{{alertname=\"{alert}\"");
        assert!(test.contains(&fires), "{alert}: {test}");
        assert!(test.contains("exp_samples: []"), "{alert}: {test}");
    }
}

#[test]
fn each_metric_and_label_that_is_named_is_served() {
    let mut count = 0;
    for path in [RULES, TESTS[0], TESTS[1], DASHBOARD] {
        let text = read(path);
        for (sample, behind) in named(&text) {
            let family = family_of(sample);
            let family = family.unwrap_or_else(|| panic!("{path}: there is no {sample}"));
            for label in labels(behind) {
                let known = family.labels.contains(&label) || OTHER_LABELS.contains(&label);
                assert!(known, "{path}: {sample} has no label {label}");
            }
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn the_dashboard_has_one_source_and_an_instance_to_choose() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "retrans-host");
    let variables = dashboard["templating"]["list"].as_array();
    let variables = variables.expect("variables").iter();
    let names: Vec<_> = variables.map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["datasource", "instance", "kind"]);
    let mut ids = Vec::new();
    for panel in panels(&dashboard) {
        assert!(!ids.contains(&&panel["id"]), "{panel}");
        ids.push(&panel["id"]);
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            let query = target["expr"].as_str().expect("a query");
            assert!(query.contains("instance=~\"$instance\""), "{query}");
        }
    }
    assert!(ids.len() > 30, "{}", ids.len());
}

#[test]
fn a_real_prometheus_answers_each_query_of_the_dashboard() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "5k", "--census", "10s", "--seed", "3"],
    );
    let mut served = Served::begin(&files, &["a.rtc", "-", "--plugin", "threshold-alert"]);
    served.event(0);
    wait_until("all events", || {
        sum(&served.metrics(), "retrans_events_total") == 5_001.0
    });
    let prometheus = Prometheus::scraping(served.address);
    prometheus.wait_for("up", 1.0);
    let metrics = served.metrics();
    let is_served = |sample: &str| {
        let mut lines = metrics.lines();
        lines.any(|line| {
            let behind = line.strip_prefix(sample);
            behind.is_some_and(|behind| behind.starts_with(['{', ' ']))
        })
    };
    let mut with_data = 0;
    for query in queries(&dashboard()) {
        // It panics if the query is wrong.
        prometheus.query(&query);
        // What compares leaves out what does not hold; a replay has no probe.
        let compares = [" > ", " == "].iter().any(|sign| query.contains(sign));
        if !compares && named(&query).iter().all(|&(sample, _)| is_served(sample)) {
            wait_until(&query, || !prometheus.query(&query).is_empty());
            with_data += 1;
        }
    }
    assert!(with_data > 20, "{with_data}");
    served.end();
}

#[test]
fn versions_are_those_of_the_project() {
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().expect("TOML");
    let channel = toolchain["toolchain"]["channel"].as_str();
    let channel = channel.expect("a version");
    let dockerfile = read("deploy/Dockerfile");
    for line in [
        format!("ARG BUILDER=rust:{channel}-slim-trixie\n"),
        format!("ENV RUSTUP_TOOLCHAIN={channel}\n"),
    ] {
        assert!(dockerfile.contains(&line), "{line}");
    }
    let tag = format!("newTag: {}\n", env!("CARGO_PKG_VERSION"));
    for path in [
        "deploy/kubernetes/kustomization.yaml",
        "deploy/kubernetes/fleet/kustomization.yaml",
    ] {
        assert!(read(path).contains(&tag), "{path}: {tag}");
    }
}

/// `fleet server-config` gives a user for each host; in a cluster all hosts have one, with the rights of all of them.
#[test]
fn the_servers_of_the_cluster_give_the_rights_of_server_config() {
    let (printed, _) = ran(&mut host(root(), &["fleet", "server-config", "web-1"]));
    let configuration = read("deploy/kubernetes/fleet/nats.conf");
    let (_, users) = printed
        .split_once("user: \"consumer\"")
        .expect("the user of consumers");
    let subjects = users
        .lines()
        .map(|line| line.trim().replace("web-1", "*"))
        // Answers to agents: a part of a token cannot be a wildcard.
        .filter(|line| line.starts_with('"') && !line.starts_with("\"_INBOX_*"));
    let mut count = 0;
    for subject in subjects {
        assert!(configuration.contains(&subject), "{subject}");
        count += 1;
    }
    assert!(count > 15, "{count}: {printed}");
}

#[test]
fn the_document_names_each_file() {
    let document = read("docs/deploying.md");
    for path in files_below(&root().join("deploy")) {
        let path = path.strip_prefix(root()).expect("below the root");
        let path = path.display().to_string();
        assert!(document.contains(&path), "{path}");
    }
}
