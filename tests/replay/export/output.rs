//! Where an export is read from and written to: whole files, pipes, damaged captures, full disks, signals.

use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;
use std::process::Command;

use rustix::process::Signal;

use super::exported;
use super::exported_to_a_file;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ended;
use crate::common::pipes::lines_of;
use crate::common::pipes::pipe;
use crate::common::pipes::signal;
use crate::common::pipes::spawn;
use crate::common::pipes::wait_until;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

const FORMATS: [&str; 2] = ["csv", "pcapng"];

/// The names of the files in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    let names = entries.map(|entry| entry.expect("it is there").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_has_what_standard_output_has() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    for format in FORMATS {
        let expected = exported(files.path(), &["a.rtc", "--to", format]);
        assert!(expected.len() > 100_000);
        let dash = exported(files.path(), &["a.rtc", "--to", format, "-o", "-"]);
        assert!(dash == expected, "{format}");
        let arguments = ["a.rtc", "--to", format, "--output", "a.out", "--force"];
        let stderr = exported_to_a_file(files.path(), &arguments);
        assert_eq!(stderr, "retrans-host: exported 2000 events to a.out\n");
        let path = files.path().join("a.out");
        assert!(
            fs::read(&path).expect("it was written") == expected,
            "{format}"
        );
        let mode = fs::metadata(path)
            .expect("it was written")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(files.path()), ["a.out", "a.rtc"]);
    }
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let files = Files::new();
    let path = generated(files.path(), "a.rtc", &["--events", "2k"]);
    let (lines, _) = ran(&mut host(files.path(), &["replay", "--quiet", "a.rtc"]));
    let lines = files.write("a.jsonl", lines);
    for format in FORMATS {
        let expected = exported(files.path(), &["a.rtc", "a.jsonl", "--to", format]);
        for (input, arguments) in [(&path, ["-", "a.jsonl"]), (&lines, ["a.rtc", "-"])] {
            let mut command = host(files.path(), &["export", "--quiet", "--to", format]);
            command
                .args(arguments)
                .stdin(File::open(input).expect("it was written"));
            assert!(
                output(&mut command).stdout == expected,
                "{format} {arguments:?}"
            );
        }
    }
}

#[test]
fn what_exists_is_overwritten_only_by_force() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    files.write("a.csv", "precious");
    let arguments = ["export", "a.rtc", "--to", "csv", "-o", "a.csv"];
    let words = [
        "cannot write a.csv",
        "the file exists",
        "--force overwrites it",
    ];
    assert_refused(&mut host(files.path(), &arguments), FAILURE, &words);
    assert_eq!(
        fs::read(files.path().join("a.csv")).expect("it is there"),
        b"precious"
    );
    // A link to nothing is something.
    symlink("missing", files.path().join("link")).expect("a link");
    let words = ["cannot write link", "the file exists"];
    let arguments = ["export", "a.rtc", "--to", "csv", "-o", "link"];
    assert_refused(&mut host(files.path(), &arguments), FAILURE, &words);
    for name in ["a.csv", "link"] {
        let arguments = ["a.rtc", "--to", "csv", "-o", name, "--force"];
        exported_to_a_file(files.path(), &arguments);
        let table = fs::read_to_string(files.path().join(name)).expect("it was written");
        assert_eq!(table.lines().count(), 11);
    }
    assert_eq!(names(files.path()), ["a.csv", "a.rtc", "link"]);
}

#[test]
fn what_is_read_is_not_overwritten_by_force_either() {
    let files = Files::new();
    let path = generated(files.path(), "a.rtc", &["--events", "10"]);
    let before = fs::read(&path).expect("it was written");
    fs::hard_link(&path, files.path().join("b.rtc")).expect("a link");
    symlink("a.rtc", files.path().join("c.rtc")).expect("a link");
    for name in ["a.rtc", "./a.rtc", "b.rtc", "c.rtc"] {
        let mut command = host(
            files.path(),
            &["export", "a.rtc", "--to", "csv", "--force", "-o", name],
        );
        let words = [
            &format!("cannot write {name}"),
            "it is a file that is exported",
        ];
        assert_refused(&mut command, FAILURE, &words);
    }
    assert!(fs::read(&path).expect("it is there") == before);
}

#[test]
fn what_is_no_file_is_not_overwritten() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    for name in ["/dev/null", "/dev/full", "."] {
        let mut command = host(
            files.path(),
            &["export", "a.rtc", "--to", "csv", "--force", "-o", name],
        );
        let words = [&format!("cannot write {name}"), "it is not a regular file"];
        assert_refused(&mut command, FAILURE, &words);
    }
    let mut command = host(
        files.path(),
        &["export", "a.rtc", "--to", "csv", "-o", "missing/a.csv"],
    );
    let words = ["cannot write missing/a.csv", "No such file or directory"];
    assert_refused(&mut command, FAILURE, &words);
    assert_eq!(names(files.path()), ["a.rtc"]);
}

#[test]
fn where_there_is_no_room_an_error_says_so_and_nothing_is_left_behind() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k"]);
    files.write("a.csv", "precious");
    for format in FORMATS {
        // A limit of 64 KiB for files. SIGXFSZ is ignored, so that the write fails with an error.
        let limited = r#"trap '' XFSZ; ulimit -f 128; exec "$0" "$@""#;
        let mut command = Command::new("sh");
        command
            .args(["-c", limited, BINARY, "export", "a.rtc", "--to", format])
            .args(["-o", "a.csv", "--force"])
            .current_dir(files.path());
        let words = ["cannot write a.csv", "File too large"];
        assert_refused(&mut command, FAILURE, &words);
        let before = fs::read(files.path().join("a.csv"));
        assert_eq!(before.expect("it is there"), b"precious");
        assert_eq!(names(files.path()), ["a.csv", "a.rtc"]);

        let full = File::options().write(true).open("/dev/full");
        let mut command = host(files.path(), &["export", "a.rtc", "--to", format]);
        let child = spawn(command.stdout(full.expect("it is there")));
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(FAILURE));
        let cause = "No space left on device (os error 28)\n";
        assert_eq!(
            stderr,
            format!("retrans-host: error: cannot write to standard output: {cause}")
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_in_silence() {
    let files = Files::new();
    let path = generated(files.path(), "a.rtc", &["--events", "20k"]);
    for format in FORMATS {
        let (reader, writer) = pipe();
        drop(reader);
        let mut command = host(files.path(), &["export", "a.rtc", "--to", format]);
        let child = spawn(command.stdout(writer));
        assert_eq!(ended(child), (Some(0), String::new()), "{format}");

        // After some bytes, while it waits for more input.
        let (input, mut write) = pipe();
        let (mut reader, writer) = pipe();
        let mut command = host(files.path(), &["export", "-", "--to", format]);
        let child = spawn(command.stdin(input).stdout(writer));
        drop(command);
        let capture = fs::read(&path).expect("it was written");
        let (begin, _) = capture.split_at(capture.len() / 2);
        // A pipe may be smaller than that.
        let writing = std::thread::spawn({
            let begin = begin.to_vec();
            move || {
                let _ = write.write_all(&begin);
                write
            }
        });
        reader.read_exact(&mut [0; 1_000]).expect("it writes");
        drop(reader);
        assert_eq!(ended(child), (Some(0), String::new()), "{format}");
        drop(writing.join().expect("it was written"));
    }
}

/// A table of two events.
const TWO: &str = "destination.ip\n192.0.2.7\n192.0.2.8\n";

/// Starts an export of standard input with more arguments, and writes two events to it. Returns it with its input, which
/// stays open, and its output.
fn started(directory: &Path, arguments: &[&str]) -> (Child, File, File) {
    let export = ["export", "-", "--to", "csv", "--fields", "destination.ip"];
    let (input, mut write) = pipe();
    let (reader, writer) = pipe();
    let mut command = host(directory, &export);
    let child = spawn(command.args(arguments).stdin(input).stdout(writer));
    let lines = least(0, "192.0.2.7") + &least(500, "192.0.2.8");
    write.write_all(lines.as_bytes()).expect("it reads");
    (child, write, reader)
}

#[test]
fn events_are_written_as_they_arrive_and_a_signal_ends_the_export_as_the_end_of_the_input() {
    let files = Files::new();
    let (child, input, reader) = started(files.path(), &[]);
    let lines = lines_of(reader);
    for expected in TWO.lines() {
        let line = lines.recv_timeout(WAIT_TIMEOUT);
        assert_eq!(line.as_deref(), Ok(expected));
    }
    signal(&child, Signal::TERM);
    let (code, stderr) = ended(child);
    drop(input);
    assert_eq!(code, Some(0), "{stderr}");
    let said = "standard output has the events that were read until then\n\
                retrans-host: exported 2 events to standard output\n";
    assert!(
        stderr.contains("WARN interrupted by a signal: "),
        "{stderr}"
    );
    assert!(stderr.ends_with(said), "{stderr}");
}

#[test]
fn a_file_has_what_was_read_before_a_signal() {
    let files = Files::new();
    let (child, input, _reader) = started(files.path(), &["-o", "a.csv"]);
    wait_until("the lines to be read", || {
        rustix::io::ioctl_fionread(&input).is_ok_and(|left| left == 0)
    });
    // Under a name of its own.
    wait_until("a file", || names(files.path()).len() == 1);
    assert_ne!(names(files.path()), ["a.csv"]);
    signal(&child, Signal::INT);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("WARN interrupted by a signal: a.csv has "),
        "{stderr}"
    );
    assert_eq!(names(files.path()), ["a.csv"]);
    let table = fs::read_to_string(files.path().join("a.csv"));
    assert_eq!(table.expect("it was written"), TWO);
}

#[test]
fn a_capture_that_was_cut_off_is_exported_up_to_the_cut() {
    let files = Files::new();
    let whole =
        fs::read(generated(files.path(), "a.rtc", &["--events", "20k"])).expect("it was written");
    let (complete, _) = ran(host(files.path(), &["export", "a.rtc", "--to", "csv"]).arg("--quiet"));
    let mut last = 0;
    for length in [whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        files.write("cut.rtc", &whole[..length]);
        let export = ["export", "cut.rtc", "--to", "csv"];
        let (table, stderr) = ran(&mut host(files.path(), &export));
        assert!(
            stderr.contains("WARN cut.rtc: it was cut off at byte "),
            "{stderr}"
        );
        assert!(complete.starts_with(&table), "another table");
        let rows = table.lines().count() - 1;
        assert!(rows > last, "{rows} of {length} bytes");
        last = rows;
        let arguments = ["cut.rtc", "--to", "pcapng", "-o", "cut.pcapng", "--force"];
        let stderr = exported_to_a_file(files.path(), &arguments);
        assert!(stderr.contains("cut off"), "{stderr}");
        assert!(
            stderr.ends_with(&format!("exported {rows} events to cut.pcapng\n")),
            "{stderr}"
        );
    }
    assert_eq!(last, 20_000);
    // What follows the file that was cut off is exported as well.
    let (table, _) = ran(&mut host(
        files.path(),
        &["export", "cut.rtc", "a.rtc", "--to", "csv"],
    ));
    assert_eq!(table.lines().count(), 40_001);
}

#[test]
fn a_damaged_file_is_an_error_and_leaves_no_file() {
    let files = Files::new();
    let records: Vec<_> = retrans_event::synth::Synth::new(5).take(300).collect();
    let frames: Vec<_> = records
        .chunks(100)
        .map(|records| vec![events(records, 0)])
        .collect();
    let whole = capture(&head(), &frames);
    // In the last frame but one: the second half of the events is damaged.
    let marks: Vec<usize> = (0..whole.len() - 4)
        .filter(|at| whole[*at..].starts_with(b"frm\n"))
        .collect();
    let mut damaged = whole.clone();
    damaged[marks[3] + 30] ^= 0x55;
    files.write("a.rtc", &damaged);
    files.write(
        "bad.jsonl",
        least(0, "192.0.2.7") + "{\"type\":\"retransmit\"}\n",
    );
    files.write("none.rtc", "");
    for (name, words, rows) in [
        (
            "a.rtc",
            &["cannot export a.rtc: it is damaged at byte "][..],
            201,
        ),
        ("bad.jsonl", &["cannot export bad.jsonl:2: "], 2),
        (
            "none.rtc",
            &["cannot export none.rtc: the file is empty"],
            0,
        ),
        (
            "missing.rtc",
            &["cannot export missing.rtc: No such file or directory"],
            0,
        ),
        (".", &["cannot export .: "], 0),
    ] {
        for format in FORMATS {
            let mut command = host(
                files.path(),
                &["export", name, "--to", format, "-o", "a.out"],
            );
            assert_refused(&mut command, FAILURE, words);
            assert_eq!(names(files.path()), ["a.rtc", "bad.jsonl", "none.rtc"]);
        }
        // Standard output has what was before the damage.
        let output = output(&mut host(files.path(), &["export", name, "--to", "csv"]));
        assert_eq!(output.status.code(), Some(FAILURE));
        let table = String::from_utf8(output.stdout).expect("text");
        assert_eq!(table.lines().count(), rows, "{name}");
    }
}
