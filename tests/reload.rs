//! A new version of a plugin takes over while events go on: none is lost, none is seen twice.

mod common;

use std::fs;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use crossbeam_channel::unbounded;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::alert::Alert;
use retrans_host::alert::State;
use retrans_host::batch::Batch;
use retrans_host::batch::Item;
use retrans_host::chain::Chain;
use retrans_host::chain::Report;
use retrans_host::plugin::Digest;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::reload::Reloader;
use retrans_host::reload::Trigger;

use crate::common::chain::Recorder;
use crate::common::chain::Said;
use crate::common::chain::assert_balances;
use crate::common::chain::batch;
use crate::common::chain::engine;
use crate::common::chain::mark;
use crate::common::chain::spec;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::fixture;
use crate::common::fixtures::other_build_of_threshold_alert;
use crate::common::log::logged;
use crate::common::versions::Versions;

/// A chain that runs in its own thread, and a reloader in that of the test.
struct Running {
    reloader: Reloader,
    items: Sender<Item>,
    chain: JoinHandle<Report>,
    recorder: Recorder,
    events: Synth,
    sent: u64,
}

impl Running {
    fn begin(spec: &Spec) -> Running {
        let plugin = Plugin::start(engine(), spec).unwrap_or_else(|error| panic!("{error}"));
        let plugins = vec![plugin];
        let (reloader, reloads) = Reloader::new(engine().clone(), &plugins);
        let recorder = Recorder::default();
        let chain = Chain::new(plugins, recorder.clone()).reload_from(reloads);
        let (items, receiver) = bounded(0);
        let chain = thread::spawn(move || {
            let (used, _recycled) = unbounded();
            let (report, result) = chain.run(&receiver, &used, ());
            result.expect("nothing ends the chain");
            report
        });
        Running {
            reloader,
            items,
            chain,
            recorder,
            events: Synth::new(9),
            sent: 0,
        }
    }

    fn events(&mut self, count: usize) {
        let events: Vec<Record> = self.events.by_ref().take(count).collect();
        self.sent += count as u64;
        self.send(Item::Events(batch(&events)));
    }

    fn send(&self, item: Item) {
        self.items.send(item).expect("the chain is there");
    }

    /// Looks for a new version; what was logged.
    fn reload(&mut self) -> Vec<String> {
        self.look(Trigger::Asked)
    }

    /// The same for another reason.
    fn look(&mut self, trigger: Trigger) -> Vec<String> {
        logged(|| self.reloader.look(trigger)).1
    }

    /// Ends the stream.
    #[track_caller]
    fn end(self) -> (Said, Report) {
        self.send(Item::End(mark(1_000)));
        drop(self.items);
        let report = self.chain.join().expect("no panic");
        assert_balances(&report, self.sent);
        (self.recorder.take(), report)
    }
}

fn witness(versions: &Versions) -> Spec {
    Spec::new("witness", Origin::File(versions.path()))
}

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

/// Puts this in the file's place: the running version stays, and the log says why.
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
        log[0].contains("it is not the file that was meant"),
        "{log:#?}"
    );
    assert_eq!(running.end().0.lines, ["version 1: seen 0, gaps 0"]);

    versions.put('2');
    let error = Plugin::start(engine(), &spec).err().expect("another file");
    let (found, expected) = (versions.bytes('2'), versions.bytes('1'));
    let words = format!(
        "plugin witness: sha256 is {}, expected {}: it is not the file that was meant",
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
    complaint(&running.look(Trigger::Regular), "No such file");
    assert_eq!(running.look(Trigger::Regular), nothing);
    complaint(&running.look(Trigger::Asked), "No such file");
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
    assert_eq!(running.look(Trigger::Regular), nothing);
    stays(&running.look(Trigger::Asked));
    running.end();
}

#[test]
fn a_version_is_tried_again_where_the_running_one_could_not_hand_over() {
    let versions = Versions::begin();
    versions.put('S');
    let mut running = Running::begin(&witness(&versions));
    running.events(10);
    running.send(Item::Mark(mark(1)));
    // From here on it traps in save; what it knew at the mark does not make it.
    running.events(10);
    versions.put('2');
    let log = running.look(Trigger::Changed);
    let words = "running version stays: plugin witness failed in save";
    assert!(log.iter().any(|line| line.contains(words)), "{log:#?}");
    let log = running.look(Trigger::Regular);
    assert!(log[0].contains("was reloaded"), "{log:#?}");
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 2: seen 20, gaps 1"]);
    let usage = &report.usage[0];
    assert_eq!((usage.restarts, usage.reloads), (1, 1));
}

#[test]
fn a_trap_in_save_leaves_the_old_code_with_what_it_knew_at_the_last_tick() {
    let versions = Versions::begin();
    versions.put('S');
    let mut running = Running::begin(&witness(&versions));
    running.events(10);
    running.send(Item::Mark(mark(1)));
    // From here on it traps in save.
    running.events(10);
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
    // The ten of the tick are known, the ten after it are forgotten: a gap.
    assert_eq!(said.lines, ["version S: seen 20, gaps 1"]);
    assert_eq!(report.usage[0].faults["trap"], 1);
    assert_eq!(report.plugins[0].kept, 30, "no event is lost");
}

#[test]
fn a_plugin_without_state_is_swapped_all_the_same() {
    let versions = Versions::begin();
    let path = versions.directory().join("https_only.wasm");
    let first = fs::read(fixture(HTTPS_ONLY)).expect("it was built");
    fs::write(&path, &first).expect("a temporary file");
    let mut running = Running::begin(&Spec::new("https", Origin::File(path.clone())));
    running.events(100);
    // An empty custom section makes another file of it.
    fs::write(&path, [first, vec![0, 2, 1, b'x']].concat()).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{log:#?}");
    running.events(100);
    let (_, report) = running.end();
    assert_eq!(report.plugins[0].events, 200);
    assert_eq!(report.usage[0].reloads, 1);
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

/// Sends this many events at least, and goes on until there were that many reloads.
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
        // Made up once: to make them up takes longer than to process them.
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
        reloader.look(Trigger::Asked);
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
    let bundled = retrans_host::bundled::component("threshold-alert").expect("it is bundled");
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

    // The tenth makes it fire: six of them were counted by the other build.
    let second: Vec<Record> = (0..5).map(|step| at(3_000 + step)).collect();
    running.sent += 5;
    running.send(Item::Events(batch(&second)));
    fs::write(&path, bundled).expect("a temporary file");
    let log = running.reload();
    assert!(log[0].contains("was reloaded"), "{log:#?}");

    // It fires already, and the build that takes over again knows.
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
