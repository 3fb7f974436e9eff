//! The effects that a plugin can have on a stream.

#![allow(missing_docs)]

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use log::Level;
use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

/// Declares a plugin from the body of its `on_event`.
macro_rules! plugin {
    ($name:ident, |$event:ident, $out:ident| $body:expr) => {
        struct $name;

        impl Plugin for $name {
            type Settings = NoSettings;

            fn new(_: NoSettings) -> Result<Self> {
                Ok($name)
            }

            fn on_event(&mut self, $event: &mut Event, $out: &mut Output) -> Result<Verdict> {
                $body
            }
        }
    };
}

fn run<P: Plugin>(scenario: Scenario) -> Outcome {
    scenario.run::<P>().expect("the plugin is sound")
}

fn thousand() -> Vec<Record> {
    Synth::new(1).take(1_000).collect()
}

mod filters {
    use super::*;

    filter!(|event| event.kind() == Kind::Fast);

    #[test]
    fn a_filter_keeps_the_events_that_meet_its_condition() {
        let expected: Vec<Record> = thousand()
            .into_iter()
            .filter(|record| record.kind() == Kind::Fast)
            .collect();
        assert!((100..900).contains(&expected.len()));
        let outcome = run::<Filter>(Scenario::new().events(thousand()));
        let kept = outcome.kept.iter().map(|kept| &kept.record);
        assert!(kept.eq(&expected));
    }
}

mod label_filters {
    use super::*;

    filter!(|event| event.label("network") == Some("office"));

    #[test]
    fn a_filter_may_go_by_labels() {
        let mut records = Synth::new(2);
        let mut next = || records.next().expect("there is no end");
        let scenario = Scenario::new()
            .labelled_event(next(), [("network", "office"), ("host", "db")])
            .labelled_event(next(), [("network", "home")])
            .event(next())
            .labelled_event(next(), [("network", "office")]);
        let outcome = run::<Filter>(scenario);
        let sequences = outcome.kept.iter().map(|kept| kept.record.sequence());
        assert!(sequences.eq([0, 3]));
        assert_eq!(outcome.kept[0].label("host"), Some("db"));
    }
}

mod transforms {
    use super::*;

    transform!(|event| {
        event.set_mark(Some(7));
        event.set_sequence(99);
        event.set_label("port", event.peer().port());
    });

    #[test]
    fn a_transform_changes_all_but_the_fields_of_the_host() {
        let outcome = run::<Transform>(Scenario::new().events(thousand()));
        assert_eq!(outcome.kept.len(), 1_000);
        for (kept, mut expected) in outcome.kept.iter().zip(thousand()) {
            expected.set_mark(Some(7));
            assert_eq!(kept.record, expected);
            assert_eq!(kept.label("port"), Some(&*expected.peer_port().to_string()));
        }
    }
}

mod alerters {
    use super::*;

    alert!(|event| {
        let timed_out = event.kind() == Kind::Timeout;
        timed_out.then(|| Alert::warning("timeout").label("peer", event.peer().ip()))
    });

    #[test]
    fn an_alert_is_raised_where_one_is_returned() {
        let timeouts = (0..).zip(thousand());
        let timeouts: Vec<(u32, Record)> = timeouts
            .filter(|(_, record)| record.kind() == Kind::Timeout)
            .collect();
        assert!((50..900).contains(&timeouts.len()));
        let outcome = run::<Alerter>(Scenario::new().events(thousand()));
        assert_eq!(outcome.kept.len(), 1_000);
        assert_eq!(outcome.alerts.len(), timeouts.len());
        for (alert, (number, record)) in outcome.alerts.iter().zip(&timeouts) {
            assert_eq!(alert.event, Some(*number));
            assert_eq!(
                alert.label_value("peer"),
                Some(&*record.peer_address().to_string())
            );
        }
    }
}

plugin!(Relabel, |event, out| {
    event.set_label("b", "first");
    event.set_label("b", "second");
    event.set_label("d", event.label("a").unwrap_or("none").to_owned());
    let seen: Vec<String> = event
        .labels()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    out.line(seen.join(" "));
    Ok(Verdict::keep_if(event.sequence() != 1))
});

#[test]
fn a_plugin_sees_earlier_labels_and_its_own_and_the_later_wins() {
    let mut records = Synth::new(3);
    let mut next = || records.next().expect("there is no end");
    let scenario = Scenario::new()
        .labelled_event(next(), [("c", "3"), ("a", "1"), ("b", "earlier")])
        .labelled_event(next(), [("a", "dropped")])
        .event(next());
    let outcome = run::<Relabel>(scenario);
    assert_eq!(
        outcome.lines,
        [
            "a=1 b=second c=3 d=1",
            "a=dropped b=second d=dropped",
            "b=second d=none"
        ]
    );
    let labels = outcome.kept.iter().map(|kept| format!("{:?}", kept.labels));
    assert!(labels.eq([
        r#"{"a": "1", "b": "second", "c": "3", "d": "1"}"#,
        r#"{"b": "second", "d": "none"}"#,
    ]));
}

plugin!(Lines, |event, out| {
    match event.sequence() {
        0 => out.line("one"),
        1 => out.line("ends with a line feed\n"),
        2 => out.line("two\nlines"),
        3 => out.line(""),
        _ => out.json(&("json", event.sequence()))?,
    }
    Ok(Verdict::Drop)
});

#[test]
fn lines_are_whole() {
    let outcome = run::<Lines>(Scenario::new().events(Synth::new(4).take(5)));
    assert_eq!(
        outcome.lines,
        [
            "one",
            "ends with a line feed",
            "two",
            "lines",
            "",
            r#"["json",4]"#
        ]
    );
}

plugin!(Unwritable, |event, out| {
    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: retrans_plugin_sdk::serde::Serializer>(
            &self,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            use retrans_plugin_sdk::serde::ser::Error;
            use retrans_plugin_sdk::serde::ser::SerializeSeq;
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element("half a line")?;
            Err(S::Error::custom("broken"))
        }
    }

    out.line(event.sequence());
    if let Err(error) = out.json(&Broken) {
        out.line(format_args!("{error:#}"));
    }
    Ok(Verdict::Keep)
});

#[test]
fn of_json_that_fails_nothing_is_written() {
    let outcome = run::<Unwritable>(Scenario::new().events(Synth::new(4).take(2)));
    let error = "cannot write a value as JSON: broken";
    assert_eq!(outcome.lines, ["0", error, "1", error]);
}

plugin!(Alarmed, |event, out| {
    let peer = event.peer();
    out.count("seen", 1);
    if event.sequence() % 100 == 99 {
        out.count("hundreds", 1);
        out.alert(
            Alert::critical("hundred")
                .label("port", 1)
                .label("port", peer.port()),
        );
        log::warn!("event {}", event.sequence());
    }
    Ok(Verdict::Drop)
});

#[test]
fn alerts_are_about_the_event_they_were_raised_for() {
    let outcome = run::<Alarmed>(Scenario::new().events(thousand()));
    let events = outcome.alerts.iter().map(|alert| alert.event);
    assert!(events.eq((0..10).map(|hundred| Some(hundred * 100 + 99))));
    let ports = [99, 199].map(|event| thousand()[event].peer_port().to_string());
    assert_eq!(
        outcome.alerts[0].label_value("port"),
        Some(&*ports[0]),
        "the later value"
    );
    assert_eq!(outcome.alerts[1].label_value("port"), Some(&*ports[1]));
    assert_eq!(outcome.alerts[0].labels.len(), 1);
}

#[test]
fn counts_add_up() {
    let outcome = run::<Alarmed>(Scenario::new().events(thousand()));
    assert_eq!(outcome.counts["seen"], 1_000);
    assert_eq!(outcome.counts["hundreds"], 10);
}

#[test]
fn the_log_lines_of_a_plugin_are_in_the_outcome() {
    let outcome = run::<Alarmed>(Scenario::new().events(thousand()));
    assert_eq!(outcome.logs.len(), 10);
    assert_eq!(outcome.logs[0], (Level::Warn, "event 99".to_owned()));
}

struct Diary;

impl Plugin for Diary {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Diary)
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        out.line(format_args!("event {}", event.sequence()));
        Ok(Verdict::Keep)
    }

    fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
        out.line(format_args!("lost {events}"));
        out.alert(Alert::info("lost"));
        Ok(())
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        out.line(format_args!("tick {now:?}"));
        Ok(())
    }

    fn on_finish(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        out.line(format_args!("finish {now:?}"));
        Ok(())
    }
}

#[test]
fn losses_ticks_and_the_end_reach_the_plugin_in_order() {
    let mut records = Synth::new(5);
    let mut two = || records.by_ref().take(2).collect::<Vec<_>>();
    let scenario = Scenario::new()
        .events(two())
        .lost(3)
        .events(two())
        .tick(Duration::from_secs(2_000))
        .lost(1)
        .lost(1)
        .tick(Duration::from_secs(2_001))
        .lost(5);
    let outcome = run::<Diary>(scenario);
    assert_eq!(
        outcome.lines,
        [
            "event 0",
            "event 1",
            "lost 3",
            "event 2",
            "event 3",
            "tick 2000s",
            "lost 2",
            "tick 2001s",
            "lost 5",
            "finish 2001s",
        ]
    );
    assert!(outcome.alerts.iter().all(|alert| alert.event.is_none()));
}

#[test]
fn the_end_is_not_before_any_event_however_late_some_have_come() {
    let [mut first, mut late] = [Record::new(), Record::new()];
    first.set_time(Duration::from_millis(1_100));
    late.set_time(Duration::from_millis(1_000));
    let outcome = run::<Diary>(Scenario::new().event(first).event(late));
    assert_eq!(outcome.lines, ["event 0", "event 0", "finish 1.1s"]);
}

plugin!(Faulty, |event, out| {
    out.line(event.sequence());
    let port: Result<u16, _> = "no number".parse();
    let port = port.context("cannot read the port")?;
    Ok(Verdict::keep_if(port > 0))
});

#[test]
fn an_error_says_what_went_wrong_and_why() {
    let scenario = Scenario::new().events(Synth::new(6).take(10));
    let error = scenario.run::<Faulty>().expect_err("it cannot go on");
    assert_eq!(
        format!("{error:#}"),
        "cannot read the port: invalid digit found in string"
    );
}

plugin!(Moody, |event, out| {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let seen = SEEN.fetch_add(1, Ordering::Relaxed);
    out.line(seen + event.sequence());
    Ok(Verdict::Keep)
});

#[test]
#[should_panic(expected = "calls of at most 1 and of at most 7 events differ in line 0")]
fn a_plugin_whose_answer_depends_on_how_the_stream_is_cut_is_found() {
    let _ = Scenario::new().events(Synth::new(7).take(3)).run::<Moody>();
}

plugin!(Nameless, |event, out| {
    match event.sequence() {
        0 => out.alert(Alert::info("")),
        1 => out.count("two words", 1),
        _ => event.set_label("", 1),
    }
    Ok(Verdict::Keep)
});

#[test]
fn what_the_host_would_refuse_is_an_error() {
    for (skip, expected) in [
        (0, "an alert has no name"),
        (
            1,
            "the name of a counter, gauge or histogram has from 1 to 64 bytes, and no spaces",
        ),
        (2, "a label has an empty key"),
    ] {
        let one = Synth::new(7).skip(skip).take(1);
        let error = Scenario::new()
            .events(one)
            .run::<Nameless>()
            .expect_err(expected);
        assert_eq!(
            error.to_string(),
            format!("the host would refuse this: {expected}")
        );
    }
}

plugin!(Fickle, |_event, _out| {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    ensure!(SEEN.fetch_add(1, Ordering::Relaxed) != 4, "not this one");
    Ok(Verdict::Keep)
});

#[test]
#[should_panic(expected = "differ in their result:\n  success\n  not this one")]
fn a_plugin_that_fails_only_if_the_stream_is_cut_otherwise_is_found() {
    let _ = Scenario::new()
        .events(Synth::new(7).take(3))
        .run::<Fickle>();
}
