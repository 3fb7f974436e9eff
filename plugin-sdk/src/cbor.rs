//! State as bytes, in CBOR: the format names the fields, so that fields can be added.

use std::cell::RefCell;
use std::io;

use anyhow::anyhow;
use anyhow::ensure;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::result::Result;

/// Writes a value into a buffer with an initial capacity of `expected` bytes.
pub(crate) fn encode(value: &impl Serialize, expected: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected);
    ciborium::into_writer(value, &mut bytes).map_err(|error| match error {
        ciborium::ser::Error::Io(error) => anyhow!("{error}"),
        ciborium::ser::Error::Value(message) => anyhow!("{message}"),
    })?;
    Ok(bytes)
}

/// Reads a value from bytes that are not trusted. An error names the field that is wrong.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut rest = bytes;
    let read = ciborium::from_reader(&mut rest);
    let Traced(value) = read.map_err(|error| match (error, PLACE.take()) {
        (ciborium::de::Error::RecursionLimitExceeded, _) => anyhow!("nested too deeply"),
        (error, place) if [".", "?"].contains(&place.as_str()) => anyhow!("{}", message(error)),
        (error, place) => anyhow!("{place}: {}", message(error)),
    })?;
    ensure!(
        rest.is_empty(),
        "{} unexpected bytes after the value",
        rest.len()
    );
    Ok(value)
}

/// ciborium's own messages are written for debugging.
fn message(error: ciborium::de::Error<io::Error>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "the bytes end within a value".to_owned(),
        ciborium::de::Error::Syntax(offset) => format!("not CBOR at byte {offset}"),
        ciborium::de::Error::Semantic(_, message) => message,
        ciborium::de::Error::RecursionLimitExceeded => "nested too deeply".to_owned(),
    }
}

thread_local! {
    /// Path to the error in the value that was read last, such as `peers[3].since`. ciborium's error cannot
    /// hold it, and reading a second time would instantiate all the code twice: 80 kB in a plugin.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A value whose errors set [`PLACE`].
struct Traced<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Traced<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_path_to_error::deserialize(deserializer);
        value.map(Traced).map_err(|error| {
            PLACE.set(error.path().to_string());
            error.into_inner()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        peers: BTreeMap<IpAddr, Vec<u32>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        peers: BTreeMap<IpAddr, Vec<u32>>,
        #[serde(default)]
        quiet_for: Option<Duration>,
    }

    fn peers() -> BTreeMap<IpAddr, Vec<u32>> {
        [(IpAddr::from([10, 0, 0, 2]), vec![1, 2, 3])].into()
    }

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(bytes: &[u8]) -> String {
        decode::<T>(bytes).expect_err("it is nonsense").to_string()
    }

    #[test]
    fn a_field_that_was_added_with_a_default_makes_no_other_format() -> Result<()> {
        let old = encode(&Old { peers: peers() }, 0)?;
        let quiet_for = None;
        let peers = peers();
        assert_eq!(decode::<New>(&old)?, New { peers, quiet_for });
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_named() -> Result<()> {
        let nothing = encode(&BTreeMap::from([("x", 1)]), 0)?;
        assert_eq!(refusal::<Old>(&nothing), "missing field `peers`");
        let tenth = IpAddr::from([10, 0, 0, 10]);
        let words = BTreeMap::from([("peers", BTreeMap::from([(tenth, ["a"])]))]);
        let words = refusal::<Old>(&encode(&words, 0)?);
        assert_eq!(words, "peers.?[0]: invalid type: string, expected integer");
        Ok(())
    }

    #[test]
    fn untrusted_bytes_are_refused_with_an_explanation() -> Result<()> {
        let bytes = encode(&Old { peers: peers() }, 0)?;
        assert_eq!(refusal::<Old>(&[]), "the bytes end within a value");
        assert_eq!(refusal::<Old>(&[0x1c]), "not CBOR at byte 0");
        assert_eq!(
            refusal::<Old>(b"\x81"),
            "invalid type: sequence, expected map"
        );
        assert_eq!(
            refusal::<Old>(&bytes[..bytes.len() - 1]),
            "peers.?[2]: the bytes end within a value"
        );
        let [twice, nested] = [bytes.repeat(2), vec![0x81; 1_000]];
        assert_eq!(
            refusal::<Old>(&twice),
            format!("{} unexpected bytes after the value", bytes.len())
        );
        assert_eq!(refusal::<ciborium::Value>(&nested), "nested too deeply");
        Ok(())
    }

    #[test]
    fn no_bytes_at_all_make_it_panic_or_take_more_memory_than_there_is() -> Result<()> {
        let good = encode(
            &New {
                peers: peers(),
                quiet_for: Some(Duration::MAX),
            },
            0,
        )?;
        for place in 0..good.len() {
            let _ = decode::<New>(&good[..place]);
            for byte in 0..=255 {
                let mut bad = good.clone();
                bad[place] = byte;
                let _ = decode::<New>(&bad);
            }
        }
        Ok(())
    }
}
