//! Packets have what the JSON lines have, as tshark reads them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use retrans_event::SendError;
use retrans_event::synth::Synth;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;

use super::CAPTURES;
use super::Printed;
use super::exported;
use super::exported_to_a_file;
use super::head_of;
use super::hostile;
use super::least_known;
use super::long;
use super::one_by_one;
use super::printed;
use super::recorded;
use super::some_captures;
use super::tshark::FIELDS;
use super::tshark::assert_are_those_of;
use super::tshark::fields;
use super::tshark::statistics;
use super::tshark::tshark;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::pipes::WAIT_TIMEOUT;
use crate::common::pipes::ended;
use crate::common::pipes::shown_on;
use crate::common::pipes::spawn;
use crate::common::pipes::terminal;
use crate::common::refusal::FAILURE;

#[test]
fn packets_of_recorded_events_have_what_their_lines_have() {
    let files = Files::new();
    for name in CAPTURES {
        let path = recorded(name);
        let path = path.to_str().expect("the path is text");
        let packets = assert_are_those_of(files.path(), &[path]);
        let interface = ["frame.interface_name", "frame.interface_description"];
        let interfaces = fields(&packets, interface);
        assert!(!interfaces.is_empty(), "{name}");
        for [host, description] in interfaces {
            let (page, _) = ran(&mut host_page(path));
            assert!(page.contains(&format!("  host        {host}, ")), "{page}");
            assert_eq!(description, "Segments that this host has sent again");
        }
    }
}

/// The summary of a capture.
fn host_page(path: &str) -> Command {
    host(Path::new("/"), &["inspect", path])
}

#[test]
fn packets_of_generated_and_of_hostile_events_have_what_their_lines_have() {
    let files = some_captures();
    let packets = assert_are_those_of(files.path(), &["a.rtc"]);
    // Nothing of what was made up is taken for a fault.
    let faults = "ip.ttl.too_small || tcp.analysis.zero_window || tcp.analysis.window_full || _ws.malformed \
                  || ip.checksum.status == \"Bad\" || _ws.expert.severity == error";
    assert_eq!(tshark(&packets, &["-Y", faults]), [""; 0]);
    assert_eq!(
        tshark(
            &packets,
            &["-Y", "frame.comment contains \"retransmit.kind=\""]
        )
        .len(),
        12_000
    );
    assert_are_those_of(files.path(), &["hostile.rtc"]);
}

#[test]
fn what_is_not_known_or_not_sent_or_very_long_is_a_packet_too() {
    let files = Files::new();
    let mut failed: Vec<_> = Synth::new(2).take(3).collect();
    for (event, error) in failed.iter_mut().zip([Some(-113), Some(-77), None]) {
        event.set_sent(Some(false));
        event.set_error(error.map(SendError));
        event.set_segments(Some(0));
    }
    let mut mapped = long(1_448, 1, "198.51.100.7:443");
    mapped.set_local_address("::ffff:192.0.2.1".parse().expect("an address"));
    let records = [
        vec![least_known(), mapped],
        failed,
        [
            1_448 * 3,
            65_495,
            65_496,
            65_515,
            65_516,
            512 * 1024,
            u32::MAX,
        ]
        .iter()
        .flat_map(|bytes| {
            ["198.51.100.7:443", "[2001:db8::7]:443"].map(|peer| long(*bytes, 3, peer))
        })
        .collect(),
    ];
    files.write("a.rtc", one_by_one(&head(), &records.concat()));
    assert_are_those_of(files.path(), &["a.rtc"]);
    let packets = fs::read(files.path().join("a.pcapng")).expect("it was written");
    let [first] = &fields(&packets, ["frame.comment"])[0];
    assert!(
        first.starts_with("retransmit.kind=unknown state="),
        "{first}"
    );
}

#[test]
fn every_loss_is_counted_where_it_was_and_in_the_sum() {
    let files = Files::new();
    let records: Vec<_> = Synth::new(2).take(4).collect();
    let mark = |seconds, lost| {
        let wall_time = records[0].wall_time() + std::time::Duration::from_secs(seconds);
        Mark {
            time: records[0].time(),
            wall_time,
            lost,
        }
    };
    let items = vec![
        events(&records[..1], 1),
        Item::Mark(mark(1, 2)),
        Item::Mark(mark(2, 3)),
        events(&records[1..2], 4),
        events(&records[2..3], 0),
        events(&records[3..], 1),
        Item::End(mark(3, 6)),
    ];
    files.write("a.rtc", capture(&head_of("db", "6.12.0"), &[items]));
    // One of another host, of which nothing was lost.
    files.write(
        "b.rtc",
        capture(&head_of("web", "6.1.0"), &[vec![events(&records[..2], 0)]]),
    );
    let stderr = exported_to_a_file(
        files.path(),
        &["a.rtc", "b.rtc", "--to", "pcapng", "-o", "a.pcapng"],
    );
    assert!(
        stderr.contains("WARN 17 events are missing, in 6 gaps"),
        "{stderr}"
    );
    let packets = fs::read(files.path().join("a.pcapng")).expect("it was written");
    let found = fields(
        &packets,
        ["frame.drop_count", "frame.interface_name", "frame.comment"],
    );
    let dropped = found
        .iter()
        .map(|[dropped, host, _]| (dropped.as_str(), host.as_str()));
    let dropped: Vec<_> = dropped.collect();
    assert_eq!(
        dropped,
        [
            ("1", "db"),
            ("9", "db"),
            ("", "db"),
            ("1", "db"),
            ("", "web"),
            ("", "web")
        ]
    );
    let lost: Vec<bool> = found
        .iter()
        .map(|[_, _, comment]| comment.contains(" lost before this one; "))
        .collect();
    assert_eq!(lost, [true, true, false, true, false, false]);
    // The last six are in the numbers of the interface alone.
    assert_eq!(statistics(&packets), [(0, 4, 17), (1, 2, 0)]);
}

#[test]
fn each_host_is_an_interface_and_files_of_one_host_share_it() {
    let files = Files::new();
    let records: Vec<_> = Synth::new(2).take(3).collect();
    for (name, head) in [
        ("a.rtc.1", head_of("db", "6.12.0")),
        ("a.rtc", head_of("db", "6.12.0")),
        ("b.rtc", head_of("db\\u001b[2J", "6.1.0-18-amd64")),
        ("none.rtc", head()),
    ] {
        files.write(name, one_by_one(&head, &records));
    }
    let (lines, _) = ran(&mut host(files.path(), &["replay", "--quiet", "a.rtc"]));
    files.write("a.jsonl", lines);
    let all = ["a.rtc.1", "a.rtc", "b.rtc", "none.rtc", "a.jsonl"];
    let packets = assert_are_those_of(files.path(), &all);
    let found = fields(&packets, ["frame.interface_id", "frame.interface_name"]);
    let expected = [
        ("0", "db"),
        ("0", "db"),
        ("1", "db\u{fffd}[2J"),
        ("2", "unknown"),
        ("2", "unknown"),
    ];
    for (found, expected) in found.chunks(3).zip(expected) {
        for [id, name] in found {
            assert_eq!((id.as_str(), name.as_str()), expected);
        }
    }
    let about = |packets: &[u8]| {
        let path = files.write("about.pcapng", packets);
        let output = Command::new("capinfos").arg(path).output();
        let output = output.expect("capinfos comes with tshark");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = about(&packets);
    for line in [
        "Capture application: retrans-host ",
        "Capture comment:     Retransmits of TCP. ",
        "Operating system = Linux 6.12.0\n",
        "Operating system = Linux 6.1.0-18-amd64\n",
        "Time precision = nanoseconds (9)\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    assert!(!text.contains("Capture oper-sys:"), "{text}");
    let one = exported(files.path(), &["a.rtc", "--to", "pcapng"]);
    assert!(
        about(&one).contains("Capture oper-sys:    Linux 6.12.0\n"),
        "{}",
        about(&one)
    );
}

#[test]
fn a_comment_has_the_fields_that_are_asked_for() {
    let files = Files::new();
    files.write("hostile.rtc", hostile());
    let comments = |wanted: &str| {
        let arguments = ["hostile.rtc", "--to", "pcapng", "--fields", wanted];
        fields(&exported(files.path(), &arguments), ["frame.comment"])
    };
    let (events, _) = printed(files.path(), &["hostile.rtc"]);
    let some = comments("tcp.rto_us,destination,state_number");
    for ([comment], Printed { event, .. }) in some.iter().zip(&events) {
        let expected = format!(
            "tcp.rto_us={} destination.ip={} destination.port={} state_number={}",
            event["tcp"]["rto_us"],
            event["destination"]["ip"].as_str().expect("text"),
            event["destination"]["port"],
            event["state_number"]
        );
        assert_eq!(*comment, expected);
    }
    // A comment without a known field is none.
    assert!(
        comments("owner.last")
            .iter()
            .all(|[comment]| comment.is_empty())
    );
}

#[test]
fn a_comment_that_is_too_long_is_cut() {
    let files = Files::new();
    let event = serde_json::to_string(&Synth::new(2).next().expect("an event")).expect("JSON");
    let label = format!(r#","labels":{{"long":"{}"}}}}"#, "é".repeat(100_000));
    let line = format!("{}{label}\n", event.strip_suffix('}').expect("an object"));
    files.write("a.jsonl", line);
    let packets = exported(files.path(), &["a.jsonl", "--to", "pcapng"]);
    let comments = fields(&packets, ["frame.comment"]);
    assert_eq!(comments.len(), 1);
    let [comment] = &comments[0];
    assert!(comment.starts_with("retransmit.kind="), "{comment:.80}");
    assert!(comment.contains(r#" labels={"long":"éé"#));
    // tshark may cut it once more.
    assert!(packets.len() < 66_500, "{}", packets.len());
    let text = String::from_utf8_lossy(&packets);
    assert!(text.contains("éé…\0"), "it does not tell that it was cut");
}

#[test]
fn a_capture_without_events_is_a_file_without_packets() {
    let files = Files::new();
    files.write("none.rtc", capture(&head(), &[]));
    let packets = exported(files.path(), &["none.rtc", "--to", "pcapng"]);
    assert_eq!(fields(&packets, FIELDS).len(), 0);
    // Nor is a census a packet.
    let census = ["--events", "20k", "--census", "1s"];
    generated(files.path(), "a.rtc", &census);
    let packets = exported(files.path(), &["a.rtc", "--to", "pcapng"]);
    assert_eq!(fields(&packets, ["frame.number"]).len(), 20_000);
}

#[test]
fn packets_are_not_written_to_a_terminal() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "10"]);
    let (controller, terminal) = terminal();
    let mut command = host(files.path(), &["export", "a.rtc", "--to", "pcapng"]);
    let child = spawn(command.stdout(terminal));
    command.stdout(Stdio::null());
    let shown = shown_on(controller);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(FAILURE));
    assert_eq!(
        stderr,
        "retrans-host: error: cannot write to standard output: it is a terminal, which cannot show a capture; \
         direct it into a file or a pipe\n"
    );
    assert_eq!(
        shown.join().expect("it is read"),
        "",
        "within {WAIT_TIMEOUT:?}"
    );
}
