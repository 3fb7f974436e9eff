//! What tshark reads of packets, and what it must read of the events that a replay prints.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use jiff::Timestamp;
use serde_json::Value;

use super::Printed;
use super::exported_to_a_file;
use super::flat;
use super::printed;
use crate::common::components::Files;

/// The paths in a comment, in their order.
const COMMENT: &[&str] = &[
    "retransmit.kind",
    "retransmit.segments",
    "retransmit.length",
    "retransmit.timer",
    "retransmit.retransmits",
    "retransmit.backoff",
    "state",
    "tcp.ca_state",
    "tcp.srtt_us",
    "tcp.rto_us",
    "tcp.cwnd",
    "tcp.ssthresh",
    "tcp.packets_out",
    "tcp.lost_out",
    "tcp.sacked_out",
    "owner.status",
    "owner.pid",
    "owner.comm",
    "owner.uid",
    "owner.holders",
    "owner.container",
    "owner.last.pid",
    "owner.last.comm",
    "owner.last.uid",
    "owner.last.container",
    "netns.inode",
    "socket.cookie",
    "sequence",
];

/// What tshark prints of each packet.
pub const FIELDS: [&str; 20] = [
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "ip.src",
    "ipv6.src",
    "ip.dst",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
    "tcp.flags",
    "tcp.window_size_value",
    "ip.ttl",
    "ipv6.hlim",
    "ip.checksum.status",
    "frame.packet_flags_direction",
    "frame.drop_count",
    "frame.comment",
];

/// Runs tshark on packets. Returns the lines that it prints.
#[track_caller]
pub fn tshark(packets: &[u8], arguments: &[&str]) -> Vec<String> {
    let files = Files::new();
    let path = files.write("a.pcapng", packets);
    let mut tshark = Command::new("tshark");
    tshark
        .args(["-n", "-o", "ip.check_checksum:TRUE", "-r"])
        .arg(path);
    let output = tshark
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("tshark is there: scripts/setup.sh tests installs it");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        !stderr.contains("cut short") && !stderr.contains("damaged"),
        "{stderr}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// These fields of each packet.
#[track_caller]
pub fn fields<const N: usize>(packets: &[u8], names: [&str; N]) -> Vec<[String; N]> {
    let mut arguments = vec!["-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"];
    for name in names {
        arguments.extend(["-e", name]);
    }
    let lines = tshark(packets, &arguments);
    let rows = lines.iter().map(|line| {
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        cells.try_into().unwrap_or_else(|_| panic!("{line:?}"))
    });
    rows.collect()
}

/// The number at a path; 0 where there is none.
fn number(event: &Value, pointer: &str) -> u64 {
    event
        .pointer(pointer)
        .map_or(0, |value| value.as_u64().expect("a number"))
}

/// The text as `export` shows it: without control characters.
fn shown(text: &str) -> String {
    let shown = text.chars().map(|char| match char {
        '\t' => ' ',
        '\u{202e}' => '\u{fffd}',
        char if char.is_control() => '\u{fffd}',
        char => char,
    });
    shown.collect()
}

/// The comment that tells what the line of an event tells.
fn comment(Printed { event, lost }: &Printed) -> String {
    let mut before = match lost {
        0 => Vec::new(),
        1 => vec!["1 event was lost before this one".to_owned()],
        lost => vec![format!("{lost} events were lost before this one")],
    };
    if event["retransmit"]["sent"] == false {
        before.push(match event["retransmit"]["error"].as_str() {
            Some(error) => format!("not sent: {error}"),
            None => "not sent".to_owned(),
        });
    }
    let values = flat(event);
    let words = COMMENT.iter().filter_map(|path| {
        let value = values.get(*path)?;
        let is_text = path.ends_with("comm") || path.ends_with("container");
        Some(match is_text {
            true => format!("{path}={}", Value::from(shown(value))),
            false => format!("{path}={value}"),
        })
    });
    let mut words: Vec<String> = words.collect();
    if let Some(labels) = event["labels"].as_object() {
        // In the order of the keys.
        let labels = labels.iter().map(|(key, value)| {
            let value = value.as_str().expect("text");
            format!("{}:{}", Value::from(shown(key)), Value::from(shown(value)))
        });
        let labels: Vec<String> = labels.collect();
        words.push(format!("labels={{{}}}", labels.join(",")));
    }
    if !words.is_empty() {
        before.push(words.join(" "));
    }
    before.join("; ")
}

/// What tshark must print of a packet, in the order of [`FIELDS`].
fn expected(printed: &Printed) -> [String; 20] {
    let event = &printed.event;
    let time: Timestamp = event["timestamp"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    let time = time.as_nanosecond();
    let (local, peer) = (&event["source"]["ip"], &event["destination"]["ip"]);
    let [local, peer] = [local, peer].map(|address| address.as_str().expect("text").to_owned());
    let is_ipv4 = event["ipversion"] == 4;
    let headers = if is_ipv4 { 40 } else { 60 };
    let longest = if is_ipv4 { 65_535 } else { 65_535 + 40 };
    let length = (headers + number(event, "/retransmit/length")).min(longest);
    let version = |wanted: bool, text: &str| {
        if wanted {
            text.to_owned()
        } else {
            String::new()
        }
    };
    [
        format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000),
        length.to_string(),
        headers.to_string(),
        version(is_ipv4, &local),
        version(!is_ipv4, &local),
        version(is_ipv4, &peer),
        version(!is_ipv4, &peer),
        number(event, "/source/port").to_string(),
        number(event, "/destination/port").to_string(),
        number(event, "/retransmit/seq").to_string(),
        "0".to_owned(),
        (length - headers).to_string(),
        format!("{:#06x}", number(event, "/retransmit/flags_number")),
        "65535".to_owned(),
        version(is_ipv4, "64"),
        version(!is_ipv4, "64"),
        // Checked and good.
        version(is_ipv4, "1"),
        "0x00000002".to_owned(),
        match printed.lost {
            0 => String::new(),
            lost => lost.to_string(),
        },
        comment(printed),
    ]
}

/// Checks that the packets of these files are those of the lines that their replay prints. Returns the packets.
#[track_caller]
pub fn assert_are_those_of(directory: &Path, files: &[&str]) -> Vec<u8> {
    let arguments = [&["--to", "pcapng", "-o", "a.pcapng", "--force"], files].concat();
    exported_to_a_file(directory, &arguments);
    let packets = fs::read(directory.join("a.pcapng")).expect("it was written");
    let (events, _) = printed(directory, files);
    let found = fields(&packets, FIELDS);
    assert_eq!(found.len(), events.len());
    for (found, printed) in found.iter().zip(&events) {
        let mut expected = expected(printed);
        // tshark abbreviates addresses in its own way.
        for address in 3..7 {
            let parse = |text: &str| text.parse::<IpAddr>().ok();
            if parse(&found[address]) == parse(&expected[address]) {
                expected[address].clone_from(&found[address]);
            }
        }
        let named = |row: &[String; 20]| FIELDS.into_iter().zip(row.clone()).collect::<Vec<_>>();
        assert_eq!(named(found), named(&expected));
    }
    packets
}

/// Number, packets and losses of each interface, from the blocks at the end of a file.
pub fn statistics(packets: &[u8]) -> Vec<(u32, u64, u64)> {
    let number = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    let option = |block: &[u8], code: u16| -> u64 {
        let mut at = 20;
        loop {
            let header = number(block, at);
            let (found, length) = (header as u16, (header >> 16) as usize);
            assert_ne!(found, 0, "the block has no option {code}");
            if found == code {
                let value = block[at + 4..at + 12].try_into().expect("eight bytes");
                return u64::from_le_bytes(value);
            }
            at += 4 + length.next_multiple_of(4);
        }
    };
    let (mut rest, mut found) = (packets, Vec::new());
    while !rest.is_empty() {
        let (block, after) = rest.split_at(number(rest, 4) as usize);
        if number(block, 0) == 5 {
            found.push((number(block, 8), option(block, 4), option(block, 5)));
        }
        rest = after;
    }
    found
}
