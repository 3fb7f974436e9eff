//! The snapshot of a partition: what a consumer needs to go on where another one stopped.

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use super::cursors::Cursors;

/// The format that is written, and the only one that is read.
const FORMAT: u32 = 1;

/// The state of a partition after the message with this sequence. The next message is the one after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Number in the stream of the last message that the state contains.
    pub sequence: u64,
    /// Digest of the chain that made the state: another chain cannot use it.
    pub chain: String,
    /// The last number of each run.
    pub cursors: Cursors,
    /// Counters of the caller.
    pub counts: serde_json::Value,
    /// States of plugins and active alerts, as the caller encodes them.
    pub body: Vec<u8>,
}

/// The first line of a value in the bucket: where the content is, and what is known without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outline {
    format: u32,
    /// Who wrote it: the same content by another consumer is another value.
    pub(super) writer: String,
    /// That of the snapshot.
    pub(super) sequence: u64,
    /// Number of bytes of the content.
    pub(super) size: usize,
    /// First 16 bytes of the SHA-256 of the content, hexadecimal.
    digest: String,
    /// The object that has the content. None: it follows this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
}

/// The second line, before the body.
#[derive(Serialize, Deserialize)]
struct Fields {
    sequence: u64,
    chain: String,
    cursors: Cursors,
    counts: serde_json::Value,
}

/// A value that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptSnapshot {
    /// The first line cannot be read.
    #[error("its first line cannot be read: {0}")]
    Outline(String),
    /// Another version wrote it.
    #[error(
        "its format is {0}, this program reads format {FORMAT}: use the version that wrote it, or a later one"
    )]
    Format(u32),
    /// Bytes are missing or too many.
    #[error("it has {found} bytes, expected {expected}")]
    Size {
        /// Number of bytes that are there.
        found: usize,
        /// Number of bytes that its first line says.
        expected: usize,
    },
    /// The content was changed.
    #[error("its content does not match its digest")]
    Digest,
    /// The content matches its digest, and is no snapshot.
    #[error("its content cannot be read: {0}")]
    Content(String),
}

impl Snapshot {
    /// The content of this snapshot, and its outline.
    pub(super) fn encode(&self, writer: &str) -> Result<(Outline, Vec<u8>), String> {
        let fields = Fields {
            sequence: self.sequence,
            chain: self.chain.clone(),
            cursors: self.cursors.clone(),
            counts: self.counts.clone(),
        };
        let mut content = serde_json::to_vec(&fields).map_err(|error| error.to_string())?;
        content.push(b'\n');
        content.extend_from_slice(&self.body);
        let outline = Outline {
            format: FORMAT,
            writer: writer.to_owned(),
            sequence: self.sequence,
            size: content.len(),
            digest: digest(&content),
            object: None,
        };
        Ok((outline, content))
    }

    /// The snapshot with this outline and this content.
    pub(super) fn decode(outline: &Outline, content: &[u8]) -> Result<Snapshot, CorruptSnapshot> {
        if content.len() != outline.size {
            return Err(CorruptSnapshot::Size {
                found: content.len(),
                expected: outline.size,
            });
        }
        if digest(content) != outline.digest {
            return Err(CorruptSnapshot::Digest);
        }
        let bad = |reason: &str| CorruptSnapshot::Content(reason.to_owned());
        let (line, body) = split_line(content).ok_or_else(|| bad("it has no line"))?;
        let fields: Fields =
            serde_json::from_slice(line).map_err(|error| bad(&error.to_string()))?;
        if fields.sequence != outline.sequence {
            return Err(bad("its sequence is not that of the first line"));
        }
        Ok(Snapshot {
            sequence: fields.sequence,
            chain: fields.chain,
            cursors: fields.cursors,
            counts: fields.counts,
            body: body.to_vec(),
        })
    }
}

impl Outline {
    /// Whether both are of one snapshot by one writer. The objects may be different: each attempt writes its own.
    pub(super) fn is_same_snapshot(&self, other: &Outline) -> bool {
        let this = Outline {
            object: other.object.clone(),
            ..self.clone()
        };
        this == *other
    }

    /// The value in the bucket: this line, with the content after it unless an object has it.
    pub(super) fn value(&self, content: &[u8]) -> Result<Vec<u8>, String> {
        let mut value = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        value.push(b'\n');
        if self.object.is_none() {
            value.extend_from_slice(content);
        }
        Ok(value)
    }

    /// The outline that a value begins with, and the bytes after it.
    pub(super) fn read(value: &[u8]) -> Result<(Outline, &[u8]), CorruptSnapshot> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let bad = |reason: String| CorruptSnapshot::Outline(reason);
        let (line, rest) = split_line(value).ok_or_else(|| bad("it has no line".to_owned()))?;
        let Format { format } =
            serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        if format != FORMAT {
            return Err(CorruptSnapshot::Format(format));
        }
        let outline: Outline =
            serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        Ok((outline, rest))
    }
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            sequence: 77,
            chain: "chain".to_owned(),
            cursors: Cursors::new(Duration::from_secs(60)),
            counts: serde_json::json!({"events": 5}),
            body: b"one\ntwo\n\0".to_vec(),
        }
    }

    fn value() -> Vec<u8> {
        let (outline, content) = snapshot().encode("writer").expect("a value");
        outline.value(&content).expect("a value")
    }

    fn read(value: &[u8]) -> Result<Snapshot, CorruptSnapshot> {
        let (outline, content) = Outline::read(value)?;
        Snapshot::decode(&outline, content)
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        assert_eq!(read(&value()), Ok(snapshot()));
    }

    #[test]
    fn a_value_that_is_cut_or_changed_anywhere_is_refused() {
        let value = value();
        for end in 0..value.len() {
            assert!(read(&value[..end]).is_err(), "cut at {end}");
        }
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 1;
            // Who wrote it does not matter to who reads it.
            let found = read(&changed);
            assert!(
                found.is_err() || found == Ok(snapshot()),
                "changed at {at}: {found:?}"
            );
        }
        let longer = [value, vec![0]].concat();
        assert!(matches!(read(&longer), Err(CorruptSnapshot::Size { .. })));
    }

    #[test]
    fn another_format_is_named() {
        let later = b"{\"format\":2,\"place\":\"elsewhere\"}\n";
        assert_eq!(read(later), Err(CorruptSnapshot::Format(2)));
    }

    #[test]
    fn the_value_of_an_object_has_the_outline_alone() {
        let (mut outline, content) = snapshot().encode("writer").expect("a value");
        outline.object = Some("p.3.77".to_owned());
        let value = outline.value(&content).expect("a value");
        let (found, rest) = Outline::read(&value).expect("a value");
        assert_eq!((found, rest), (outline, &b""[..]));
    }
}
