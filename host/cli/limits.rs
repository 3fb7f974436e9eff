//! Parses the values of `--limit`, such as `time=250ms,memory=16MiB`.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

use super::UsageError;
use crate::plugin::Limits;
use crate::plugin::spec::limits::LIMITS;
use crate::plugin::spec::limits::Limit;
use crate::plugin::spec::limits::LimitKind;

/// The short help of `--limit`.
pub const HELP: &str = "Sets limits of the plugin named just before it, such as time=100ms,memory=16MiB. Before the \
                        first plugin it applies to all plugins. Repeatable";

/// The long help of `--limit`, which lists every limit with its default.
pub fn long_help() -> String {
    let limits: Vec<String> = LIMITS.iter().map(Limit::to_string).collect();
    format!(
        "{HELP}.\n\nThe limits and their defaults: {}",
        limits.join(", ")
    )
}

/// Parses `text`, and changes the limits that it names. The others keep their values.
pub fn apply(text: &str, limits: &mut Limits) -> Result<(), UsageError> {
    for part in text.split(',').map(str::trim) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some(limit) = Limit::named(name) else {
            let names: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();
            return Err(UsageError::UnknownLimit(part.to_owned(), names.join(", ")));
        };
        let value = parse(value, limit.kind);
        if !value.is_some_and(|value| limit.set(limits, value)) {
            return Err(UsageError::Limit {
                limit: part.to_owned(),
                expected: expected_value(limit),
            });
        }
    }
    Ok(())
}

/// Parses a value, in the unit of the table of limits: nanoseconds, bytes, or a number.
fn parse(text: &str, kind: LimitKind) -> Option<u64> {
    match kind {
        LimitKind::Time => {
            let time: SignedDuration = text.parse().ok()?;
            let time = Duration::try_from(time).ok()?;
            u64::try_from(time.as_nanos()).ok()
        }
        LimitKind::Size => {
            // A size needs a unit: 16 could be meant as 16 MiB.
            let has_unit = text.ends_with(|last: char| last.is_alphabetic());
            let size: ByteSize = text.parse().ok().filter(|_| has_unit)?;
            Some(size.as_u64())
        }
        LimitKind::Count => text.parse().ok(),
    }
}

fn expected_value(limit: &Limit) -> String {
    let (type_name, example) = match limit.kind {
        LimitKind::Time => ("a time", ", such as 2s"),
        LimitKind::Size => ("a size", ", such as 16MiB"),
        LimitKind::Count => ("a number", ""),
    };
    let (min, max) = (limit.show(limit.min), limit.show(limit.max));
    format!("{type_name} from {min} to {max}{example}")
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
                "--limit memory=16: expected a size from 64KiB to 4GiB, such as 16MiB",
            ),
            (
                "stack=1GiB",
                "--limit stack=1GiB: expected a size from 64KiB to 8MiB, such as 16MiB",
            ),
            (
                "log=many",
                "--limit log=many: expected a number from 0 to 1000000",
            ),
            (
                "time=1s,",
                "--limit : unknown limit; the limits are time, start-time, ",
            ),
            (
                "cpu=1s",
                "--limit cpu=1s: unknown limit; the limits are time, start-time, ",
            ),
        ] {
            let error = limits(text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
