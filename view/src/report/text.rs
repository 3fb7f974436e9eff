//! Numbers, times and names as people read them. A number and its unit stay on one line.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A number with commas between thousands.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun, which is in the plural unless the number is 1.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A share of 0 to 1 in percent. A share that is neither none nor all is shown as neither.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        _ if percent <= 0.0 => "0\u{a0}%".to_owned(),
        _ if percent < 0.01 => "<\u{a0}0.01\u{a0}%".to_owned(),
        _ if percent < 1.0 => format!("{percent:.2}\u{a0}%"),
        _ if percent < 10.0 => format!("{percent:.1}\u{a0}%"),
        _ if percent < 99.5 => format!("{percent:.0}\u{a0}%"),
        _ if percent < 100.0 => format!("{:.1}\u{a0}%", percent.min(99.9)),
        _ => "100\u{a0}%".to_owned(),
    }
}

/// The share that a number is of another one, in percent.
pub fn share(part: u64, whole: u64) -> String {
    percent(part as f64 / whole.max(1) as f64)
}

/// A length of time with two or three digits: `80 µs`, `1.25 s`, `3 h 12 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let whole = duration.as_secs();
    match seconds {
        _ if duration.is_zero() => "0\u{a0}s".to_owned(),
        _ if seconds < 0.001 => format!("{}\u{a0}µs", duration.as_micros()),
        _ if seconds < 1.0 => format!("{}\u{a0}ms", digits(1_000.0 * seconds)),
        _ if seconds < 60.0 => format!("{}\u{a0}s", digits(seconds)),
        _ if whole < 3_600 => two((whole / 60, "min"), (whole % 60, "s")),
        _ if whole < 86_400 => two((whole / 3_600, "h"), (whole / 60 % 60, "min")),
        _ => two((whole / 86_400, "d"), (whole / 3_600 % 24, "h")),
    }
}

/// A number of microseconds as [`duration`].
pub fn micros(micros: u64) -> String {
    duration(Duration::from_micros(micros))
}

fn two((large, large_unit): (u64, &str), (small, small_unit): (u64, &str)) -> String {
    match small {
        0 => format!("{}\u{a0}{large_unit}", number(large)),
        _ => format!(
            "{}\u{a0}{large_unit}\u{a0}{small}\u{a0}{small_unit}",
            number(large)
        ),
    }
}

/// Three digits at most, without zeros at the end.
fn digits(number: f64) -> String {
    let decimals = match number {
        _ if number < 9.995 => 2,
        _ if number < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A number of bytes, in units of 1,000.
pub fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in units {
        if size < 999.5 {
            break;
        }
        (size, unit) = (size / 1_000.0, next);
    }
    format!("{}\u{a0}{unit}", digits(size))
}

/// A time of day in UTC, with milliseconds: `2026-01-01 00:16:40.000`.
pub fn time(wall_time: Duration) -> String {
    format(wall_time, "%F %T%.3f")
}

/// A time of day in UTC in any form that `strftime` knows.
pub fn format(wall_time: Duration, format: &str) -> String {
    // A time beyond the year 9999 is shown as the latest one in it.
    let time = Timestamp::from_nanosecond(wall_time.as_nanos() as i128).unwrap_or(Timestamp::MAX);
    time.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// Replaces control characters and those that change the direction of text, and cuts the text to 200 characters: it
/// comes from others. Escaping is the template's work.
pub fn clean(text: &str) -> String {
    const MAX: usize = 200;
    let mut cleaned: String = text.chars().take(MAX).map(printable).collect();
    if text.chars().nth(MAX).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// The text with usual spaces for those that keep a number and its unit on one line.
pub fn spaced(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

fn printable(char: char) -> char {
    match char {
        '\t' => ' ',
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_units() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(counted(1, "event", "events"), "1 event");
        assert_eq!(counted(2_000, "event", "events"), "2,000 events");
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_448_000, "1.45 MB"),
            (999_999, "1 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(spaced(&bytes(count)), expected);
        }
    }

    #[test]
    fn a_share_is_none_or_all_only_if_it_is() {
        for (of, expected) in [
            ((0, 7), "0 %"),
            ((1, 1_000_000), "< 0.01 %"),
            ((1, 300), "0.33 %"),
            ((1, 30), "3.3 %"),
            ((2, 3), "67 %"),
            ((9_999, 10_000), "99.9 %"),
            ((7, 7), "100 %"),
            ((0, 0), "0 %"),
        ] {
            assert_eq!(spaced(&share(of.0, of.1)), expected);
        }
    }

    #[test]
    fn lengths_of_time_have_the_unit_that_suits_them() {
        for (micros, expected) in [
            (0, "0 s"),
            (80, "80 µs"),
            (1_500, "1.5 ms"),
            (250_248, "250 ms"),
            (1_000_000, "1 s"),
            (59_900_000, "59.9 s"),
            (61_000_000, "1 min 1 s"),
            (3_600_000_000, "1 h"),
            (11_520_000_000, "3 h 12 min"),
            (90_000_000_000, "1 d 1 h"),
        ] {
            assert_eq!(spaced(&super::micros(micros)), expected);
        }
        assert_eq!(
            time(Duration::from_secs(1_767_225_600)),
            "2026-01-01 00:00:00.000"
        );
        assert!(time(Duration::MAX).starts_with("9999-"));
    }

    #[test]
    fn names_of_others_cannot_turn_the_text_around_or_fill_the_page() {
        assert_eq!(clean("a\u{202e}b\x1b[2J\tc"), "a\u{fffd}b\u{fffd}[2J c");
        assert_eq!(clean(&"é".repeat(300)).chars().count(), 201);
    }
}
