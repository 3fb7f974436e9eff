//! The format of a frame in a file of the spool.
//!
//! ```text
//! entry = length of the body (u32), CRC-32 of the body (u32), body
//! body  = length of the identifier (u16), identifier, events (u64), digest of the head (16 bytes), frame
//! ```
//!
//! Numbers are in little-endian order. The file begins with [`MAGIC`].

use std::ops::Range;

use crate::head::HeadDigest;
use crate::names::FrameId;

/// What a file of the spool begins with.
pub(super) const MAGIC: [u8; 16] = *b"retrans-spool 1\n";

/// Length and checksum.
const PREFIX: usize = 8;

/// A frame without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) id: FrameId,
    pub(super) events: u64,
    pub(super) head: HeadDigest,
}

/// An entry that was read from a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) meta: Meta,
    /// Where the entry is in the file.
    pub(super) range: Range<u64>,
}

/// The size of an entry in bytes. `None` if it is larger than its length can say.
pub(super) fn size(meta: &Meta, frame: &[u8]) -> Option<u64> {
    let body = 2 + meta.id.to_string().len() + 8 + 16 + frame.len();
    let body = u32::try_from(body).ok()?;
    Some(PREFIX as u64 + u64::from(body))
}

/// The bytes of an entry that has a [`size`].
pub(super) fn encode(meta: &Meta, frame: &[u8]) -> Vec<u8> {
    let id = meta.id.to_string();
    let mut bytes = vec![0; PREFIX];
    bytes.reserve_exact(26 + id.len() + frame.len());
    // An identifier has a boot of 36 bytes and three numbers.
    bytes.extend_from_slice(&(id.len() as u16).to_le_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&meta.events.to_le_bytes());
    bytes.extend_from_slice(&meta.head.0);
    bytes.extend_from_slice(frame);
    let length = (bytes.len() - PREFIX) as u32;
    let checksum = crc32fast::hash(&bytes[PREFIX..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..PREFIX].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The first entry of these bytes: what it says, its frame, and its size. `None` if it is damaged or not whole.
pub(super) fn decode(bytes: &[u8]) -> Option<(Meta, &[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (id_length, body) = body.split_first_chunk::<2>()?;
    let (id, body) = body.split_at_checked(usize::from(u16::from_le_bytes(*id_length)))?;
    let (events, body) = body.split_first_chunk::<8>()?;
    let (head, frame) = body.split_first_chunk::<16>()?;
    let meta = Meta {
        id: std::str::from_utf8(id).ok()?.parse().ok()?,
        events: u64::from_le_bytes(*events),
        head: HeadDigest(*head),
    };
    Some((meta, frame, PREFIX + length))
}

/// The entries of a file, and whether its end could not be read.
pub(super) fn decode_file(bytes: &[u8]) -> (Vec<Found>, bool) {
    let mut found = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        return (found, !bytes.is_empty());
    };
    let mut offset = MAGIC.len() as u64;
    while let Some((meta, _, size)) = decode(rest) {
        let end = offset + size as u64;
        found.push(Found {
            meta,
            range: offset..end,
        });
        offset = end;
        rest = &rest[size..];
    }
    (found, !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::AgentRun;
    use crate::partition::Partition;

    fn meta(number: u64) -> Meta {
        Meta {
            id: FrameId {
                run: AgentRun {
                    boot: "b-1".to_owned(),
                    start: 5,
                },
                partition: Partition(3),
                number,
            },
            events: 7,
            head: HeadDigest::of(b"head"),
        }
    }

    #[test]
    fn a_file_is_read_up_to_a_torn_entry_wherever_it_is_cut() {
        let mut file = MAGIC.to_vec();
        let mut ends = vec![file.len()];
        for number in 0..3 {
            file.extend(encode(&meta(number), b"frame"));
            ends.push(file.len());
        }
        for cut in MAGIC.len()..=file.len() {
            let (found, is_torn) = decode_file(&file[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(found.len(), whole, "{cut}");
            assert_eq!(is_torn, !ends.contains(&cut), "{cut}");
        }
        let (found, _) = decode_file(&file);
        assert_eq!(found[2].meta, meta(2));
        let range = &found[2].range;
        assert_eq!(size(&meta(2), b"frame"), Some(range.end - range.start));
        let range = found[2].range.start as usize..found[2].range.end as usize;
        let (_, frame, _) = decode(&file[range]).expect("an entry");
        assert_eq!(frame, b"frame");
    }

    #[test]
    fn a_changed_byte_is_found() {
        let entry = encode(&meta(0), b"frame");
        for index in 0..entry.len() {
            let mut changed = entry.clone();
            changed[index] ^= 1;
            assert_eq!(decode(&changed), None, "{index}");
        }
    }

    #[test]
    fn a_file_of_something_else_has_no_entries() {
        assert_eq!(decode_file(b""), (Vec::new(), false));
        assert_eq!(decode_file(b"retrans-spool 2\n...."), (Vec::new(), true));
    }
}
