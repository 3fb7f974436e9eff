//! Times in the JSON form of types that serde derives.

/// A time of day as RFC 3339 text.
pub mod timestamp {
    use core::fmt;
    use core::time::Duration;

    use jiff::Timestamp;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;
    use serde::de;

    use crate::codec::nanos;
    use crate::json::write::Rfc3339;

    /// Writes the time.
    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Rfc3339(nanos(*time)).serialize(serializer)
    }

    /// Reads the time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time from 1970 to 2554 such as 2026-01-01T00:00:00Z")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                let time = text.parse::<Timestamp>().ok();
                let time = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
                let time = time.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self));
                time.map(Duration::from_nanos)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// A duration as a number of nanoseconds.
pub mod nanoseconds {
    use core::time::Duration;

    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;

    use crate::codec::nanos;

    /// Writes the number.
    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(nanos(*time))
    }

    /// Reads the number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}
