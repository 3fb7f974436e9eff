//! Limits as they are written: `time=250ms,memory=16MiB`.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

use super::UsageError;
use crate::plugin::Limits;
use crate::plugin::MOST_STACK;

/// How a limit is read, and where it is kept.
enum Kind {
    /// CPU time.
    Time(fn(&mut Limits) -> &mut Duration, RangeInclusive<Duration>),
    /// Bytes, with a unit.
    Size(fn(&mut Limits, u64), RangeInclusive<u64>),
    /// A number of something.
    Number(fn(&mut Limits, u64), RangeInclusive<u64>),
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const MOST: u64 = 1_000_000;

/// All limits, by name. An array of sizes is at most 4 GiB: WebAssembly here has 32 bits.
const LIMITS: [(&str, Kind); 16] = [
    (
        "time",
        Kind::Time(|limits| &mut limits.time, MILLISECOND..=HOUR),
    ),
    (
        "start-time",
        Kind::Time(|limits| &mut limits.start_time, MILLISECOND..=HOUR),
    ),
    (
        "memory",
        Kind::Size(
            |limits, value| limits.memory = value as usize,
            64 * KIB..=4 * GIB,
        ),
    ),
    (
        "footprint",
        Kind::Size(|limits, value| limits.footprint = value, 1 << 20..=1 << 40),
    ),
    (
        "table",
        Kind::Number(
            |limits, value| limits.table = value as usize,
            1..=100 * MOST,
        ),
    ),
    (
        "instances",
        Kind::Number(
            |limits, value| limits.instances = value as usize,
            1..=10_000,
        ),
    ),
    (
        "stack",
        Kind::Size(
            |limits, value| limits.stack = value as usize,
            64 * KIB..=MOST_STACK as u64,
        ),
    ),
    (
        "output",
        Kind::Size(|limits, value| limits.output = value as usize, KIB..=GIB),
    ),
    (
        "state",
        Kind::Size(|limits, value| limits.state = value as usize, KIB..=GIB),
    ),
    (
        "alerts",
        Kind::Number(|limits, value| limits.alerts = value as usize, 0..=MOST),
    ),
    (
        "labels",
        Kind::Number(|limits, value| limits.labels = value as usize, 0..=MOST),
    ),
    (
        "counts",
        Kind::Number(|limits, value| limits.counts = value as usize, 0..=MOST),
    ),
    (
        "log",
        Kind::Number(|limits, value| limits.log = value as u32, 0..=MOST),
    ),
    (
        "file",
        Kind::Size(|limits, value| limits.file = value, KIB..=4 * GIB),
    ),
    (
        "compile-time",
        Kind::Time(|limits| &mut limits.compile_time, SECOND..=HOUR),
    ),
    (
        "compile-memory",
        Kind::Size(
            |limits, value| limits.compile_memory = value,
            16 << 20..=1 << 40,
        ),
    ),
];

/// Sets the limits that a text names.
pub fn apply(text: &str, limits: &mut Limits) -> Result<(), UsageError> {
    for part in text.split(',').map(str::trim) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some((_, kind)) = LIMITS.iter().find(|(limit, _)| *limit == name) else {
            let names = LIMITS.map(|(name, _)| name).join(", ");
            return Err(UsageError::NoLimit(part.to_owned(), names));
        };
        let wrong = |expected| UsageError::Limit {
            limit: part.to_owned(),
            expected,
        };
        match kind {
            Kind::Time(place, range) => {
                let time: Option<SignedDuration> = value.parse().ok();
                let time = time.and_then(|time| Duration::try_from(time).ok());
                let time = time.filter(|time| range.contains(time));
                *place(limits) = time.ok_or_else(|| {
                    wrong(format!("a time from {:?} to 1h, such as 2s", range.start()))
                })?;
            }
            Kind::Size(set, range) => {
                // A unit is needed, so that nobody takes 16 for MiB.
                let has_unit = value.ends_with(|last: char| last.is_alphabetic());
                let size: Option<ByteSize> = value.parse().ok().filter(|_| has_unit);
                let size = size.filter(|size| range.contains(&size.as_u64()));
                let size = size.ok_or_else(|| {
                    let (least, most) = (ByteSize(*range.start()), ByteSize(*range.end()));
                    wrong(format!("a size from {least} to {most}, such as 16MiB"))
                })?;
                set(limits, size.as_u64());
            }
            Kind::Number(set, range) => {
                let number: Option<u64> = value.parse().ok();
                let number = number.filter(|number| range.contains(number));
                let expected = || format!("a number from {} to {}", range.start(), range.end());
                set(limits, number.ok_or_else(|| wrong(expected()))?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Result<Limits, String> {
        let mut limits = Limits::default();
        apply(text, &mut limits).map_err(|error| error.to_string())?;
        Ok(limits)
    }

    #[test]
    fn each_limit_is_set_by_its_name_alone() {
        let text = "time=100ms,start-time=3s,memory=16MiB,footprint=32MiB,table=10,instances=5,stack=1MiB,\
                    output=2MiB,state=3MiB,alerts=7,labels=8,counts=9,log=0,file=4MiB,compile-time=5s,\
                    compile-memory=64MiB";
        let expected = Limits {
            time: Duration::from_millis(100),
            start_time: Duration::from_secs(3),
            memory: 16 << 20,
            footprint: 32 << 20,
            table: 10,
            instances: 5,
            stack: 1 << 20,
            output: 2 << 20,
            state: 3 << 20,
            alerts: 7,
            labels: 8,
            counts: 9,
            log: 0,
            file: 4 << 20,
            compile_time: Duration::from_secs(5),
            compile_memory: 64 << 20,
        };
        assert_eq!(limits(text), Ok(expected));
        assert_eq!(text.split(',').count(), LIMITS.len());
        let only = limits("memory=16MiB").expect("well-formed");
        let others = Limits {
            memory: 16 << 20,
            ..Limits::default()
        };
        assert_eq!(only, others);
    }

    #[test]
    fn a_wrong_limit_says_what_is_expected() {
        for (text, expected) in [
            (
                "time=0",
                "--limit time=0: expected a time from 1ms to 1h, such as 2s",
            ),
            (
                "memory=16",
                "--limit memory=16: expected a size from 64.0 KiB to 4.0 GiB, such as 16MiB",
            ),
            (
                "stack=1GiB",
                "--limit stack=1GiB: expected a size from 64.0 KiB to 8.0 MiB, such as 16MiB",
            ),
            (
                "log=many",
                "--limit log=many: expected a number from 0 to 1000000",
            ),
            (
                "time=1s,",
                "--limit : there is no limit of that name; there are time, start-time, ",
            ),
            (
                "cpu=1s",
                "--limit cpu=1s: there is no limit of that name; there are time, start-time, ",
            ),
        ] {
            let error = limits(text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
