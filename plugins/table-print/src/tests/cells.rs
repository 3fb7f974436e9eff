//! What a cell has.

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::FieldPath;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use super::cell;
use super::lines;
use super::of;
use super::retransmit;
use super::usual;

#[test]
fn unknown_values_are_a_dash() {
    let record = retransmit("10.0.0.1:33000", "10.0.0.2:443");
    for column in [
        "pid",
        "comm",
        "srtt",
        "rto",
        "cwnd",
        "length",
        "mss",
        "netns",
        "container",
        "labels",
        "tcp.mss",
        "owner.comm",
        "retransmit.error_number",
    ] {
        assert_eq!(cell(record.clone(), column), "-", "{column}");
    }
    // A name without any character, and flags that none has a name for.
    let record = record.with_process(Process::new(1, ""));
    assert_eq!(cell(record.clone(), "comm"), "-");
    assert_eq!(cell(record.clone(), "owner.comm"), "-");
    let record = record.with(|event| event.set_tcp_flags(Some(TcpFlags(0))));
    assert_eq!(cell(record, "retransmit.flags"), "-");
}

#[test]
fn durations_have_three_digits() {
    for (micros, expected) in [
        (0, "0µs"),
        (999, "999µs"),
        (1_000, "1.0ms"),
        (12_345, "12.3ms"),
        (12_350, "12.4ms"),
        (99_949, "99.9ms"),
        (99_950, "100ms"),
        (204_000, "204ms"),
        (999_499, "999ms"),
        (999_500, "1.0s"),
        (1_249_999, "1.2s"),
        (99_949_999, "99.9s"),
        (99_950_000, "100s"),
        (u32::MAX, "4295s"),
    ] {
        let record =
            usual().with(|event| event.set_rto(Some(Duration::from_micros(micros.into()))));
        assert_eq!(cell(record, "rto"), expected);
    }
}

#[test]
fn times_are_those_of_the_day_in_utc() {
    for (millis, expected) in [
        (0, "00:00:00.000"),
        (86_399_999, "23:59:59.999"),
        (86_400_001, "00:00:00.001"),
        (45_296_789, "12:34:56.789"),
    ] {
        let record = usual().with_time(Duration::from_millis(millis));
        assert_eq!(cell(record, "time"), expected);
    }
}

#[test]
fn the_process_is_the_holder_the_listener_or_the_last_one_in_brackets() {
    let process = Process {
        container: "4c01db0b339c".parse().ok(),
        ..Process::new(42, "curl")
    };
    let shown = |owner: &Owner| {
        let record = usual().with_owner(owner);
        ["pid", "comm", "container"].map(|column| cell(record.clone(), column))
    };
    let held = Owner::Held {
        process,
        holders: 2,
    };
    assert_eq!(shown(&held), ["42", "curl", "4c01db0b339c"]);
    let last = Owner::Orphaned {
        last: Some(process),
    };
    assert_eq!(shown(&last), ["(42)", "(curl)", "(4c01db0b339c)"]);
    let listener = Owner::NotAccepted {
        listener: Some(process),
    };
    assert_eq!(shown(&listener), ["42", "curl", "4c01db0b339c"]);
    assert_eq!(shown(&Owner::Orphaned { last: None }), ["-", "-", "-"]);
    assert_eq!(shown(&Owner::Kernel), ["-", "[kernel]", "-"]);
    assert_eq!(shown(&Owner::Unknown), ["-", "-", "-"]);
}

#[test]
fn a_container_is_shown_by_its_name_if_that_is_known() {
    let process = Process {
        container: "4c01db0b339c".parse().ok(),
        ..Process::new(42, "curl")
    };
    let record = usual().with_owner(&Owner::Held {
        process,
        holders: 1,
    });
    let shown = |labels: [(&str, &str); 2]| {
        let scenario = Scenario::new()
            .setting("columns", "container")
            .labelled_event(record.clone(), labels);
        lines(&scenario)[1].clone()
    };
    let site = ("site", "fra");
    assert_eq!(
        shown([site, ("container.id", "4c01db0b339cff")]),
        "4c01db0b339c"
    );
    assert_eq!(shown([site, ("container.name", "web\t1")]), "web\u{fffd}1");
    let pod = ("k8s.pod.name", "cart-0");
    assert_eq!(shown([site, pod]), "cart-0");
    assert_eq!(shown([("k8s.container.name", "app"), pod]), "cart-0/app");
}

#[test]
fn every_path_of_a_field_is_a_column_with_the_value_of_the_json_form() {
    let records: Vec<Record> = Synth::new(9).take(100).collect();
    for path in FieldPath::all() {
        let name = path.to_string();
        // The column of the same name has the same.
        let scenario = Scenario::new().setting("columns", name.as_str());
        let lines = lines(&scenario.events(records.clone()));
        assert_eq!(lines[0].trim(), name.to_uppercase(), "{name}");
        for (line, record) in lines[1..].iter().zip(&records) {
            let value = path.value(record).map(|value| value.to_string());
            let expected = value.filter(|value| !value.is_empty());
            let expected = expected.unwrap_or_else(|| "-".to_owned());
            assert_eq!(line.trim_matches([' ', '!']), expected, "{name}");
        }
    }
}

#[test]
fn text_of_others_cannot_steer_a_terminal() {
    let name = "\u{1b}[2J\u{9b}31m\u{7f}";
    let shown = "\u{fffd}[2J\u{fffd}31m\u{fffd}";
    let process = Process {
        container: "a\nb\u{85}c".parse().ok(),
        ..Process::new(1, name)
    };
    let record = usual().with_process(process);
    let record = record.with(|event| event.set_congestion_control("\r\tx\u{202e}".parse().ok()));
    assert_eq!(cell(record.clone(), "comm"), shown);
    assert_eq!(cell(record.clone(), "owner.comm"), shown);
    assert_eq!(cell(record.clone(), "container"), "a\u{fffd}b\u{fffd}c");
    assert_eq!(
        cell(record.clone(), "tcp.congestion_control"),
        "\u{fffd}\u{fffd}x\u{fffd}"
    );
    let scenario = Scenario::new().setting("columns", "labels");
    let scenario =
        scenario.labelled_event(record.clone(), [("a\u{1b}", "b\nc"), ("d", "\u{2028}é")]);
    assert_eq!(lines(&scenario)[1], "a\u{fffd}=b\u{fffd}c,d=\u{fffd}é");
    let all = FieldPath::all().map(|path| path.to_string());
    let columns = all.collect::<Vec<_>>().join(",");
    for line in of(
        record,
        &[("columns", json!(columns)), ("wide", json!(true))],
    ) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
