//! A granted file that changed is read again, with the running state; one that cannot be used changes nothing.

use std::fs;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::common::captures::host;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::versions::Versions;
use crate::watch_files::Host;
use crate::watch_files::LINE_TIMEOUT;

const NETWORKS: &[&str] = &[
    "--plugin",
    "label-networks",
    "--set",
    "file=data/networks",
    "--allow",
    "read=data",
    "--plugin",
    "json-print",
];
const ANEW: &str =
    "plugin label-networks was configured anew, data/networks changed: has read data/networks (";
const STAYS: &str = "plugin label-networks is not configured anew, the running instance stays: plugin label-networks: \
                     file: data/networks: ";

/// A directory with data/networks.
struct Data(Files);

impl Data {
    fn new() -> Data {
        let files = Files::new();
        fs::create_dir(files.path().join("data")).expect("a temporary directory");
        let data = Data(files);
        data.put("192.0.2.0/24 first");
        data
    }

    /// Replaces the file in one rename.
    fn put(&self, text: &str) {
        let beside = self.0.write("data/new", format!("{text}\n"));
        fs::rename(beside, self.0.path().join("data/networks")).expect("in one directory");
    }

    fn host(&self, options: &[&str]) -> Host {
        let options = [NETWORKS, options].concat();
        let read = "INFO plugin label-networks has read data/networks (";
        Host::begin_with(self.0.path(), &options, read)
    }
}

/// The label of the event of a line, or `none`.
fn label(line: &str) -> &str {
    let label = line.split(r#""peer_network":""#).nth(1);
    label
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("none")
}

/// The labels of the events in their order, each once in a row.
fn labels(stdout: &str) -> Vec<&str> {
    let mut labels: Vec<&str> = stdout.lines().map(label).collect();
    labels.dedup();
    labels
}

#[test]
fn with_watch_a_granted_file_that_is_replaced_or_written_is_read_again() {
    let data = Data::new();
    let mut host = data.host(&["--watch"]);
    data.put("192.0.2.0/24 second");
    host.wait_for(ANEW);
    host.events(10);
    fs::write(data.0.path().join("data/networks"), "192.0.2.0/24 third\n").expect("a file");
    host.wait_for(ANEW);
    host.events(10);
    let (stdout, stderr) = host.end();
    // Events wait for no reload: those before the last one have either label.
    let labels = labels(&stdout);
    assert!(
        labels == ["second", "third"] || labels == ["third"],
        "{stdout}"
    );
    assert_eq!(stdout.lines().count(), 20);
    assert!(
        stderr.contains("ledger: faults label-networks restarts=0 reloads=2"),
        "{stderr}"
    );
}

#[test]
fn a_granted_file_that_cannot_be_used_or_is_gone_changes_nothing_until_it_is_good() {
    let data = Data::new();
    let mut host = data.host(&["--watch"]);
    data.put("192.0.2.0 24 broken\n10.0.0.0/33 x");
    host.wait_for(&format!("{STAYS}line 2: "));
    fs::remove_file(data.0.path().join("data/networks")).expect("it is there");
    host.wait_for(&format!("{STAYS}cannot open it; "));
    host.events(10);
    data.put("192.0.2.0/24 second");
    host.wait_for(ANEW);
    host.events(10);
    let (stdout, stderr) = host.end();
    // The first events wait for no reload.
    let labels = labels(&stdout);
    assert!(
        labels == ["first", "second"] || labels == ["second"],
        "{stdout}"
    );
    assert_eq!(stdout.lines().count(), 20);
    assert!(stderr.contains("reloads=1"), "{stderr}");
    assert_eq!(stderr.matches(STAYS).count(), 2, "{stderr}");
}

#[test]
fn many_changes_within_a_short_time_are_one() {
    let data = Data::new();
    let mut host = data.host(&["--watch"]);
    for number in 0..50 {
        data.put(&format!("192.0.2.0/24 number {number}"));
        thread::sleep(Duration::from_millis(4));
    }
    // On a busy machine the changes may be further apart than the host waits, and are more than one.
    let begun = Instant::now();
    host.events(1);
    while label(host.next_line()) != "number 49" {
        assert!(begun.elapsed() < LINE_TIMEOUT, "the last change is missing");
        thread::sleep(Duration::from_millis(10));
        host.events(1);
    }
    let (_, stderr) = host.end();
    let times = stderr.matches(ANEW).count();
    assert!((1..25).contains(&times), "{times}: {stderr}");
}

#[test]
fn at_sighup_a_plugin_with_granted_files_is_configured_anew_with_its_state() {
    let versions = Versions::begin();
    let directory = versions.directory().display().to_string();
    let grant = format!("read={directory}");
    let options = ["--plugin", "./witness.wasm", "--allow", &grant];
    let mut host = Host::begin_with(versions.directory(), &options, "retrans-host: plugin ");
    host.events(100);
    host.hang_up();
    host.wait_for("plugin witness was configured anew");
    host.events(100);
    let (stdout, stderr) = host.end();
    assert_eq!(stdout, "version 1: seen 200, gaps 0");
    assert!(stderr.contains("restarts=0 reloads=1"), "{stderr}");
}

#[test]
fn a_path_that_was_not_granted_is_named_with_the_grant_that_it_needs() {
    let data = Data::new();
    for (grant, file, expected) in [
        (
            None,
            "data/networks",
            "data/networks is not granted (--allow read=data grants",
        ),
        (
            Some("read=data"),
            "/etc/zones/a",
            "/etc/zones/a is not granted (--allow read=/etc/zones grants",
        ),
    ] {
        let file = format!("file={file}");
        let mut arguments = vec!["replay", "-", "--plugin", "label-networks", "--set", &file];
        if let Some(grant) = grant {
            arguments.extend(["--allow", grant]);
        }
        let mut command = host(data.0.path(), &arguments);
        assert_refused(&mut command, USAGE, &[expected]);
    }
}
