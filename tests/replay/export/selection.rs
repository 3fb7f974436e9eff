//! An export has the events that a replay with the same options has.

use serde_json::Value;

use super::exported;
use super::exported_to_a_file;
use super::printed;
use super::some_captures;
use crate::common::captures::host;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The sequence numbers of the events in a table.
fn sequences(table: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(table);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("sequence"));
    lines.map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn filters_admit_what_they_admit_in_a_replay() {
    let files = some_captures();
    let (all, _) = printed(files.path(), &["a.rtc"]);
    let owner = all
        .iter()
        .find_map(|printed| printed.event["owner"]["comm"].as_str());
    let owner = owner.expect("some owners are known");
    for filter in [
        &["-6"][..],
        &["--kind", "syn,timeout"],
        &["--port", "443,8000-9000", "-4"],
        &["--peer", "10.2.0.0/24"],
        &["--state", "established"],
        &["--comm", owner],
        &["--sample", "1/8"],
    ] {
        let (expected, _) = printed(files.path(), &[&["a.rtc"], filter].concat());
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "{filter:?}"
        );
        let expected = expected.iter().map(|printed| &printed.event["sequence"]);
        let expected: Vec<u64> = expected.filter_map(Value::as_u64).collect();
        let arguments = [
            &[
                "a.rtc", "--to", "csv", "--fields", "sequence", "-o", "a.csv", "--force",
            ],
            filter,
        ]
        .concat();
        let stderr = exported_to_a_file(files.path(), &arguments);
        let table = std::fs::read(files.path().join("a.csv")).expect("it was written");
        assert_eq!(sequences(&table), expected, "{filter:?}");
        let last = format!(
            "retrans-host: exported {} of 12000 events to a.csv\n",
            expected.len()
        );
        assert!(stderr.ends_with(&last), "{stderr}");
        // Which events were lost is not known: filters leave out no loss.
        assert!(
            stderr.contains(" events are missing, in 1 gaps"),
            "{stderr}"
        );
    }
}

#[test]
fn times_select_events_and_losses() {
    let files = some_captures();
    let (all, _) = printed(files.path(), &["a.rtc"]);
    let time = |number: usize| all[number].event["timestamp"].as_str().expect("a time");
    let gap = all.iter().position(|printed| printed.lost > 0);
    let gap = gap.expect("there is a gap");
    for (from, until) in [(0, gap), (gap + 300, all.len() - 1), (gap - 300, gap + 300)] {
        let (from, until) = (time(from), time(until));
        let (expected, _) = printed(files.path(), &["a.rtc", "--from", from, "--to", until]);
        let lost: u64 = expected.iter().map(|printed| printed.lost).sum();
        let expected = expected.iter().map(|printed| &printed.event["sequence"]);
        let expected: Vec<u64> = expected.filter_map(Value::as_u64).collect();
        assert!(!expected.is_empty() && expected.len() < all.len());
        let arguments = [
            "a.rtc", "--to", "csv", "--fields", "sequence", "--from", from, "--until", until, "-o",
            "a.csv", "--force",
        ];
        let stderr = exported_to_a_file(files.path(), &arguments);
        let table = std::fs::read(files.path().join("a.csv")).expect("it was written");
        assert_eq!(sequences(&table), expected);
        assert_eq!(stderr.contains("are missing"), lost > 0, "{stderr}");
    }
    // One side alone.
    let middle = time(6_000);
    let count = |option| {
        let arguments = [
            "hostile.rtc",
            "--to",
            "csv",
            "--fields",
            "sequence",
            option,
            middle,
        ];
        sequences(&exported(files.path(), &arguments)).len()
    };
    assert_eq!(count("--from") + count("--until"), 10);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let files = some_captures();
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    for (arguments, words) in [
        (
            &["--to", "csv", "--from", late, "--until", early][..],
            &["--until", early, "is not after --from", late][..],
        ),
        (
            &["--to", "csv", "--from", late, "--until", late],
            &["--until", "is not after --from"],
        ),
        (
            &["--to", "csv", "--until", "noon"],
            &["--until", "\"noon\"", "a time such as"],
        ),
        (
            &["--to", "csv", "-4", "--peer", "2001:db8::/32"],
            &["-4", "--peer", "exclude each other"],
        ),
        (&["--to", "csv", "--netns", "blue"], &["--netns", "blue"]),
        (
            &["--to", "csv", "-", "-"],
            &["standard input can be read once only"],
        ),
    ] {
        let arguments = [&["export", "a.rtc"], arguments].concat();
        assert_refused(&mut host(files.path(), &arguments), USAGE, words);
    }
}

#[test]
fn a_form_must_be_one_of_two() {
    let files = some_captures();
    for (arguments, words) in [
        (&["a.rtc"][..], &["--to <FORMAT>"][..]),
        (
            &["a.rtc", "--to", "2026-01-01T00:00:00Z"],
            &["invalid value", "csv", "pcapng"],
        ),
        (
            &["a.rtc", "--to", "xlsx"],
            &["invalid value", "csv", "pcapng"],
        ),
        (&["--to", "csv"], &["<FILE>..."]),
        (&["a.rtc", "--to", "csv", "--force"], &["--output <FILE>"]),
    ] {
        let output = host(files.path(), &["export"])
            .args(arguments)
            .output()
            .expect("the host runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
        assert!(output.stdout.is_empty());
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in {stderr}");
        }
    }
}
