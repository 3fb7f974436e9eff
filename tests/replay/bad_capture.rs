//! Errors in a file to be replayed: one line that names the file, the place and the field.

use std::path::Path;
use std::process::Stdio;

use retrans_event::Record;
use retrans_event::synth::Synth;
use serde_json::Value;
use serde_json::json;

use crate::common::captures::END;
use crate::common::captures::HEAD;
use crate::common::captures::ITEMS;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::file;
use crate::common::captures::frame;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::printed;
use crate::common::captures::raw_frame;
use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// Checks that neither `replay` nor `inspect` accepts these bytes.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, words: &[&str]) {
    let files = Files::new();
    files.write("bad.rtc", bytes);
    refused_in(&files, "bad.rtc", words);
}

#[track_caller]
fn refused_in(files: &Files, file: &str, words: &[&str]) {
    for (command, what) in [("replay", "cannot replay"), ("inspect", "cannot inspect")] {
        let what = format!("{what} {file}: ");
        let words = [words, &[&what]].concat();
        assert_refused(&mut host(files.path(), &[command, file]), FAILURE, &words);
    }
}

fn sound() -> Vec<u8> {
    let records: Vec<Record> = Synth::new(1).take(3).collect();
    capture(&head(), &[vec![events(&records, 0)]])
}

#[test]
fn files_that_are_not_there_or_cannot_be_read() {
    let files = Files::new();
    refused_in(&files, "gone.rtc", &["No such file or directory"]);
    refused_in(&files, "/", &["directory"]);
    refused_in(&files, "/proc/self/mem", &["Input/output error"]);
    files.write("empty.rtc", "");
    refused_in(&files, "empty.rtc", &["the file is empty"]);
    let mut command = host(files.path(), &["replay", "-"]);
    let words = ["cannot replay -: the file is empty"];
    assert_refused(command.stdin(Stdio::null()), FAILURE, &words);
}

#[test]
fn what_is_wrong_with_the_last_file_is_said_before_the_first_event() {
    let files = Files::new();
    files.write("good.rtc", sound());
    files.write("bad.rtc", &sound()[..20]);
    for bad in ["gone.rtc", "bad.rtc", "."] {
        let mut command = host(files.path(), &["replay", "good.rtc", bad]);
        assert_refused(&mut command, FAILURE, &[&format!("cannot replay {bad}: ")]);
    }
}

#[test]
fn files_of_another_kind() {
    let files = Files::new();
    let no_capture = "not a capture: ";
    let lines = "it is not a capture";
    for (name, bytes, line) in [
        (
            "elf",
            &b"\x7fELF\x02\x01\x01\0\xff\xfe"[..],
            "1: it is not text",
        ),
        ("hello.txt", b"hello\n", "1: column 1: expected value"),
        (
            "array.json",
            b"[1, 2]",
            "1: invalid type: sequence, expected an object",
        ),
        (
            "pretty.json",
            b"{\n  \"type\": 1\n}",
            "1: column 1: EOF while parsing an object",
        ),
        ("zeros", &[0; 5_000], "1: column 1: expected value"),
        (
            "utf16",
            b"\xff\xfe{\0",
            "1: it is not text, and the file is not a capture",
        ),
    ] {
        files.write(name, bytes);
        let words = format!("cannot replay {name}:{line}");
        assert_refused(
            &mut host(files.path(), &["replay", name]),
            FAILURE,
            &[&words],
        );
        let words = ["cannot inspect", name, lines];
        assert_refused(&mut host(files.path(), &["inspect", name]), FAILURE, &words);
    }
    let mut command = host(files.path(), &["replay", BINARY]);
    assert_refused(&mut command, FAILURE, &["is not text"]);
    // An endless file is refused after its first bytes.
    for endless in ["/dev/zero", "/dev/urandom"] {
        let mut command = host(files.path(), &["replay", endless]);
        assert_refused(&mut command, FAILURE, &["cannot replay /dev/"]);
    }
    refused(
        b"\x89PNG\r\n\x1a\n0000",
        &[no_capture, "does not begin with the magic bytes"],
    );
    refused(
        b"\x89RETRAN\x03",
        &["it has version 3 of the format, and this program reads versions up to 2"],
    );
    refused(b"\x89RETRAN\x00", &["it has version 0 of the format"]);
    refused(
        b"\x89RETRA",
        &[no_capture, "cut off before its first event"],
    );
    refused(
        &sound()[..100],
        &[no_capture, "cut off before its first event"],
    );
}

#[test]
fn a_head_that_is_none() {
    let end = frame(END, b"");
    let head_of = |text: &str| file(&[frame(HEAD, text.as_bytes()), end.clone()]);
    refused(
        head_of("hello"),
        &["damaged at byte 8: the head: expected value"],
    );
    refused(
        head_of("{}"),
        &["damaged at byte 8: the head: missing field `writer`"],
    );
    refused(
        head_of(r#"{"writer":"\u001b[31m","host":5}"#),
        &["the head: invalid type"],
    );
    refused(
        file(std::slice::from_ref(&end)),
        &["damaged at byte 8: the head is missing"],
    );
    let twice = serde_json::to_vec(&head()).expect("JSON");
    let twice = frame(HEAD, &twice);
    let words = format!("damaged at byte {}: a second head", 8 + twice.len());
    refused(file(&[twice.clone(), twice, end.clone()]), &[&words]);
    refused(
        file(&[raw_frame(HEAD, b"", u32::MAX)]),
        &["impossible size"],
    );
}

/// Checks that a capture with a changed head is refused.
#[track_caller]
fn refused_head(change: impl FnOnce(&mut Value), words: &[&str]) {
    let mut head = serde_json::to_value(head()).expect("a head is JSON");
    change(&mut head);
    let head = frame(HEAD, head.to_string().as_bytes());
    let items = frame(ITEMS, &[2; 25]);
    refused(file(&[head, items, frame(END, b"")]), words);
}

#[test]
fn a_layout_that_makes_no_sense() {
    fn field<'a>(head: &'a mut Value, name: &str) -> &'a mut Value {
        let fields = head["layout"].as_array_mut().expect("an array");
        let found = fields.iter_mut().find(|field| field["name"] == name);
        found.expect("it has the field")
    }
    let invalid = "its layout is invalid: ";
    for size in [0, 87, 65_537, u32::MAX] {
        let words = format!("a record size of {size} bytes");
        refused_head(|head| head["record_size"] = json!(size), &[invalid, &words]);
    }
    refused_head(
        |head| head["layout"] = json!([]),
        &[
            invalid,
            "it has no field wall_time_ns, which every record has",
        ],
    );
    refused_head(
        |head| field(head, "peer_port")["offset"] = json!(81),
        &[
            invalid,
            "its fields \"local_port\" and \"peer_port\" overlap",
        ],
    );
    refused_head(
        |head| field(head, "peer_port")["offset"] = json!(u32::MAX),
        &[invalid, "its field \"peer_port\" ends beyond the record's"],
    );
    refused_head(
        |head| {
            let fields = head["layout"].as_array_mut().expect("an array");
            let mut twice = fields[0].clone();
            twice["offset"] = json!(1_000);
            fields.push(twice);
            head["record_size"] = json!(2_000);
        },
        &[invalid, "it has two fields \"wall_time_ns\""],
    );
    refused_head(
        |head| field(head, "seq")["kind"] = json!("\u{1b}[31m"),
        &[
            invalid,
            "its field seq is \"\\u{1b}[31m\" of 4 bytes, expected u32 of 4",
        ],
    );
    refused_head(
        |head| field(head, "seq")["offset"] = json!(-1),
        &["the head: invalid value"],
    );
}

/// Events before the damage are printed; then comes one line of error, and exit code 1.
#[test]
fn a_changed_byte_never_goes_unnoticed() {
    let files = Files::new();
    let whole = sound();
    files.write("bad.rtc", &whole);
    let lines = printed(files.path(), &["bad.rtc"]);
    let mut damaged = 0;
    // `capture.rs` tries every place; every twentieth is enough for the binary.
    for place in (0..whole.len())
        .step_by(20)
        .chain(whole.len() - 24..whole.len())
    {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x20;
        files.write("bad.rtc", bytes);
        let output = output(&mut host(files.path(), &["replay", "bad.rtc"]));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(FAILURE), "{place}: {stderr}");
        assert!(
            lines.as_bytes().starts_with(&output.stdout),
            "{place}: other events"
        );
        assert_eq!(stderr.lines().count(), 1, "{place}: {stderr}");
        let said = "retrans-host: error: cannot replay bad.rtc";
        assert!(stderr.starts_with(said), "{place}: {stderr}");
        damaged += usize::from(stderr.contains(": it is damaged at byte "));
    }
    assert!(damaged > 40, "{damaged}");
}

#[test]
fn what_is_before_the_damage_is_printed() {
    let files = Files::new();
    let records: Vec<Record> = Synth::new(1).take(6).collect();
    let frames = [
        vec![events(&records[..3], 0)],
        vec![events(&records[3..], 0)],
    ];
    files.write("three.rtc", sound());
    let mut bytes = capture(&head(), &frames);
    let last = bytes.len() - 60;
    bytes[last] ^= 1;
    files.write("bad.rtc", bytes);
    let three = printed(files.path(), &["three.rtc"]);
    let refused = output(&mut host(files.path(), &["replay", "bad.rtc"]));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), three);
    assert_eq!(refused.status.code(), Some(FAILURE));

    files.write("bad.jsonl", three.clone() + "{}\n" + &three);
    let refused = output(&mut host(files.path(), &["replay", "bad.jsonl"]));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), three);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    let expected = "retrans-host: error: cannot replay bad.jsonl:4: type is missing, expected \"retransmit\"\n";
    assert_eq!(stderr, expected);
}

#[test]
fn a_command_line_that_is_wrong() {
    let refused = |arguments: &[&str], words: &[&str]| {
        let arguments = [&["replay"], arguments].concat();
        assert_refused(&mut host(Path::new("/"), &arguments), USAGE, words);
    };
    for speed in ["0x", "0", "-1x", "x", "fast", "nan", "infx", "1e-9"] {
        let words = [
            "--speed",
            speed,
            "expected a factor from 0.001x, such as 1x or 10x",
        ];
        refused(&["a.rtc", &format!("--speed={speed}")], &words);
    }
    for option in ["--from", "--to"] {
        for time in [
            "",
            "yesterday",
            "12:00",
            "2026-01-01",
            "1969-12-31T00:00:00Z",
        ] {
            let words = [option, "expected a time such as 2026-01-01T12:00:00Z"];
            refused(&["a.rtc", option, time], &words);
        }
    }
    let (early, late) = ("2026-01-01T12:00:00Z", "2026-01-01T14:00:00+02:00");
    let words = [&format!("--to: {late} is not after --from {early}")[..]];
    refused(&["a.rtc", "--from", early, "--to", late], &words);
    refused(
        &["-", "a.rtc", "-"],
        &["standard input can be read once only"],
    );
    let none = output(&mut host(Path::new("/"), &["replay"]));
    assert_eq!(none.status.code(), Some(USAGE));
}
