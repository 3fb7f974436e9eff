//! Captures that tests write, valid and invalid ones, and the host that reads them.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use retrans_event::Record;
use retrans_host::capture::CaptureError;
use retrans_host::capture::Head;
use retrans_host::capture::Reader;
use retrans_host::capture::Writer;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::labels::Labels;
use retrans_host::stream::moment::Mark;

use super::refusal::BINARY;
use super::refusal::output;

/// Frame kinds, by their numbers in a file.
pub const HEAD: u32 = 1;
pub const ITEMS: u32 = 2;
pub const END: u32 = 3;

/// The host with this working directory. Its cache of compiled plugins is shared by all tests.
pub fn host(directory: &Path, arguments: &[&str]) -> Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("host-cache");
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .current_dir(directory)
        .env("XDG_CACHE_HOME", cache)
        .stdin(Stdio::null());
    command
}

/// Standard output and standard error of a run, which must exit with code 0.
#[track_caller]
pub fn ran(command: &mut Command) -> (String, String) {
    let output = output(command);
    let stderr = String::from_utf8(output.stderr).expect("it writes text");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("does not balance"), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("it prints text");
    (stdout, stderr)
}

/// Standard output of a replay through json-print.
#[track_caller]
pub fn printed(directory: &Path, files: &[&str]) -> String {
    ran(host(directory, &["replay", "--quiet"]).args(files)).0
}

/// A capture that `generate` wrote with these arguments.
#[track_caller]
pub fn generated(directory: &Path, file: &str, arguments: &[&str]) -> PathBuf {
    ran(host(directory, &["generate", file]).args(arguments));
    directory.join(file)
}

/// The head of a generated capture.
pub fn head() -> Head {
    Head::new(None, "2026-01-01T00:00:00.000Z".to_owned())
}

/// A capture of these items, each of `frames` in a frame of its own.
pub fn capture(head: &Head, frames: &[Vec<Item>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, head).expect("memory takes it");
    for items in frames {
        for item in items {
            writer.item(item).expect("memory takes it");
        }
        writer.flush().expect("memory takes it");
    }
    writer.finish().expect("memory takes it");
    file
}

/// A batch of these events, with `lost` events before it.
pub fn events(records: &[Record], lost: u64) -> Item {
    let mut batch = Batch::new();
    batch.lost = lost;
    for record in records {
        batch.push(record.as_bytes());
    }
    Item::Events(batch)
}

/// An item in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Records, labels, losses.
    Events(Vec<u8>, Labels, u64),
    /// Nanoseconds since boot, nanoseconds since 1970, losses.
    Mark(u128, u128, u64),
    /// The same for the end of the stream.
    End(u128, u128, u64),
    /// The rows of a census.
    Census(Vec<u8>),
}

/// Converts an item.
pub fn show(item: &Item) -> Shown {
    let times = |mark: &Mark| (mark.time.as_nanos(), mark.wall_time.as_nanos(), mark.lost);
    match item {
        Item::Events(batch) => {
            Shown::Events(batch.records().to_vec(), batch.labels.clone(), batch.lost)
        }
        Item::Census(census) => Shown::Census(census.as_bytes().to_vec()),
        Item::Mark(mark) => {
            let (time, wall_time, lost) = times(mark);
            Shown::Mark(time, wall_time, lost)
        }
        Item::End(mark) => {
            let (time, wall_time, lost) = times(mark);
            Shown::End(time, wall_time, lost)
        }
    }
}

/// The items of a capture, and the error that ended them where the capture has no end.
pub fn items(file: &[u8]) -> Result<(Vec<Shown>, Option<CaptureError>), CaptureError> {
    let mut reader = Reader::new(file)?;
    let mut items = Vec::new();
    let error = loop {
        match reader.item(Batch::new) {
            Ok(Some(item)) => items.push(show(&item)),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let after = reader.item(Batch::new);
    assert!(matches!(after, Ok(None)), "after the end: {after:?}");
    Ok((items, error))
}

/// A frame with any contents and valid checksums. Built from the description of the format, without the
/// code under test.
pub fn frame(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let stored = zstd::bulk::compress(bytes, 1).expect("zstd compresses");
    raw_frame(kind, &stored, bytes.len() as u32)
}

/// A frame that claims any kind and any uncompressed length.
pub fn raw_frame(kind: u32, stored: &[u8], length: u32) -> Vec<u8> {
    let mut frame = b"frm\n".to_vec();
    let checksum = crc32fast::hash(stored);
    for number in [kind, stored.len() as u32, length, checksum] {
        frame.extend(number.to_le_bytes());
    }
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame.extend(stored);
    frame
}

/// A file of these frames.
pub fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    [b"\x89RETRAN\x01".to_vec(), frames.concat()].concat()
}

/// A JSON line with the required fields alone, `millis` after 2026-01-01T00:00:00Z.
pub fn least(millis: u64, peer: &str) -> String {
    let (minutes, seconds) = (millis / 60_000, millis % 60_000);
    let (seconds, millis) = (seconds / 1_000, seconds % 1_000);
    format!(
        r#"{{"type":"retransmit","timestamp":"2026-01-01T00:{minutes:02}:{seconds:02}.{millis:03}Z","state":"ESTABLISHED","source":{{"ip":"10.0.0.1","port":33000}},"destination":{{"ip":"{peer}","port":443}}}}
"#
    )
}
