//! A new version of a plugin takes over while events go on: none is lost, and none is seen twice.

use std::fs;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::pipeline::reload::Trigger;
use retrans_host::plugin::Digest;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::bundled;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;

use crate::common::chain::assert_balances;
use crate::common::chain::batch;
use crate::common::chain::mark;
use crate::common::chain::spec;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::fixture;
use crate::common::fixtures::other_build_of_threshold_alert;
use crate::common::versions::Versions;

use crate::support::reload::Running;
use crate::support::reload::witness;

#[test]
fn a_new_version_takes_over_with_what_the_old_one_knew() {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    running.events(10);
    versions.put('2');
    let log = running.reload();
    let digest = Digest::of(&versions.bytes('2'));
    let path = versions.path();
    let expected = format!(
        "INFO plugin witness was reloaded: {} sha256={digest}",
        path.display()
    );
    assert_eq!(log, [expected]);
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 2: seen 20, gaps 0"]);
    assert_eq!(report.usage[0].reloads, 1);
    assert_eq!(report.usage[0].restarts, 0);
}

#[test]
fn a_file_that_has_not_changed_is_left_alone() {
    let versions = Versions::begin();
    let mut running = Running::begin(&witness(&versions));
    let log = running.reload();
    let path = versions.path();
    let expected = format!("INFO plugin witness: {} has not changed", path.display());
    assert_eq!(log, [expected]);
    assert_eq!(running.end().1.usage[0].reloads, 0);
}

#[test]
fn a_new_version_is_offered_what_the_old_one_was() {
    let versions = Versions::begin();
    let path = versions.directory().join("table.wasm");
    let first = bundled::component("table-print").expect("it is bundled");
    fs::write(&path, first).expect("a temporary file");
    let mut spec = Spec::new("table", Origin::File(path.clone()));
    spec.settings.offered = vec![("color", true.into()), ("width", 20.into())];
    let mut running = Running::begin(&spec);
    running.events(1);
    // An empty custom section changes the file's digest.
    fs::write(&path, [first, &[0, 2, 1, b'x']].concat()).expect("a temporary file");
    running.reload();
    running.events(1);
    let (said, report) = running.end();
    assert_eq!(report.usage[0].reloads, 1);
    let heading = "\u{1b}[1mTIME             PID\u{1b}[0m";
    let headings = said.lines.iter().filter(|line| *line == heading);
    assert_eq!((said.lines.len(), headings.count()), (4, 2));
}

#[test]
fn a_plugin_without_state_is_swapped_all_the_same() {
    let versions = Versions::begin();
    let path = versions.directory().join("https_only.wasm");
    let first = fs::read(fixture(HTTPS_ONLY)).expect("it was built");
    fs::write(&path, &first).expect("a temporary file");
    let mut running = Running::begin(&Spec::new("https", Origin::File(path.clone())));
    running.events(100);
    // An empty custom section changes the file's digest.
    fs::write(&path, [first, vec![0, 2, 1, b'x']].concat()).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{log:#?}");
    running.events(100);
    let (_, report) = running.end();
    assert_eq!(report.plugins[0].events, 200);
    assert_eq!(report.usage[0].reloads, 1);
}

/// The programs of a census are freed at the start if no plugin asks for one.
#[test]
fn a_new_version_that_asks_for_a_census_is_refused_where_there_is_none() {
    let versions = Versions::begin();
    let path = versions.directory().join("ratio.wasm");
    let first = fs::read(fixture(HTTPS_ONLY)).expect("it was built");
    let asking = bundled::component("ratio-alert").expect("it is bundled");
    for can_have_census in [false, true] {
        fs::write(&path, &first).expect("a temporary file");
        let mut running = Running::begin(&Spec::new("ratio", Origin::File(path.clone())));
        running.reloader = running.reloader.refuse_census_unless(can_have_census);
        fs::write(&path, asking).expect("a temporary file");
        let log = running.reload();
        let expected = match can_have_census {
            true => "plugin ratio was reloaded",
            false => {
                "the running version stays: it asks for a census, and there was none at the start: \
                 that needs a restart"
            }
        };
        assert!(log[0].contains(expected), "{log:#?}");
        let (_, report) = running.end();
        assert_eq!(report.usage[0].reloads, u64::from(can_have_census));
    }
}

#[test]
fn a_new_version_ends_a_quarantine() {
    let versions = Versions::begin();
    let settings = [("panic_at", "[0,1,2,3,4]")];
    let origin = Origin::File(versions.path());
    let mut running = Running::begin(&spec("witness", &origin, &settings));
    running.events(10);
    versions.put('2');
    running.reload();
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 2: seen 10, gaps 0"]);
    assert_eq!(report.plugins[0].passed_unseen, 10);
}

/// The test sends at least this many events, until all reloads are done.
const EVENTS: u64 = 1_000_000;
const RELOADS: u64 = 200;

#[test]
fn two_hundred_reloads_while_a_million_events_go_through_lose_nothing_and_repeat_nothing() {
    let versions = Versions::begin();
    let Running {
        mut reloader,
        items,
        chain,
        recorder,
        events,
        ..
    } = Running::begin(&witness(&versions));
    let (done, reloaded) = bounded::<()>(1);
    let source = thread::spawn(move || {
        // Generated once: generating takes longer than processing.
        let mut records: Vec<Record> = events.take(256).collect();
        let mut sent = 0;
        while sent < EVENTS || reloaded.is_empty() {
            for (number, record) in (sent..).zip(&mut records) {
                record.set_sequence(number);
            }
            let batch: Batch = batch(&records);
            sent += batch.len() as u64;
            items.send(Item::Events(batch)).expect("the chain is there");
        }
        items
            .send(Item::End(mark(1_000)))
            .expect("the chain is there");
        sent
    });
    for reload in 0..RELOADS {
        let version = ['2', '1'][reload as usize % 2];
        versions.put(version);
        reloader.check(Trigger::Requested);
    }
    done.send(()).expect("the source looks at it");
    let sent = source.join().expect("no panic");
    drop(reloader);
    let report = chain.join().expect("no panic");
    assert_balances(&report, sent);
    assert_eq!(report.usage[0].reloads, RELOADS);
    let lines = recorder.take().lines;
    assert_eq!(lines, [format!("version 1: seen {sent}, gaps 0")]);
}

#[test]
fn an_alert_that_fired_in_one_build_of_threshold_alert_does_not_fire_again_in_the_other() {
    let versions = Versions::begin();
    let path = versions.directory().join("threshold_alert.wasm");
    let bundled =
        retrans_host::plugin::bundled::component("threshold-alert").expect("it is bundled");
    fs::write(&path, bundled).expect("a temporary file");
    let settings = [("threshold", "10"), ("window", "5s")];
    let spec = spec("alert", &Origin::File(path.clone()), &settings);
    let mut running = Running::begin(&spec);

    let mut event = Synth::new(1).next().expect("there is no end");
    let mut at = |millis| {
        event.set_time(Duration::from_millis(millis));
        event.set_segments(Some(1));
        event.clone()
    };
    let first: Vec<Record> = (0..6).map(|step| at(1_000 + step)).collect();
    running.sent += 6;
    running.send(Item::Events(batch(&first)));
    running.send(Item::Mark(mark(2)));

    let other = fs::read(other_build_of_threshold_alert()).expect("it was built");
    assert_ne!(other, bundled);
    fs::write(&path, &other).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{log:#?}");

    // The alert fires at the tenth event, of which the other build counted six.
    let second: Vec<Record> = (0..5).map(|step| at(3_000 + step)).collect();
    running.sent += 5;
    running.send(Item::Events(batch(&second)));
    fs::write(&path, bundled).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{log:#?}");

    // The alert is active, and the build that takes over again has that in its state.
    let third: Vec<Record> = (0..20).map(|step| at(3_500 + step)).collect();
    running.sent += 20;
    running.send(Item::Events(batch(&third)));
    for second in 4..20 {
        running.send(Item::Mark(mark(second)));
    }
    let (said, _) = running.end();
    let states: Vec<State> = said
        .alerts
        .iter()
        .map(|alert: &Alert| alert.state)
        .collect();
    assert_eq!(
        states,
        [State::Firing, State::Resolved],
        "{:#?}",
        said.alerts
    );
    assert!(said.alerts[0].summary.starts_with("10 segments"));
    assert!(!said.alerts[1].summary.contains("by the host"));
}
