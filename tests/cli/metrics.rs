//! A run that serves metrics (`--listen`), asked while it lasts.

use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::components::large;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::http::OPEN_METRICS;
use crate::common::http::address_in;
use crate::common::http::get;
use crate::common::http::get_as;
use crate::common::http::sample;
use crate::common::http::sum;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ends_within;
use crate::common::pipes::lines_of;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::pipes::wait_until;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// A replay that lasts as long as the test writes lines, and serves metrics.
pub struct Served {
    child: Child,
    stdin: ChildStdin,
    stderr: Receiver<String>,
    pub address: SocketAddr,
}

impl Served {
    /// Replays these arguments, the last file of which is standard input.
    pub fn begin(files: &Files, arguments: &[&str]) -> Served {
        let mut command = host(files.path(), &["replay", "--listen", "127.0.0.1:0"]);
        let command = command.args(arguments).stdin(Stdio::piped());
        let mut child = spawn(command.stdout(Stdio::null()));
        let stderr = lines_of(child.stderr.take().expect("it is piped"));
        let line = stderr.recv_timeout(WAIT_TIMEOUT).expect("the address");
        Served {
            stdin: child.stdin.take().expect("it is piped"),
            address: address_in(&line),
            child,
            stderr,
        }
    }

    /// Writes an event of this time.
    pub fn event(&mut self, millis: u64) {
        let line = least(millis, "192.0.2.7");
        self.stdin.write_all(line.as_bytes()).expect("it reads");
    }

    /// The metrics, as text.
    pub fn metrics(&self) -> String {
        let answer = get(self.address, "/metrics");
        assert_eq!(answer.status, 200);
        answer.body
    }

    /// The metrics, once a sample has this value.
    #[track_caller]
    pub fn metrics_with(&self, name: &str, value: f64) -> String {
        wait_until(name, || sample(&self.metrics(), name) == Some(value));
        self.metrics()
    }

    /// Ends the stream; the remaining lines of standard error.
    pub fn end(mut self) -> Vec<String> {
        drop(self.stdin);
        assert!(ends_within(&mut self.child, WAIT_TIMEOUT).success());
        self.stderr.iter().collect()
    }
}

#[track_caller]
fn assert_samples(metrics: &str, samples: &[(&str, f64)]) {
    for (name, value) in samples {
        assert_eq!(sample(metrics, name), Some(*value), "{name}\n{metrics}");
    }
}

/// What `promtool check metrics` has against the text format; nothing, if it is right.
#[track_caller]
fn assert_promtool_agrees(metrics: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    let piped = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = piped.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
        panic!("cannot start promtool: {error}; scripts/setup.sh installs it (Debian's package prometheus)")
    });
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(metrics.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{metrics}");
    assert_eq!(stderr, "", "{metrics}");
}

#[test]
fn events_are_in_the_metrics_while_the_run_lasts_in_both_formats() {
    let files = Files::new();
    let mut served = Served::begin(&files, &["-", "--plugin", "json-print"]);
    // The mark before the last one's second comes after two events.
    [0, 10, 1_500]
        .into_iter()
        .for_each(|millis| served.event(millis));
    let plugin = "retrans_plugin_events_total{plugin=\"json-print\",outcome=\"kept\"}";
    let metrics = served.metrics_with(plugin, 2.0);
    let kind = "{kind=\"unknown\",ip_version=\"4\",state=\"ESTABLISHED\"}";
    assert_samples(
        &metrics,
        &[
            (&format!("retrans_events_total{kind}"), 3.0),
            ("retrans_source_events_total{outcome=\"delivered\"}", 2.0),
            ("retrans_lost_events_total{stage=\"recording\"}", 0.0),
            ("retrans_plugin_up{plugin=\"json-print\"}", 1.0),
            ("retrans_sink_queued_items{sink=\"report\"}", 0.0),
            ("retrans_run_info{source=\"replay\",attached=\"\"}", 1.0),
            ("retrans_ready", 1.0),
        ],
    );
    assert_eq!(sum(&metrics, "retrans_events_total"), 3.0);
    assert_promtool_agrees(&metrics);

    let text = get(served.address, "/metrics");
    assert_eq!(
        text.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let open = get_as(served.address, "/metrics", OPEN_METRICS);
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.content_type, expected);
    assert!(open.body.ends_with("\n# EOF\n"));
    // The samples are the same, but for times and the calls since.
    let names = |body: &str| -> Vec<String> {
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect()
    };
    assert_eq!(names(&open.body), names(&text.body));

    let end = served.end();
    assert!(
        end.iter()
            .any(|line| line == "ledger: replay read=3 left_out=0 delivered=3"),
        "{end:#?}"
    );
    assert!(!end.iter().any(|line| line.contains("balance")), "{end:#?}");
}

#[test]
fn segments_are_those_that_inspect_counts() {
    let files = Files::new();
    let arguments = [
        "--events", "20k", "--census", "10s", "--gaps", "--seed", "7",
    ];
    generated(files.path(), "a.rtc", &arguments);
    let (json, _) = ran(&mut host(
        files.path(),
        &["inspect", "a.rtc", "--json", "--by", "kind"],
    ));
    let inspected: Value = serde_json::from_str(&json).expect("JSON");
    let rows = inspected["by"][0]["top"].as_array().expect("kinds");

    let mut served = Served::begin(&files, &["a.rtc", "-", "--plugin", "threshold-alert"]);
    // What is read first of standard input tells its format.
    served.event(0);
    wait_until("all events", || {
        sum(&served.metrics(), "retrans_events_total") == 20_001.0
    });
    let metrics = served.metrics();
    for row in rows {
        let kind = row["key"]["kind"].as_str().expect("a kind");
        let of_kind = |family: &str| {
            let begin = format!("{family}{{kind=\"{kind}\",");
            let lines = metrics.lines().filter(|line| line.starts_with(&begin));
            let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
            values.sum::<u64>()
        };
        let events = row["events"].as_u64().expect("a number");
        // One more of unknown cause.
        let more = u64::from(kind == "unknown");
        assert_eq!(of_kind("retrans_events_total"), events + more, "{kind}");
        assert_eq!(
            Some(of_kind("retrans_segments_total")),
            row["segments"].as_u64(),
            "{kind}"
        );
    }
    assert!(rows.len() >= 5, "{rows:?}");
    let lost = sample(&metrics, "retrans_lost_events_total{stage=\"recording\"}");
    assert!(lost.is_some_and(|lost| lost > 0.0), "{lost:?}");
    assert!(sample(&metrics, "retrans_census_segments_total").is_some_and(|sent| sent > 20_000.0));
    assert_promtool_agrees(&metrics);

    let report = get(served.address, "/");
    assert_eq!(
        (report.status, report.content_type.as_str()),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        report.body.contains("the last 15 minutes"),
        "{}",
        report.body
    );
    wait_until("the alerts of the plugin in the report", || {
        get(served.address, "/").body.contains("threshold-alert")
    });
    served.end();
}

#[test]
fn counters_of_a_plugin_are_exported_up_to_a_number_of_names() {
    let files = Files::new();
    let liar = fixture(LIAR);
    let liar = format!("many={}", liar.display());
    let arguments = ["-", "--plugin", &liar, "--set", "act=count_ever_more"];
    let mut served = Served::begin(&files, &arguments);
    // Each event is a call of its own: 200 names each. The numbers of a plugin are refreshed at marks.
    let mut second = 0;
    wait_until("more names than are kept", || {
        served.event(second * 1_000);
        second += 1;
        sum(&served.metrics(), "retrans_plugin_metrics_refused_total") > 0.0
    });
    let metrics = served.metrics();
    // Several events may be in one call.
    let kept = "retrans_plugin_events_total{plugin=\"many\",outcome=\"kept\"}";
    let events = sample(&metrics, kept).expect("it keeps all");
    let counted = 256.0 + sum(&metrics, "retrans_plugin_metrics_refused_total");
    assert!(
        counted % 200.0 == 0.0 && counted <= 200.0 * events,
        "{counted} {events}"
    );
    assert_eq!(sum(&metrics, "retrans_plugin_counts_total"), 256.0);
    assert_samples(
        &metrics,
        &[(
            "retrans_plugin_counts_total{plugin=\"many\",name=\"counter_7\"}",
            1.0,
        )],
    );
    assert_promtool_agrees(&metrics);
    served.end();
}

#[test]
fn a_run_is_not_ready_while_it_starts_nor_while_a_plugin_is_in_quarantine() {
    let files = Files::new();
    files.write("slow.wasm", large(10_000));
    let served = Served::begin(&files, &["-", "--plugin", "./slow.wasm"]);
    let starting = get(served.address, "/readyz");
    assert_eq!(starting.status, 503);
    assert_eq!(starting.body, "the run is starting: plugins are prepared\n");
    let health = get(served.address, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let Served { mut child, .. } = served;
    signal(&child, Signal::TERM);
    assert!(ends_within(&mut child, WAIT_TIMEOUT).success());

    let liar = fixture(LIAR);
    let liar = format!("bad={}", liar.display());
    let mut served = Served::begin(&files, &["-", "--plugin", &liar, "--set", "act=panics"]);
    wait_until("a run that is ready", || {
        served.event(0);
        get(served.address, "/readyz").status == 200
    });
    // The state of a plugin is refreshed at marks, and not more often than the statistics.
    let mut second = 0;
    wait_until("a quarantine", || {
        served.event(second * 1_000);
        second += 1;
        get(served.address, "/readyz").status == 503
    });
    let answer = get(served.address, "/readyz").body;
    assert_eq!(
        answer,
        "the plugin bad is in quarantine: it failed too often, and events pass without it\n"
    );
    let metrics = served.metrics();
    assert_samples(
        &metrics,
        &[
            ("retrans_plugin_up{plugin=\"bad\"}", 0.0),
            ("retrans_ready", 0.0),
        ],
    );
    assert!(
        sum(&metrics, "retrans_plugin_faults_total") >= 5.0,
        "{metrics}"
    );
    assert_promtool_agrees(&metrics);
    assert_eq!(get(served.address, "/healthz").status, 200);
    served.end();
}

#[test]
fn other_paths_name_those_that_there_are() {
    let files = Files::new();
    let mut served = Served::begin(&files, &["-", "--plugin", "json-print"]);
    let answer = get(served.address, "/nothing");
    assert_eq!(answer.status, 404);
    let paths = "/, /healthz, /metrics, /readyz";
    assert_eq!(answer.body, format!("not found; the paths are {paths}\n"));
    // Before the first event, the page says so.
    let report = get(served.address, "/");
    assert_eq!(report.status, 200);
    assert!(
        report.body.contains("There is no event."),
        "{}",
        report.body
    );
    served.event(0);
    served.end();
}

#[test]
fn idle_connections_delay_neither_the_run_nor_its_end() {
    let files = Files::new();
    let mut served = Served::begin(&files, &["-", "--plugin", "json-print"]);
    let idle: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(served.address).expect("it listens"))
        .collect();
    (0..1_000).for_each(|event| served.event(event * 10));
    let end = served.end();
    assert!(
        end.iter()
            .any(|line| line == "ledger: replay read=1000 left_out=0 delivered=1000"),
        "{end:#?}"
    );
    drop(idle);
}

#[test]
fn an_address_that_cannot_be_used_is_an_error_at_the_start() {
    let files = Files::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let words = [
        &format!(
            "cannot serve metrics (--listen): cannot listen on {address}: another program has this port"
        ),
        "choose another port",
    ];
    let arguments = ["replay", "-", "--listen", &address];
    assert_refused(&mut host(files.path(), &arguments), FAILURE, &words);
    for wrong in ["localhost:9435", "9435", "127.0.0.1", "127.0.0.1:99999", ""] {
        let words = [
            "--listen: ",
            "expected an IP address and a port, such as 127.0.0.1:9435",
        ];
        let arguments = ["replay", "-", "--listen", wrong];
        assert_refused(&mut host(files.path(), &arguments), USAGE, &words);
    }
    // The same in a configuration file.
    files.write("config.toml", "\n[listen]\naddress = 'here'\n");
    let words = ["config.toml:3: listen.address: --listen: \"here\""];
    let mut command = host(files.path(), &["config", "check", "config.toml"]);
    assert_refused(&mut command, USAGE, &words);
    files.write("config.toml", "[listen]\nport = 9435\n");
    let words = ["config.toml:2: listen.port: there is no such key; there are address"];
    let mut command = host(files.path(), &["config", "check", "config.toml"]);
    assert_refused(&mut command, USAGE, &words);
    files.write("config.toml", "[listen]\naddress = '127.0.0.1:9435'\n");
    let (shown, _) = ran(&mut host(files.path(), &["config", "show", "config.toml"]));
    let line = "address = \"127.0.0.1:9435\"";
    assert!(shown.contains("\n[listen]\n"), "{shown}");
    assert!(
        shown
            .lines()
            .any(|found| found.starts_with(line) && found.ends_with("# config.toml:2")),
        "{shown}"
    );
}
