//! A new version that cannot take over: the running one goes on, and the log has the cause.

use std::fs;

use retrans_host::pipeline::reload::Trigger;
use retrans_host::plugin::Digest;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::stream::batch::Item;

use crate::common::chain::engine;
use crate::common::chain::mark;
use crate::common::versions::Versions;

use crate::support::reload::Running;
use crate::support::reload::witness;

/// Replaces the file with these bytes: the running version stays, and the log has the cause.
#[track_caller]
fn stays(put: impl FnOnce(&Versions), reason: &str) {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    running.events(10);
    put(&versions);
    let log = running.reload();
    let expected = "WARN plugin witness is not reloaded, the running version stays: ";
    let told = log.iter().any(|line| {
        let rest = line.strip_prefix(expected);
        rest.is_some_and(|rest| rest.contains(reason))
    });
    assert!(told, "{log:#?}");
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 1: seen 20, gaps 0"], "{reason}");
    assert_eq!(report.usage[0].reloads, 0);
}

#[test]
fn where_the_new_version_is_of_no_use_the_old_one_stays() {
    let write = |bytes: Vec<u8>| {
        move |versions: &Versions| {
            fs::write(versions.path(), bytes).expect("a temporary file");
        }
    };
    stays(write(b"not wasm".to_vec()), "not WebAssembly");
    let half = |versions: &Versions| {
        let whole = versions.bytes('2');
        let half = &whole[..whole.len() / 2];
        fs::write(versions.path(), half).expect("a temporary file");
    };
    stays(half, "not a valid component");
    stays(
        |versions| versions.put('C'),
        "failed in configure: wasm trap",
    );
    stays(|versions| versions.put('R'), "failed in restore: wasm trap");
    stays(
        |versions| versions.put('N'),
        "failed in restore: this version takes no state",
    );
}

#[test]
fn where_there_is_no_file_any_more_the_old_version_stays() {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    fs::remove_file(versions.path()).expect("it is there");
    let log = running.reload();
    let [line] = log.as_slice() else {
        panic!("{log:#?}");
    };
    assert!(line.contains("No such file"), "{line}");
    assert!(line.ends_with("; the running version stays"), "{line}");
    running.events(5);
    assert_eq!(running.end().0.lines, ["version 1: seen 5, gaps 0"]);
}

#[test]
fn a_file_that_was_named_by_its_digest_is_replaced_by_no_other() {
    let versions = Versions::begin();
    let spec = Spec {
        digest: Some(Digest::of(&versions.bytes('1'))),
        ..witness(&versions)
    };
    let mut running = Running::begin(&spec);
    versions.put('2');
    let log = running.reload();
    assert!(
        log[0].contains("the file is not the expected one"),
        "{log:#?}"
    );
    assert_eq!(running.end().0.lines, ["version 1: seen 0, gaps 0"]);

    versions.put('2');
    let error = Plugin::start(engine(), &spec).err().expect("another file");
    let (found, expected) = (versions.bytes('2'), versions.bytes('1'));
    let words = format!(
        "plugin witness: sha256 is {}, expected {}: the file is not the expected one",
        Digest::of(&found),
        Digest::of(&expected)
    );
    assert_eq!(error.to_string(), words);
}

#[test]
fn a_file_that_cannot_be_read_is_complained_about_once() {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    let complaint = |log: &[String], why: &str| {
        let [line] = log else {
            panic!("one line: {log:#?}");
        };
        let path = versions.path();
        let begin = format!("WARN plugin witness: cannot read {}: {why}", path.display());
        assert!(line.starts_with(&begin), "{line}");
        assert!(line.ends_with("; the running version stays"), "{line}");
    };
    fs::remove_file(versions.path()).expect("it is there");
    let nothing: [&str; 0] = [];
    assert_eq!(
        running.look(Trigger::Changed),
        nothing,
        "another may follow"
    );
    complaint(&running.look(Trigger::Periodic), "No such file");
    assert_eq!(running.look(Trigger::Periodic), nothing);
    complaint(&running.look(Trigger::Requested), "No such file");
    fs::create_dir(versions.path()).expect("nothing is there");
    complaint(&running.look(Trigger::Changed), "");
    assert_eq!(running.look(Trigger::Changed), nothing);
    fs::remove_dir(versions.path()).expect("it is empty");
    versions.put('2');
    assert!(running.look(Trigger::Changed)[0].contains("was reloaded"));
    assert_eq!(running.end().0.lines, ["version 2: seen 0, gaps 0"]);
}

#[test]
fn a_version_that_is_of_no_use_is_tried_once_and_again_when_somebody_asks() {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    versions.put('R');
    let stays = |log: &[String]| {
        let words = "plugin witness is not reloaded, the running version stays: plugin witness failed \
                     in restore: wasm trap";
        assert!(log.iter().any(|line| line.contains(words)), "{log:#?}");
    };
    stays(&running.look(Trigger::Changed));
    let nothing: [&str; 0] = [];
    assert_eq!(running.look(Trigger::Changed), nothing);
    assert_eq!(running.look(Trigger::Periodic), nothing);
    stays(&running.look(Trigger::Requested));
    running.end();
}

/// A version that has seen ten events, a tick, and ten more events. It traps in `save` now, but did not
/// at the tick.
fn failing_in_save() -> (Versions, Running) {
    let versions = Versions::begin();
    versions.put('S');
    let mut running = Running::begin(&witness(&versions));
    running.events(10);
    running.send(Item::Mark(mark(1)));
    running.events(10);
    (versions, running)
}

#[test]
fn a_version_is_tried_again_where_the_running_one_could_not_hand_over() {
    let (versions, mut running) = failing_in_save();
    versions.put('2');
    let log = running.look(Trigger::Changed);
    let words = "running version stays: plugin witness failed in save";
    assert!(log.iter().any(|line| line.contains(words)), "{log:#?}");
    let log = running.look(Trigger::Periodic);
    assert!(log[0].contains("was reloaded"), "{log:#?}");
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 2: seen 20, gaps 1"]);
    let usage = &report.usage[0];
    assert_eq!((usage.restarts, usage.reloads), (1, 1));
}

#[test]
fn a_trap_in_save_leaves_the_old_code_with_what_it_knew_at_the_last_tick() {
    let (versions, mut running) = failing_in_save();
    versions.put('2');
    let log = running.reload();
    let stays = log.iter().any(|line| {
        line.starts_with(
            "WARN plugin witness is not reloaded, the running version stays: plugin \
                          witness failed in save: wasm trap",
        )
    });
    assert!(stays, "{log:#?}");
    running.events(10);
    let (said, report) = running.end();
    // The state of the tick has ten events; the ten after it are missing, which is a gap.
    assert_eq!(said.lines, ["version S: seen 20, gaps 1"]);
    assert_eq!(report.usage[0].faults["trap"], 1);
    assert_eq!(report.plugins[0].kept, 30, "no event is lost");
}
