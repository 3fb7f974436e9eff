//! Parses option values: numbers with a unit, durations, times of day, factors, and rotation policies.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use jiff::Timestamp;

use super::UsageError;
use crate::config::Rotate;
use crate::stream::batch::MAX_EVENTS;

fn invalid(option: &'static str, value: &str, expected: &'static str) -> UsageError {
    UsageError::Value {
        option,
        value: value.to_owned(),
        expected,
    }
}

/// Parses a number such as 5000, 20k or 1M. It must be at least 1.
pub fn count(option: &'static str, text: &str) -> Result<u64, UsageError> {
    let units = [('k', 1_000), ('M', 1_000_000), ('G', 1_000_000_000)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(*unit));
    let (digits, unit) = match unit {
        Some((_, factor)) => (&text[..text.len() - 1], *factor),
        None => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let number = number.and_then(|number| number.checked_mul(unit));
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| invalid(option, text, "a number from 1, such as 5000, 20k or 1M"))
}

/// Parses the number of events that wait for the plugins at most: a batch or more.
pub fn backlog(option: &'static str, text: &str) -> Result<usize, UsageError> {
    const RANGE: RangeInclusive<u64> = MAX_EVENTS as u64..=1_000_000;
    let events = count(option, text)
        .ok()
        .filter(|events| RANGE.contains(events));
    events
        .and_then(|events| usize::try_from(events).ok())
        .ok_or_else(|| invalid(option, text, "a number from 256 to 1M, such as 4k or 64k"))
}

/// Parses a duration such as 30s or 1h. It must not be zero.
pub fn duration(option: &'static str, text: &str) -> Result<Duration, UsageError> {
    let time: Option<SignedDuration> = text.parse().ok();
    let time = time.and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| invalid(option, text, "a time such as 30s, 5m or 1h30m"))
}

/// Parses the interval of a census.
pub fn census(text: &str) -> Result<Duration, UsageError> {
    const RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
    let interval = duration("--census", text).ok();
    interval
        .filter(|interval| RANGE.contains(interval))
        .ok_or_else(|| invalid("--census", text, "a time from 1s to 5m, such as 10s"))
}

/// Parses an address with a port. Names are not looked up: one may have several addresses.
pub fn listen(text: &str) -> Result<SocketAddr, UsageError> {
    let expected = "an IP address and a port, such as 127.0.0.1:9435, [::1]:9435 or, for every address, 0.0.0.0:9435";
    text.parse()
        .map_err(|_| invalid("--listen", text, expected))
}

/// Parses a factor such as 1x or 0.5x. It must be at least 0.001.
pub fn speed(text: &str) -> Result<f64, UsageError> {
    let factor: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    factor
        .filter(|factor| factor.is_finite() && *factor >= 0.001)
        .ok_or_else(|| invalid("--speed", text, "a factor from 0.001x, such as 1x or 10x"))
}

/// Parses a rate such as 1000/s or 20k/s.
pub fn rate(text: &str) -> Result<u64, UsageError> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate = count("--max-rate", number).ok();
    rate.ok_or_else(|| {
        invalid(
            "--max-rate",
            text,
            "a number of events a second from 1, such as 1000/s or 20k/s",
        )
    })
}

/// Parses a sample such as 1/10: one connection of ten.
pub fn sample(text: &str) -> Result<NonZeroU32, UsageError> {
    let number = text
        .strip_prefix("1/")
        .and_then(|number| number.parse().ok());
    number.ok_or_else(|| {
        invalid(
            "--sample",
            text,
            "a sample such as 1/10: one connection of ten",
        )
    })
}

/// Parses a rotation policy: a size, an age, or both, such as 100MiB,1h.
pub fn rotate(text: &str) -> Result<Rotate, UsageError> {
    const EXPECTED: &str =
        "a size from 64KiB, an age from 1s, or both, such as 100MiB, 1h, 1d or 100MiB,1h";
    let refused = || invalid("--record-rotate", text, EXPECTED);
    let mut rotate = Rotate::default();
    for part in text.split(',').map(str::trim) {
        // A unit is required: "100" could be a size or an age.
        let has_unit = part.ends_with(|last: char| last.is_alphabetic());
        if let Some(age) = has_unit.then(|| age(part)).flatten()
            && rotate.age.is_none()
        {
            rotate.age = Some(age);
        } else if let Ok(size) = part.parse::<ByteSize>()
            && has_unit
            && size.as_u64() >= 64 * 1024
            && rotate.bytes.is_none()
        {
            rotate.bytes = Some(size.as_u64());
        } else {
            return Err(refused());
        }
    }
    Ok(rotate)
}

fn age(text: &str) -> Option<Duration> {
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse().ok()) {
        let day = Duration::from_secs(24 * 3_600);
        return day.checked_mul(days).filter(|age| !age.is_zero());
    }
    let age: SignedDuration = text.parse().ok()?;
    let age = Duration::try_from(age).ok()?;
    (age >= Duration::from_secs(1)).then_some(age)
}

/// Parses an RFC 3339 timestamp, and returns it as the time since 1970-01-01T00:00:00Z.
pub fn time(option: &'static str, text: &str) -> Result<Duration, UsageError> {
    let time: Option<Timestamp> = text.parse().ok();
    let since = time.and_then(|time| Duration::try_from(time.as_duration()).ok());
    since.ok_or_else(|| invalid(option, text, "a time such as 2026-01-01T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        let count = |text| count("--events", text).ok();
        assert_eq!(count("7"), Some(7));
        assert_eq!(count("20k"), Some(20_000));
        assert_eq!(count("1M"), Some(1_000_000));
        assert_eq!(count("3G"), Some(3_000_000_000));
        for wrong in ["", "k", "0", "-1", "1.5M", "1m", "99999999999G", "1 M"] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_speed_is_a_factor_above_zero() {
        assert_eq!(speed("1x").ok(), Some(1.0));
        assert_eq!(speed("0.5").ok(), Some(0.5));
        for wrong in ["0x", "0", "-1x", "x", "infx", "nan", "fast", "1xx"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
        let error = speed("0x").expect_err("refused").to_string();
        assert_eq!(
            error,
            "--speed: \"0x\", expected a factor from 0.001x, such as 1x or 10x"
        );
    }

    #[test]
    fn an_address_has_a_port_and_is_no_name() {
        for right in ["127.0.0.1:9435", "[::1]:0", "0.0.0.0:80"] {
            let address = listen(right).map(|address| address.to_string());
            assert_eq!(address.as_deref(), Ok(right));
        }
        for wrong in [
            "",
            ":9435",
            "9435",
            "127.0.0.1",
            "localhost:9435",
            "::1:9435x",
            "1.2.3.4:65536",
        ] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_is_a_number_of_events_a_second() {
        let rate = |text| rate(text).ok();
        assert_eq!(rate("1000/s"), Some(1_000));
        assert_eq!(rate("20k"), Some(20_000));
        for wrong in ["", "0/s", "-1/s", "1/m", "/s", "1.5/s"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_sample_is_one_of_a_number() {
        let sample = |text| sample(text).ok().map(NonZeroU32::get);
        assert_eq!(sample("1/10"), Some(10));
        assert_eq!(sample("1/1"), Some(1));
        for wrong in ["", "10", "1/0", "2/10", "1/", "0.1", "10%", "1/-3"] {
            assert_eq!(sample(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rotation_is_by_size_by_age_or_by_both() {
        let rotate = |text| rotate(text).ok().map(|rotate| (rotate.bytes, rotate.age));
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(rotate("100MiB"), Some((Some(100 << 20), None)));
        assert_eq!(rotate("1h"), Some((None, hour)));
        assert_eq!(rotate("1d"), Some((None, hour.map(|hour| 24 * hour))));
        assert_eq!(rotate("100MiB,1h"), Some((Some(100 << 20), hour)));
        assert_eq!(rotate("60m, 64KiB"), Some((Some(64 << 10), hour)));
        for wrong in ["", ",", "100", "1h,2h", "1MiB,2MiB", "1KiB", "10ms", "soon"] {
            assert_eq!(rotate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_is_rfc_3339() {
        let time = |text| time("--from", text).ok();
        assert_eq!(time("1970-01-01T00:01:00Z"), Some(Duration::from_secs(60)));
        assert_eq!(
            time("2026-01-01T02:00:00+02:00"),
            time("2026-01-01T00:00:00Z")
        );
        for wrong in ["", "12:00", "2026-01-01", "1969-12-31T00:00:00Z", "now"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
