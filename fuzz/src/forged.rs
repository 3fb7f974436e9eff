//! Makes captures with valid checksums from arbitrary bytes. Random checksums would almost never be valid.
//!
//! The first byte of an input is its kind. [`FRAMES`]: a capture, whose checksums are replaced. [`ITEMS`]: two bytes
//! with the length of a head in JSON, little-endian (0: the head of this version), the head, and then items before
//! compression. With any other first byte, the input is used as the file without changes.

use std::borrow::Cow;

use retrans_host::capture::Head;
use retrans_host::capture::MAGIC;

/// Kind of an input: the rest is a capture whose checksums are to be replaced.
pub const FRAMES: u8 = 1;

/// Kind of an input: the rest is a head and items.
pub const ITEMS: u8 = 2;

/// Bytes of a frame's header: magic, kind, stored length, length before compression, two checksums.
const HEADER_SIZE: usize = 24;

/// The file for an input.
pub fn file(input: &[u8]) -> Cow<'_, [u8]> {
    match input.split_first() {
        Some((&FRAMES, file)) => frames(file.to_vec()).into(),
        Some((&ITEMS, rest)) => items(rest).into(),
        _ => input.into(),
    }
}

fn frames(mut file: Vec<u8>) -> Vec<u8> {
    let mut rest = file.get_mut(MAGIC.len() + 1..).unwrap_or_default();
    while rest.len() >= HEADER_SIZE {
        let (header, behind) = rest.split_at_mut(HEADER_SIZE);
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (stored, behind) = behind.split_at_mut(behind.len().min(length as usize));
        seal(header, stored);
        rest = behind;
    }
    file
}

fn items(rest: &[u8]) -> Vec<u8> {
    let (length, rest) = match rest {
        [low, high, rest @ ..] => (u16::from_le_bytes([*low, *high]).into(), rest),
        _ => (0, rest),
    };
    let (head, items) = rest.split_at(rest.len().min(length));
    let head = match head {
        [] => serde_json::to_vec(&Head::new(None, String::new()))
            .expect("the head of this version is JSON"),
        head => head.to_vec(),
    };
    // Of version 2, which may have a census.
    let mut file = [&MAGIC[..], &[2]].concat();
    for (kind, bytes) in [(1, &head[..]), (2, items), (3, &[])] {
        let stored = zstd::bulk::compress(bytes, 1).expect("there is memory");
        let mut header = b"frm\n".to_vec();
        for number in [kind, stored.len() as u32, bytes.len() as u32] {
            header.extend(number.to_le_bytes());
        }
        header.resize(HEADER_SIZE, 0);
        seal(&mut header, &stored);
        file.extend(header);
        file.extend(stored);
    }
    file
}

/// Sets the checksums in a header.
fn seal(header: &mut [u8], stored: &[u8]) {
    header[16..20].copy_from_slice(&crc32fast::hash(stored).to_le_bytes());
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
}
