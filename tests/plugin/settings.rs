//! Settings of the command line reach a plugin with the types of its schema.

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::StartError;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::alert::Severity;
use retrans_host::stream::batch::Item;
use serde_json::Value;

use crate::common::chain::batch;
use crate::common::chain::bundled;
use crate::common::chain::plugin;
use crate::common::chain::run;
use crate::common::chain::start;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::TAG_NETWORK;
use crate::common::fixtures::fixture;

fn events() -> Vec<Record> {
    Synth::with_connections(1, 1).take(30).collect()
}

/// The first alert of threshold-alert with these settings.
#[track_caller]
fn first_alert(settings: &[(&str, &str)]) -> Alert {
    let origin = Origin::Bundled("threshold-alert");
    let plugin = match start("alert", &origin, settings, Limits::default()) {
        Ok(plugin) => plugin,
        Err(error) => panic!("{error}"),
    };
    let ran = run(vec![plugin], [Item::Events(batch(&events()))]);
    ran.result.expect("it does not fail");
    let alert = ran.said.alerts.into_iter().next();
    alert.expect("30 retransmits are a lot")
}

/// The plugin's own message about these settings, which it refuses.
#[track_caller]
fn refusal(origin: &Origin, settings: &[(&str, &str)]) -> String {
    match start("x", origin, settings, Limits::default()) {
        Err(StartError::Settings(name, error)) => {
            assert_eq!(name, "x");
            error.to_string()
        }
        Err(error) => panic!("not about settings: {error}"),
        Ok(_) => panic!("{settings:?} is accepted"),
    }
}

#[test]
fn numbers_durations_words_and_lists_are_what_the_schema_says() {
    let events = events();
    let alert = first_alert(&[("threshold", "7"), ("count", "events")]);
    assert_eq!(alert.wall_time, events[6].wall_time());
    assert_eq!(alert.severity, Severity::Warning);

    let alert = first_alert(&[("severity", "critical"), ("window", "1h 30m")]);
    assert_eq!(alert.severity, Severity::Critical);
    assert!(alert.summary.contains("1h"), "{}", alert.summary);

    let keys = |alert: Alert| -> Vec<String> {
        let labels = alert.labels.into_iter();
        labels.map(|(key, _)| key).collect()
    };
    assert_eq!(keys(first_alert(&[("key", "netns")])), ["netns"]);
    for list in ["peer,netns", "peer, netns", r#"["peer","netns"]"#] {
        assert_eq!(keys(first_alert(&[("key", list)])), ["peer", "netns"]);
    }
}

#[test]
fn text_stays_text_whatever_it_looks_like() {
    for name in [
        "10",
        "true",
        "null",
        "[1,2]",
        "{}",
        "a=b",
        "\"quoted\"",
        "",
        "ä\\",
    ] {
        let plugin = plugin("tag", TAG_NETWORK, &[("name", name)]);
        let ran = run(
            vec![plugin, bundled("json-print")],
            [Item::Events(batch(&events()[..1]))],
        );
        ran.result.expect("no plugin fails");
        let line: &Value = &ran.said.json()[0];
        assert_eq!(line["labels"]["network"], name);
    }
}

#[test]
fn the_last_of_several_values_counts() {
    let alert = first_alert(&[
        ("threshold", "100"),
        ("count", "events"),
        ("threshold", "2"),
    ]);
    assert_eq!(alert.wall_time, events()[1].wall_time());
}

#[test]
fn an_unknown_setting_is_refused_by_its_name() {
    let bundled = Origin::Bundled("threshold-alert");
    let refused = refusal(&bundled, &[("treshold", "1")]);
    assert_eq!(refused, "unknown setting treshold; did you mean threshold?");
    let refused = refusal(&Origin::Bundled("json-print"), &[("x", "1")]);
    assert_eq!(refused, "unknown setting x; there are census, fields");
}

#[test]
fn an_ill_typed_setting_is_refused_by_its_name() {
    let alert = Origin::Bundled("threshold-alert");
    for (key, value, wanted) in [
        ("threshold", "ten", "whole number from 1 to 524288"),
        ("threshold", "-1", "whole number from 1 to 524288"),
        ("threshold", "1.5", "whole number from 1 to 524288"),
        ("threshold", "99999999999", "whole number from 1 to 524288"),
        ("threshold", "", "whole number from 1 to 524288"),
        ("window", "10", "10s"),
        ("window", "soon", "10s"),
        ("severity", "bad", "one of info, warning, critical"),
        ("key", "pear", "netns"),
        ("key", "peer,pear", "netns"),
    ] {
        let refused = refusal(&alert, &[(key, value)]);
        let setting = format!("{key}={value}");
        assert!(refused.starts_with(key), "{setting}: {refused}");
        assert!(refused.contains(wanted), "{setting}: {refused}");
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_refused_in_the_plugins_own_words() {
    let alert = Origin::Bundled("threshold-alert");
    let refused = refusal(&alert, &[("threshold", "0")]);
    assert!(refused.starts_with("threshold: "), "{refused}");
    let tag = Origin::File(fixture(TAG_NETWORK));
    assert_eq!(
        refusal(&tag, &[("network", "10.0.0.0/33")]),
        "network: 10.0.0.0/33 has too many bits: expected at most 32"
    );
    let drop_every = Origin::File(fixture(DROP_EVERY));
    assert_eq!(
        refusal(&drop_every, &[("n", "0")]),
        "n: expected at least 1"
    );
}
