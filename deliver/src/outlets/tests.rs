//! What runs in the thread beside deliveries, and what becomes of receivers that change.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::alert::State;
use crate::alertmanager;
use crate::testing::alert;
use crate::webhook;

/// Tells when it is dropped.
struct Told(mpsc::Sender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn a_further_task_runs_until_the_end_which_does_not_wait_for_it() {
    let (outlets, mut runner) = prepare(&Config::default()).expect("nothing to read");
    let (tell, told) = mpsc::channel();
    runner.spawn(async move {
        let _told = Told(tell.clone());
        let _ = tell.send("started");
        std::future::pending().await
    });
    let thread = std::thread::spawn(|| runner.run());
    let wait = || told.recv_timeout(Duration::from_secs(15));
    assert_eq!(wait(), Ok("started"));
    assert_eq!(outlets.finish(Duration::from_secs(15)), []);
    thread.join().expect("no panic").expect("a runtime");
    assert_eq!(wait(), Ok("dropped"));
}

#[test]
fn an_error_names_its_receiver() {
    let mut webhook = webhook::Config::new(webhook::UrlSource::Text("here".to_owned()), "web-1");
    webhook.name = "slack".to_owned();
    let config = Config {
        webhooks: vec![webhook],
        ..Config::default()
    };
    let error = prepare(&config).err().expect("an error").to_string();
    let expected = "slack: the URL of the webhook cannot be used: the URL has no scheme";
    assert!(error.starts_with(expected), "{error}");
}

/// A webhook at which nothing listens: what is sent waits.
fn webhook(name: &str) -> webhook::Config {
    let url = webhook::UrlSource::Text("http://127.0.0.1:9/".to_owned());
    webhook::Config {
        name: name.to_owned(),
        ..webhook::Config::new(url, "web-1")
    }
}

fn webhooks(names: &[&str]) -> Config {
    Config {
        webhooks: names.iter().copied().map(webhook).collect(),
        ..Config::default()
    }
}

fn send(outlets: &Outlets, name: &str) {
    outlets.send(&[alert(name, State::Firing)]);
}

/// The name of each receiver, and what it has received, what is queued and what has failed.
fn counters(outlets: &Outlets) -> Vec<(String, [u64; 3])> {
    let counted = outlets.counted().into_iter();
    let counted = counted.inspect(|counted| assert!(counted.balances(), "{counted:?}"));
    counted
        .map(|counted| {
            let name = counted.name.trim_end_matches(" 127.0.0.1:9").to_owned();
            (name, [counted.received, counted.queued, counted.failed])
        })
        .collect()
}

fn of(name: &str, counters: [u64; 3]) -> (String, [u64; 3]) {
    (name.to_owned(), counters)
}

fn changed(started: &[&str], ended: &[&str]) -> Changed {
    let names = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
    Changed {
        started: names(started),
        ended: names(ended),
    }
}

const NOW: Duration = Duration::ZERO;

/// Waits until the counters are these.
fn wait_for(outlets: &Outlets, expected: &[(String, [u64; 3])]) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while counters(outlets) != expected {
        assert!(Instant::now() < deadline, "{:?}", outlets.counted());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_receiver_that_stays_keeps_its_queue_and_one_that_is_new_gets_what_is_sent_later() {
    let (outlets, _runner) = prepare(&webhooks(&["a"])).expect("nothing to read");
    send(&outlets, "x");
    let more = outlets.change(&webhooks(&["b", "a"]), NOW);
    assert_eq!(more.expect("nothing to read"), changed(&["b"], &[]));
    send(&outlets, "y");
    let expected = [of("b", [1, 1, 0]), of("a", [2, 2, 0])];
    assert_eq!(counters(&outlets), expected);
    let same = outlets.change(&webhooks(&["b", "a"]), NOW);
    assert!(same.expect("nothing to read").is_empty());
    assert_eq!(counters(&outlets), expected);
}

#[test]
fn an_error_leaves_all_receivers_and_the_limit_as_they_are() {
    let (outlets, runner) = prepare(&webhooks(&["a"])).expect("nothing to read");
    send(&outlets, "x");
    let mut wrong = webhooks(&["b", "wrong"]);
    wrong.alerts_per_minute = NonZeroU32::new(1);
    wrong.webhooks[1].http.ca_file = Some(PathBuf::from("/nowhere/ca.pem"));
    wrong.webhooks[1].url = webhook::UrlSource::Text("https://127.0.0.1:9/".to_owned());
    let error = outlets
        .change(&wrong, NOW)
        .expect_err("no file")
        .to_string();
    assert!(
        error.starts_with("wrong: ") && error.contains("/nowhere/ca.pem"),
        "{error}"
    );
    send(&outlets, "y");
    assert_eq!(counters(&outlets), [of("a", [2, 2, 0])]);
    // The couriers that were prepared do not count as running: the end waits for none.
    drop(runner);
    let begin = Instant::now();
    outlets.finish(Duration::from_secs(600));
    assert!(begin.elapsed() < Duration::from_secs(300));
}

#[test]
fn what_a_receiver_that_is_gone_cannot_deliver_fails_and_its_counters_stay() {
    let (outlets, runner) = prepare(&webhooks(&["a", "b"])).expect("nothing to read");
    let thread = std::thread::spawn(|| runner.run());
    for name in ["x", "y", "z"] {
        send(&outlets, name);
    }
    let gone = outlets.change(&webhooks(&["b"]), Duration::from_millis(100));
    assert_eq!(gone.expect("nothing to read"), changed(&[], &["a"]));
    send(&outlets, "later");
    wait_for(&outlets, &[of("b", [4, 4, 0]), of("a", [3, 0, 3])]);
    // One that is there again goes on counting.
    let back = outlets.change(&webhooks(&["a"]), Duration::from_millis(100));
    assert_eq!(back.expect("nothing to read"), changed(&["a"], &["b"]));
    send(&outlets, "again");
    wait_for(&outlets, &[of("a", [4, 1, 3]), of("b", [4, 0, 4])]);
    let counted = outlets.finish(Duration::from_millis(100));
    assert_eq!((counted[0].queued, counted[1].queued), (1, 0));
    thread.join().expect("no panic").expect("a runtime");
}

#[test]
fn a_receiver_whose_configuration_has_changed_is_another_one_with_the_same_line() {
    let (outlets, runner) = prepare(&webhooks(&["a"])).expect("nothing to read");
    let thread = std::thread::spawn(|| runner.run());
    send(&outlets, "x");
    let mut other = webhooks(&["a"]);
    other.webhooks[0].http.timeout = Duration::from_secs(3);
    let replaced = outlets.change(&other, Duration::from_millis(100));
    assert_eq!(replaced.expect("nothing to read"), changed(&["a"], &["a"]));
    send(&outlets, "y");
    wait_for(&outlets, &[of("a", [2, 1, 1])]);
    outlets.finish(NOW);
    thread.join().expect("no panic").expect("a runtime");
}

#[test]
fn contents_of_files_that_are_read_once_are_part_of_the_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("url");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    write("http://127.0.0.1:9/first");
    let mut config = webhooks(&["a"]);
    config.webhooks[0].url = webhook::UrlSource::File(file.clone());
    let (outlets, _runner) = prepare(&config).expect("a URL");
    assert!(outlets.change(&config, NOW).expect("a URL").is_empty());
    write("http://127.0.0.1:9/second");
    let replaced = outlets.change(&config, NOW).expect("a URL");
    assert_eq!(replaced, changed(&["a"], &["a"]));
}

#[test]
fn an_alertmanager_learns_of_plugins_that_resolve_their_alerts_and_stays() {
    let urls = vec!["http://127.0.0.1:9".to_owned()];
    let mut config = Config {
        alertmanagers: vec![alertmanager::Config::new(urls, "web-1")],
        ..Config::default()
    };
    let (outlets, _runner) = prepare(&config).expect("nothing to read");
    send(&outlets, "x");
    config.alertmanagers[0].resolving_plugins = vec!["ratio".to_owned()];
    assert!(
        outlets
            .change(&config, NOW)
            .expect("nothing to read")
            .is_empty()
    );
    assert_eq!(counters(&outlets), [of("alertmanager", [1, 1, 0])]);
}

#[test]
fn the_limit_of_alerts_changes() {
    let (outlets, _runner) = prepare(&webhooks(&["a"])).expect("nothing to read");
    send(&outlets, "x");
    let mut limited = webhooks(&["a"]);
    limited.alerts_per_minute = NonZeroU32::new(1);
    assert!(
        outlets
            .change(&limited, NOW)
            .expect("nothing to read")
            .is_empty()
    );
    send(&outlets, "y");
    // "y" is dropped, and the alert about the limit waits as well.
    assert_eq!(counters(&outlets), [of("a", [3, 2, 0])]);
}

#[test]
fn after_the_end_nothing_changes() {
    let (outlets, runner) = prepare(&webhooks(&["a"])).expect("nothing to read");
    drop(runner);
    outlets.finish(NOW);
    let change = outlets.change(&webhooks(&["b"]), NOW);
    assert!(change.expect("nothing to read").is_empty());
    assert_eq!(counters(&outlets), [of("a", [0, 0, 0])]);
}
