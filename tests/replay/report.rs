//! `report` writes one page: its figures are those of `inspect`, nothing in it is from elsewhere, and it is written whole or
//! not at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use retrans_event::Kind;
use retrans_event::Process;
use retrans_event::Record;
use serde_json::Value;

use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// The page that `report` writes with these arguments, and its standard error.
#[track_caller]
fn page(directory: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = host(directory, &["report", "--force", "-o", "page.html"]);
    let (stdout, stderr) = ran(command.args(arguments));
    assert_eq!(stdout, "");
    let page = fs::read_to_string(directory.join("page.html"));
    (page.expect("it was written"), stderr)
}

/// The number in the element with this name.
#[track_caller]
fn figure(page: &str, id: &str) -> u64 {
    let begin = format!(" id=\"{id}\">");
    let (_, rest) = page.split_once(&begin).expect("an element of this name");
    number(rest)
}

/// The number at the start of a text.
fn number(text: &str) -> u64 {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != ',');
    let digits = text[..end.unwrap_or(text.len())].replace(',', "");
    digits.parse().expect("a number")
}

/// The numbers in the cells of a row.
fn cells(page: &str, row: &str) -> Vec<String> {
    let (_, rest) = page.split_once(row).expect("a row of this name");
    let (row, _) = rest.split_once("</tr>").expect("its end");
    let cells = row.split("class=\"number\">").skip(1);
    cells
        .filter_map(|cell| cell.split('<').next())
        .map(str::to_owned)
        .collect()
}

/// What `inspect` tells of a file.
fn inspected(directory: &Path, arguments: &[&str]) -> Value {
    let (line, _) = ran(host(directory, &["inspect", "--json"]).args(arguments));
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn the_figures_are_those_of_inspect() {
    let files = Files::new();
    let generate = ["--events", "30k", "--seed", "5", "--gaps", "--census", "1s"];
    generated(files.path(), "a.rtc", &generate);
    for filters in [
        &[][..],
        &["--kind", "fast,timeout", "--peer", "10.2.0.0/16"],
    ] {
        let arguments = [&["a.rtc"], filters].concat();
        let (page, _) = page(files.path(), &arguments);
        let summary = inspected(files.path(), &arguments);
        let of = |key: &str| {
            summary[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {summary}"))
        };
        assert_eq!(figure(&page, "events"), of("events"));
        assert_eq!(figure(&page, "segments"), of("segments"));
        assert_eq!(figure(&page, "not-sent"), of("failed"));
        assert_eq!(figure(&page, "lost"), of("lost"));
        let kinds = summary["kinds"].as_object().expect("an object");
        assert!(!kinds.is_empty());
        for (kind, count) in kinds {
            let cells = cells(&page, &format!("<tr id=\"kind-{kind}\">"));
            assert_eq!(number(&cells[2]), *count, "{kind}");
        }
    }
    let (page, _) = page(files.path(), &["a.rtc"]);
    let summary = inspected(files.path(), &["a.rtc"]);
    assert_eq!(figure(&page, "connections"), summary["connections"]);
    let census = page.split_once(" id=\"census\">").expect("a census").1;
    assert_eq!(number(census), summary["census"]["sent_segments"]);
    // The peers with the most events: each of these has one segment.
    let (_, peers) = page.split_once("<h3 id=\"top-peer\">").expect("the peers");
    let shown = peers.split("<div class=\"name\">").skip(1).take(10);
    let shown: Vec<(String, u64)> = shown
        .map(|peer| {
            let (name, rest) = peer.split_once('<').expect("the end of the name");
            let (_, rest) = rest.split_once("<b>").expect("its segments");
            (name.to_owned(), number(rest))
        })
        .collect();
    let rows = summary["by"][0]["top"].as_array().expect("rows");
    let expected = rows.iter().map(|row| {
        let peer = row["key"]["peer"].as_str().expect("a peer").to_owned();
        (peer, row["segments"].as_u64().expect("a number"))
    });
    assert_eq!(shown, expected.collect::<Vec<_>>());
}

#[test]
fn the_same_capture_makes_the_same_page_which_loads_nothing() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "5k", "--census", "1s"]);
    let (first, stderr) = page(files.path(), &["a.rtc"]);
    let (second, _) = page(files.path(), &["a.rtc"]);
    assert!(first == second, "another page");
    for word in [
        "http:", "https:", "src=", "<script", "url(", "@import", "<link",
    ] {
        assert!(!first.contains(word), "{word}");
    }
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{stderr}");
    assert!(lines[0].contains("wrote page.html ("), "{stderr}");
    assert!(
        lines[1].contains("5,000 segments were sent again between"),
        "{stderr}"
    );
    let (_, quiet) = page(files.path(), &["a.rtc", "--quiet"]);
    assert_eq!(quiet, "");
}

#[test]
fn names_in_a_capture_are_text_in_the_page() {
    let files = Files::new();
    let records: Vec<Record> = (0..20)
        .map(|number| {
            Record::new()
                .with_kind(Kind::Fast)
                .with_segments(1)
                .with_process(Process::new(100 + number, "<script>x</scri"))
        })
        .collect();
    files.write("a.rtc", capture(&head(), &[vec![events(&records, 0)]]));
    let (page_of_capture, _) = page(files.path(), &["a.rtc"]);
    assert!(!page_of_capture.contains("<script"));
    assert!(page_of_capture.contains("&#60;script&#62;x"));
    // Labels of lines, which may have any name and value.
    let labels = r#","labels":{"<img src=x>":"</style><b>"}}"#;
    let line = least(0, "10.0.0.2").replace("}}\n", &format!("}}{labels}\n"));
    files.write("a.jsonl", line);
    let (page_of_lines, _) = page(files.path(), &["a.jsonl"]);
    assert!(!page_of_lines.contains("<img") && !page_of_lines.contains("<b>\""));
    assert!(page_of_lines.contains("&#60;img src=x&#62; = &#60;/style&#62;&#60;b&#62;"));
    assert_eq!(page_of_lines.matches("</style>").count(), 1);
    assert!(page_of_lines.contains("the source has no marks of time"));
}

#[test]
fn what_lines_cover_is_unknown_and_no_gap_is_invented() {
    let files = Files::new();
    // Five seconds apart, and again two hours later.
    let events = (0..5).map(|number| least(5_000 * number, "10.0.0.2"));
    let events: String = events.collect();
    let lost = "{\"type\":\"gap\",\"lost\":2}\n".repeat(3);
    let later = events.replace("T00:", "T02:");
    let files_of = [("a.jsonl", &later), ("b.jsonl", &events)];
    for (name, last) in files_of {
        files.write(name, format!("{events}{lost}{last}"));
    }
    generated(files.path(), "c.rtc", &["--events", "1k"]);
    for inputs in [&["a.jsonl"][..], &["b.jsonl"], &["a.jsonl", "c.rtc"]] {
        let (page, _) = page(files.path(), inputs);
        assert!(page.contains(" id=\"coverage\">unknown<"), "{inputs:?}");
        assert!(!page.contains("not recorded:") && !page.contains("Shaded:"));
        assert_eq!(figure(&page, "lost"), 6);
    }
    let compare = ["--compare", "a.jsonl", "c.rtc"];
    let (compared, _) = page(files.path(), &compare);
    assert!(compared.contains("The source before has no marks of time"));
    assert!(!compared.contains("The source after has no marks of time"));
}

#[test]
fn plugins_add_their_alerts_and_no_events_are_missing() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "5k"]);
    let (without, _) = page(files.path(), &["a.rtc"]);
    assert!(without.contains("The events went through no plugin"));
    let chain = [
        "a.rtc",
        "--plugin",
        "sample",
        "--set",
        "one_in=5",
        "--plugin",
        "threshold-alert",
        "--set",
        "threshold=20",
        "--set",
        "window=10s",
    ];
    let (with, stderr) = page(files.path(), &chain);
    assert_eq!(figure(&with, "events"), 5_000);
    let (_, alerts) = with.split_once("<h2 id=\"alerts\">").expect("the alerts");
    let fired = alerts.matches("<span class=\"state warning\">").count();
    let printed = stderr
        .lines()
        .filter(|line| line.contains("retransmit-threshold:"))
        .count();
    assert!(
        fired > 0 && fired == printed,
        "{fired} of {printed}: {stderr}"
    );
    assert!(alerts.contains("the plugins were sample, threshold-alert"));
    assert!(stderr.contains(&format!("{fired} alert")), "{stderr}");
    // Quiet plugins.
    let (none, _) = page(
        files.path(),
        &[
            "a.rtc",
            "--plugin",
            "threshold-alert",
            "--set",
            "threshold=500000",
        ],
    );
    assert!(none.contains("The plugins raised no alert."));
}

#[test]
fn captures_that_are_cut_off_or_empty_make_a_page() {
    let files = Files::new();
    let whole = generated(files.path(), "a.rtc", &["--events", "20k"]);
    let bytes = fs::read(whole).expect("it is there");
    files.write("cut.rtc", &bytes[..bytes.len() / 2]);
    for chain in [&[][..], &["--plugin", "threshold-alert"]] {
        let (page, stderr) = page(files.path(), &[&["cut.rtc"], chain].concat());
        let events = figure(&page, "events");
        assert!(events > 1_000 && events < 20_000, "{events}");
        let (_, source) = page.split_once("cut.rtc<span>").expect("why it was cut");
        assert!(stderr.contains("cut.rtc"), "{stderr}");
        assert!(
            source.starts_with("it was cut off at byte"),
            "{}",
            &source[..80]
        );
    }
    files.write("none.rtc", capture(&head(), &[]));
    let (none, stderr) = page(files.path(), &["none.rtc"]);
    assert!(none.contains("There is nothing to read"), "{none}");
    assert!(stderr.contains("There is no event."), "{stderr}");
    generated(files.path(), "one.rtc", &["--events", "1"]);
    let (one, _) = page(files.path(), &["one.rtc"]);
    assert_eq!(
        (figure(&one, "events"), figure(&one, "connections")),
        (1, 1)
    );
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    files.write("there.html", "mine");
    let report =
        |arguments: &[&str]| host(files.path(), &[&["report", "a.rtc"], arguments].concat());
    let there = ["there.html: the file exists; --force overwrites it"];
    assert_refused(&mut report(&["-o", "there.html"]), FAILURE, &there);
    assert_eq!(
        fs::read(files.path().join("there.html")).expect("it is there"),
        b"mine"
    );
    let own = ["a.rtc: it is a file that is read; choose another name"];
    assert_refused(&mut report(&["-o", "a.rtc", "--force"]), FAILURE, &own);
    let special = ["/dev/full: it is not a regular file"];
    assert_refused(
        &mut report(&["-o", "/dev/full", "--force"]),
        FAILURE,
        &special,
    );
    let nowhere = ["cannot write none/page.html"];
    assert_refused(&mut report(&["-o", "none/page.html"]), FAILURE, &nowhere);
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("it is there");
    let full = Stdio::from(full);
    let cannot = ["cannot write to standard output", "No space left on device"];
    assert_refused(report(&[]).stdout(full), FAILURE, &cannot);
    // A limit of 512 bytes for files. SIGXFSZ is ignored, so that the write fails with an error.
    let limited = r#"trap '' XFSZ; ulimit -f 1; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command
        .args(["-c", limited, BINARY, "report", "a.rtc"])
        .args(["-o", "there.html", "--force"])
        .current_dir(files.path());
    let cannot = ["cannot write there.html", "File too large"];
    assert_refused(&mut command, FAILURE, &cannot);
    assert_eq!(
        fs::read(files.path().join("there.html")).expect("it is there"),
        b"mine"
    );
    // Nothing is left beside the files.
    let mut names: Vec<_> = fs::read_dir(files.path())
        .expect("it is a directory")
        .map(|entry| entry.expect("it is there").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["a.rtc", "there.html"]);
    // A pipe gets the page.
    let (stdout, stderr) = ran(&mut report(&["-o", "-"]));
    assert!(
        stdout.starts_with("<!DOCTYPE html>") && stdout.ends_with("</html>\n"),
        "{stderr}"
    );
    assert!(
        stderr.contains("wrote the report to standard output"),
        "{stderr}"
    );
    let (piped, _) = ran(&mut report(&[]));
    assert!(piped == stdout);
}

#[test]
fn what_cannot_be_read_makes_no_page() {
    let files = Files::new();
    let report = |arguments: &[&str]| {
        host(
            files.path(),
            &[&["report", "-o", "page.html"], arguments].concat(),
        )
    };
    assert_refused(
        &mut report(&["none.rtc"]),
        FAILURE,
        &["cannot report on none.rtc"],
    );
    files.write("bad.jsonl", "{}\n");
    assert_refused(
        &mut report(&["bad.jsonl"]),
        FAILURE,
        &["cannot report on bad.jsonl:1"],
    );
    let mut command = report(&["-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"RTC").expect("it is read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FAILURE), "{stderr}");
    assert!(
        stderr.contains("cannot report on standard input"),
        "{stderr}"
    );
    for (arguments, words) in [
        (&["--set", "a=b", "a.rtc"][..], "--set a=b"),
        (&["--from", "noon", "a.rtc"], "--from"),
        (&["-", "-"], "standard input"),
    ] {
        assert_refused(&mut report(arguments), USAGE, &[words]);
    }
    assert!(!files.path().join("page.html").exists());
}

#[test]
fn two_captures_are_compared() {
    let files = Files::new();
    let long = ["--events", "2k", "--connections", "20", "--census", "1s"];
    generated(files.path(), "before.rtc", &long);
    generated(
        files.path(),
        "after.rtc",
        &[&long[..], &["--seed", "9"]].concat(),
    );
    let compare = ["--compare", "before.rtc", "after.rtc"];
    let (short, stderr) = page(files.path(), &compare);
    // 2,000 events take some seconds.
    assert!(short.contains("too short to say"), "{stderr}");
    assert!(
        stderr.contains("Too short to say whether the share of segments"),
        "{stderr}"
    );
    assert!(short.contains("<td>2,000</td><td>2,000</td>"));
    assert!(!short.contains("Rates, and not ratios"));
    let (again, _) = page(files.path(), &compare);
    assert!(again == short, "another page");
    let kinds = ["--compare", "before.rtc", "after.rtc", "--kind", "fast"];
    let (fast, _) = page(files.path(), &kinds);
    assert!(fast.contains("Cause fast") && !fast.contains("Cause timeout"));
    let both = [
        "report",
        "a.rtc",
        "--compare",
        "b.rtc",
        "c.rtc",
        "-o",
        "x.html",
    ];
    let refused = output(&mut host(files.path(), &both));
    assert_eq!(refused.status.code(), Some(USAGE));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        stderr.contains("cannot be used with '--compare <BEFORE> <AFTER>'"),
        "{stderr}"
    );
}

#[test]
fn recorded_captures_of_each_cause_make_a_page() {
    let files = Files::new();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Unknown) {
        let name = format!("{kind}.rtc");
        let bytes = fs::read(captures.join(&name)).expect("there is a capture of each cause");
        files.write(&name, bytes);
        let (page, _) = page(files.path(), &[&name]);
        let segments = &cells(&page, &format!("<tr id=\"kind-{kind}\">"))[0];
        assert!(number(segments) > 0, "{kind}");
        assert!(page.contains(" id=\"host\">lab, Linux "), "{kind}");
        assert!(page.contains("id=\"connection-1\""), "{kind}");
        // They are far too few for a rule about all.
        assert!(page.contains("No rule fits these retransmits."), "{kind}");
    }
}
