//! Plugins join a chain, leave it and change places while events go on: none is lost, and each is accounted for.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::thread;

use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::chain::Chain;
use retrans_host::chain::Change;
use retrans_host::chain::Member;
use retrans_host::chain::SwapError;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::stats::counters::ChainStats;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Item;

use crate::common::chain::Recorder;
use crate::common::chain::Said;
use crate::common::chain::assert_balances;
use crate::common::chain::batch;
use crate::common::chain::mark;
use crate::common::chain::start;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;

fn witness(name: &str, settings: &[(&str, &str)]) -> Box<Plugin> {
    fixture_as(name, WITNESS, settings)
}

fn fixture_as(name: &str, file: &str, settings: &[(&str, &str)]) -> Box<Plugin> {
    let origin = Origin::File(fixture(file));
    let plugin = start(name, &origin, settings, Limits::default());
    Box::new(plugin.unwrap_or_else(|error| panic!("{error}")))
}

/// Sends changes to a chain.
struct Changes(Sender<Change>);

impl Changes {
    fn make(&self, members: Vec<Member>) -> Vec<Result<(), SwapError>> {
        let (done, results) = bounded(1);
        let change = Change { members, done };
        self.0.send(change).expect("the chain is there");
        results.recv().expect("the chain answers")
    }
}

/// What is sent to a chain, in this order.
enum Step {
    Events(usize),
    Change(Vec<Member>),
}

/// Runs a chain of these plugins through the steps.
fn run(plugins: Vec<Plugin>, steps: impl IntoIterator<Item = Step>) -> (Said, ChainStats, u64) {
    let recorder = Recorder::default();
    let (changes, receiver) = bounded(0);
    let changes = Changes(changes);
    let chain = Chain::new(plugins, recorder.clone()).change_by(receiver);
    let (items, received) = bounded(0);
    let chain = thread::spawn(move || {
        let (used, _recycled) = bounded(1);
        chain.run(&received, &used, ())
    });
    let mut events = Synth::new(9);
    let mut sent = 0;
    for (second, step) in (1..).zip(steps) {
        match step {
            Step::Events(count) => {
                let records: Vec<Record> = events.by_ref().take(count).collect();
                sent += count as u64;
                let batch = Item::Events(batch(&records));
                items.send(batch).expect("the chain is there");
                let mark = Item::Mark(mark(second));
                items.send(mark).expect("the chain is there");
            }
            Step::Change(members) => {
                let results = changes.make(members);
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            }
        }
    }
    items
        .send(Item::End(mark(1_000)))
        .expect("the chain is there");
    drop(items);
    let (report, result) = chain.join().expect("no panic");
    result.expect("nothing ends the chain");
    (recorder.take(), report, sent)
}

fn names(report: &ChainStats) -> Vec<(&str, u64)> {
    let plugins = report.plugins.iter().chain(&report.removed);
    plugins
        .map(|plugin| (plugin.name.as_str(), plugin.events))
        .collect()
}

#[test]
fn plugins_join_leave_and_change_places_and_every_event_is_accounted_for() {
    let steps = [
        Step::Events(10),
        // One before the others, and one behind.
        Step::Change(vec![
            Member::New(fixture_as("half", DROP_EVERY, &[("n", "2")])),
            Member::Same(0),
            Member::New(witness("last", &[])),
        ]),
        Step::Events(100),
        // The one that drops is last now; the first one leaves.
        Step::Change(vec![Member::Same(2), Member::Same(0)]),
        Step::Events(20),
    ];
    let (said, report, sent) = run(vec![*witness("first", &[])], steps);
    assert_balances(&report, sent);
    assert_eq!(names(&report), [("last", 70), ("half", 120), ("first", 60)]);
    let dropped = report.plugins[1].dropped;
    assert_eq!(dropped, 60);
    // For the one that leaves, the stream has ended.
    let lines: Vec<_> = said.lines.iter().map(String::as_str).collect();
    assert_eq!(
        lines,
        ["version 1: seen 60, gaps 49", "version 1: seen 70, gaps 50"]
    );
}

#[test]
fn a_plugin_that_leaves_and_comes_again_goes_on_with_its_counts_and_without_its_state() {
    let alert = [("alert_at", "[3]")];
    let steps = [
        Step::Events(10),
        Step::Change(vec![Member::New(witness("other", &[]))]),
        Step::Events(10),
        Step::Change(vec![Member::New(witness("witness", &[])), Member::Same(0)]),
        Step::Events(10),
    ];
    let (said, report, sent) = run(vec![*witness("witness", &alert)], steps);
    assert_balances(&report, sent);
    assert_eq!(names(&report), [("witness", 20), ("other", 20)]);
    let counter = ("witness".to_owned(), "seen".to_owned());
    assert_eq!(report.counters[&counter], 20);
    assert_eq!(
        said.lines,
        [
            "version 1: seen 10, gaps 0",
            "version 1: seen 10, gaps 0",
            "version 1: seen 20, gaps 0"
        ]
    );
    // Its alert ended with it.
    let states: Vec<_> = said.alerts.iter().map(|alert| alert.state).collect();
    assert_eq!(states, [State::Firing, State::Resolved]);
    let summary = "resolved by the host: witness was removed from the configuration";
    assert_eq!(said.alerts[1].summary, summary);
}

#[test]
fn another_component_of_the_same_name_goes_on_with_the_counts() {
    let steps = [
        Step::Events(10),
        Step::Change(vec![Member::New(fixture_as(
            "witness",
            DROP_EVERY,
            &[("n", "2")],
        ))]),
        Step::Events(10),
    ];
    let (_, report, sent) = run(vec![*witness("witness", &[])], steps);
    assert_balances(&report, sent);
    assert_eq!(names(&report), [("witness", 20)]);
    assert_eq!(report.plugins[0].dropped, 5);
}

#[test]
fn new_settings_keep_the_state_and_a_place_may_change_with_them() {
    let steps = [
        Step::Events(10),
        Step::Change(vec![
            Member::New(witness("first", &[])),
            Member::Replaced(0, witness("witness", &[("alert_at", "[15]")])),
        ]),
        Step::Events(10),
    ];
    let (said, report, sent) = run(vec![*witness("witness", &[])], steps);
    assert_balances(&report, sent);
    assert_eq!(names(&report), [("first", 10), ("witness", 20)]);
    assert_eq!(said.lines[1], "version 1: seen 20, gaps 0");
    assert_eq!(said.alerts.len(), 1);
    assert_eq!(report.usage[1].reloads, 1);
}

#[test]
fn a_change_that_is_none_is_refused_and_the_chain_goes_on() {
    let recorder = Recorder::default();
    let (changes, receiver) = bounded(0);
    let changes = Changes(changes);
    let chain = Chain::new(vec![*witness("witness", &[])], recorder).change_by(receiver);
    let (items, received) = bounded(0);
    let chain = thread::spawn(move || {
        let (used, _recycled) = bounded(1);
        chain.run(&received, &used, ())
    });
    for members in [
        vec![Member::Same(0), Member::Same(0)],
        vec![Member::Same(1)],
        vec![Member::Replaced(7, witness("witness", &[]))],
    ] {
        let results = changes.make(members);
        assert!(results.iter().all(Result::is_err), "{results:?}");
    }
    let records: Vec<Record> = Synth::new(9).take(3).collect();
    let batch = Item::Events(batch(&records));
    items.send(batch).expect("the chain is there");
    items.send(Item::End(mark(1))).expect("the chain is there");
    drop(items);
    let (report, result) = chain.join().expect("no panic");
    result.expect("nothing ends the chain");
    assert_balances(&report, 3);
    assert_eq!(names(&report), [("witness", 3)]);
}

/// Changes of the next test.
const CHANGES: usize = 300;

#[test]
fn three_hundred_changes_while_events_go_through_lose_nothing() {
    let mut count = 0_u64;
    let mut below = |limit: u64| {
        count += 1;
        let mut hasher = DefaultHasher::new();
        count.hash(&mut hasher);
        hasher.finish() % limit
    };
    let mut order = vec!["a"];
    let mut steps = Vec::new();
    for _ in 0..CHANGES {
        steps.push(Step::Events(below(200) as usize));
        let mut next: Vec<&str> = ["a", "b", "c", "d"]
            .into_iter()
            .filter(|_| below(2) == 0)
            .collect();
        if next.is_empty() {
            next.push("a");
        }
        let by = below(next.len() as u64) as usize;
        next.rotate_left(by);
        if below(2) == 0 {
            next.reverse();
        }
        let members = next.iter().map(|name| {
            let place = order.iter().position(|before| before == name);
            let start = || match *name {
                "d" => fixture_as("d", DROP_EVERY, &[("n", "3")]),
                name => witness(name, &[]),
            };
            match place {
                Some(place) if below(2) == 0 => Member::Same(place),
                Some(place) => Member::Replaced(place, start()),
                None => Member::New(start()),
            }
        });
        let members = members.collect();
        steps.push(Step::Change(members));
        order = next;
    }
    steps.push(Step::Events(1_000));
    let (_, report, sent) = run(vec![*witness("a", &[])], steps);
    assert_balances(&report, sent);
    let all = report.plugins.len() + report.removed.len();
    assert_eq!(all, 4, "{:?}", names(&report));
}
