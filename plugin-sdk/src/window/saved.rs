//! The saved form of a count: few bytes, in an encoding that cannot have entries out of order.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

use super::Entry;
use super::WindowCount;
use crate::packed;
use crate::packed::CONTINUES;
use crate::packed::read_number;
use crate::packed::write;

/// The bytes: the latest time, then for each entry, from the newest to the oldest, its distance in ns to
/// the entry before, and its weight. Each is a LEB128 number.
///
/// A plugin may save a million entries every second. Most entries take 6 bytes, and 10 ns to read; as CBOR
/// numbers they took up to 10 bytes, and 110 ns to read.
impl Serialize for WindowCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(9 + 7 * self.entries.len());
        write(&mut bytes, self.latest);
        let mut later = self.latest;
        for entry in self.entries.iter().rev() {
            // The entries are in order, and none is later than the latest time.
            write(&mut bytes, later - entry.time);
            write(&mut bytes, entry.weight.into());
            later = entry.time;
        }
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for WindowCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        packed::deserialize(deserializer, "the bytes of a count", read)
    }
}

fn read(mut bytes: &[u8]) -> Result<WindowCount, &'static str> {
    let latest = read_number(&mut bytes)?;
    // The exact number of entries: every entry has two numbers, and every number ends with a byte below
    // CONTINUES. Unused capacity would add up over many keys.
    let mut entries =
        Vec::with_capacity(bytes.iter().filter(|byte| **byte < CONTINUES).count() / 2);
    let (mut later, mut sum) = (latest, 0);
    while !bytes.is_empty() {
        let step = read_number(&mut bytes)?;
        let time = later
            .checked_sub(step)
            .ok_or("an entry has a time before 0")?;
        let weight = read_number(&mut bytes)?;
        let weight = u32::try_from(weight).map_err(|_| "a weight is too large")?;
        entries.push(Entry { time, weight });
        sum += u64::from(weight);
        later = time;
    }
    entries.reverse();
    Ok(WindowCount {
        entries: VecDeque::from(entries),
        sum,
        latest,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::SlidingWindow;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_count_goes_on_exactly_where_it_was_saved() {
        let window = SlidingWindow::new(at(1), 25);
        let [mut whole, mut saved] = [WindowCount::default(), WindowCount::default()];
        for (number, record) in (0..).zip(retrans_event::synth::Synth::new(1).take(1_000)) {
            // Every seventh event is late.
            let late = Duration::from_micros(u64::from(number % 7 == 0) * 300);
            let (time, weight) = (record.time() - late, number % 4);
            let counts = [&mut whole, &mut saved].map(|count| count.add(&window, time, weight));
            assert_eq!(counts[0], counts[1]);
            let text = serde_json::to_string(&saved).expect("it is plain");
            saved = serde_json::from_str(&text).expect("it was just written");
            let until = [&whole, &saved].map(|count| count.above_limit_until(&window));
            assert_eq!(until[0], until[1]);
        }
    }

    #[test]
    fn an_entry_takes_few_bytes() {
        let window = SlidingWindow::new(at(10_000), 1_000);
        let mut count = WindowCount::default();
        for second in 0..10 {
            count.add(&window, at(1_000_000 + second * 999), 2);
        }
        let bytes = serde_json::to_value(&count).expect("it is plain");
        let bytes = bytes.as_array().expect("JSON has no bytes").len();
        assert_eq!(bytes, 6 + 2 + 9 * 6);
    }

    #[test]
    fn nonsense_is_refused() {
        for (value, expected) in [
            (json!([]), "the bytes end within a number"),
            (json!([9, 1]), "the bytes end within a number"),
            (json!([9, 1, 0x80]), "the bytes end within a number"),
            (json!([9, 5, 1, 5, 1]), "an entry has a time before 0"),
            (
                json!([9, 1, 0xff, 0xff, 0xff, 0xff, 0x10]),
                "a weight is too large",
            ),
            (json!(vec![0xff; 10]), "a number is too large"),
            (json!(vec![0x80; 20]), "a number is too large"),
            (
                json!({"latest": 9}),
                "invalid type: map, expected the bytes of a count",
            ),
        ] {
            let error = serde_json::from_value::<WindowCount>(value).expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn more_than_the_limit_is_bounded_again_by_the_next() {
        let mut bytes = vec![0xff, 0x7f];
        bytes.extend([1, 9].repeat(1_000));
        let mut count: WindowCount = serde_json::from_value(json!(bytes)).expect("it is sound");
        assert_eq!(count.entries.len(), 1_000);
        let window = SlidingWindow::new(at(1_000), 3);
        assert!(count.add(&window, at(0), 1) > 3);
        assert_eq!(count.entries.len(), 1);
    }
}
