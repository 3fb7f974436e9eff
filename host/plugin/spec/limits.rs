//! The limits of a plugin. One table defines their type, defaults, parsing, help and documentation. A new limit is a
//! new row of the table.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;
const HOUR: u64 = 3_600 * SECOND;
const MILLION: u64 = 1_000_000;

/// Maximum native stack of a plugin in bytes. Threads that run plugins have room for it.
pub const MAX_STACK: usize = 8 << 20;

/// Stack in bytes of a thread that runs plugins: the maximum for plugins, and room for the host.
pub const THREAD_STACK: usize = MAX_STACK + (2 << 20);

/// Notation of a limit's values, and their unit in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// CPU time of the thread that runs the plugin, written as in 250ms. Unit: nanoseconds.
    Time,
    /// A size, written as in 16MiB. Unit: bytes.
    Size,
    /// A number without a unit.
    Count,
}

/// A row of the table.
#[derive(Debug)]
pub struct Limit {
    /// Name of the limit.
    pub name: &'static str,
    /// Notation and unit of its values.
    pub kind: LimitKind,
    /// Default value.
    pub default: u64,
    /// Minimum value.
    pub min: u64,
    /// Maximum value.
    pub max: u64,
    doc: &'static [&'static str],
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

impl Limit {
    /// Returns the limit of this name.
    pub fn named(name: &str) -> Option<&'static Limit> {
        LIMITS.iter().find(|limit| limit.name == name)
    }

    /// Returns a phrase that describes what is limited, from the doc comment of the row.
    pub fn meaning(&self) -> String {
        let lines = self.doc.iter().map(|line| line.trim());
        let text = lines.collect::<Vec<_>>().join(" ");
        text.trim_end_matches('.').to_owned()
    }

    /// Its value among these limits.
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Sets the value in `limits`. Returns false, and sets nothing, if it is not between [`min`](Limit::min) and
    /// [`max`](Limit::max).
    #[must_use]
    pub fn set(&self, limits: &mut Limits, value: u64) -> bool {
        let fits = (self.min..=self.max).contains(&value);
        if fits {
            (self.set)(limits, value);
        }
        fits
    }

    /// Formats a value as it is written on the command line.
    pub fn show(&self, value: u64) -> String {
        let units: &[(u64, &str)] = match self.kind {
            LimitKind::Time => &[(HOUR, "h"), (SECOND, "s"), (MILLISECOND, "ms")],
            LimitKind::Size => &[(TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")],
            LimitKind::Count => &[],
        };
        let fitting = units
            .iter()
            .find(|(unit, _)| value >= *unit && value.is_multiple_of(*unit));
        match fitting {
            Some((unit, name)) => format!("{}{name}", value / unit),
            None => value.to_string(),
        }
    }
}

/// Writes the name and the default as on the command line: `time=250ms`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.show(self.default))
    }
}

/// Conversion between a field of [`Limits`] and a value of the table.
trait Field: Copy {
    fn value(self) -> u64;
    fn of(value: u64) -> Self;
}

impl Field for Duration {
    fn value(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX)
    }

    fn of(value: u64) -> Duration {
        Duration::from_nanos(value)
    }
}

impl Field for u64 {
    fn value(self) -> u64 {
        self
    }

    fn of(value: u64) -> u64 {
        value
    }
}

impl Field for usize {
    fn value(self) -> u64 {
        self as u64
    }

    fn of(value: u64) -> usize {
        value as usize
    }
}

macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])+
        $name:literal $field:ident: $type:ty, $kind:ident $default:expr, $min:expr => $max:expr;
    )*) => {
        /// Limits of one plugin. Sizes are in bytes, times are CPU time of the thread that runs it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($field: Field::of($default),)* }
            }
        }

        /// All limits.
        pub const LIMITS: &[Limit] = &[$(
            Limit {
                name: $name,
                kind: LimitKind::$kind,
                default: $default,
                min: $min,
                max: $max,
                doc: &[$($doc),+],
                get: |limits| limits.$field.value(),
                set: |limits, value| limits.$field = Field::of(value),
            },
        )*];
    };
}

limits! {
    /// CPU time of each call of `process` with up to 256 events, `tick`, `finish`, `save` and `restore`.
    "time" time: Duration, Time 250 * MILLISECOND, MILLISECOND => HOUR;
    /// CPU time of each of instantiate, `describe` and `configure`.
    "start-time" start_time: Duration, Time 2 * SECOND, MILLISECOND => HOUR;
    /// Linear memory, over all memories.
    "memory" memory: usize, Size 64 * MIB, 64 * KIB => 4 * GIB;
    /// Memory that the host itself needs to hold the plugin: compiled code, what wasmtime keeps of it, and of one
    /// instance beside its linear memory.
    "footprint" footprint: u64, Size 256 * MIB, MIB => TIB;
    /// Elements of tables, over all tables.
    "table" table: usize, Count 100_000, 1 => 100 * MILLION;
    /// Core instances, memories and tables; a component has a handful of each.
    "instances" instances: usize, Count 64, 1 => 10_000;
    /// Native stack of its code.
    "stack" stack: usize, Size 512 * KIB, 64 * KIB => MAX_STACK as u64;
    /// Bytes that one call of the host hands over, and bytes of output of one call of the plugin.
    "output" output: usize, Size 8 * MIB, KIB => GIB;
    /// Bytes that `save` returns.
    "state" state: usize, Size 16 * MIB, KIB => GIB;
    /// Alerts in one call.
    "alerts" alerts: usize, Count 10_000, 0 => MILLION;
    /// Label columns in one call; 128 KiB of labels on a batch at most.
    "labels" labels: usize, Count 256, 0 => MILLION;
    /// Counters, gauges and observations in one call.
    "counts" counts: usize, Count 256, 0 => MILLION;
    /// Log lines a second; further lines are counted and reported.
    "log" log: u64, Count 100, 0 => MILLION;
    /// Size of the file.
    "file" file: u64, Size 64 * MIB, KIB => 4 * GIB;
    /// CPU time of compilation, all threads together, in a process of its own; whole seconds.
    "compile-time" compile_time: Duration, Time 120 * SECOND, SECOND => HOUR;
    /// Memory of compilation.
    "compile-memory" compile_memory: u64, Size 2 * GIB, 16 * MIB => TIB;
}

/// Formats a limit that was exceeded, for error messages: `limit memory=64MiB`.
pub fn show_limit(name: &str, value: u64) -> String {
    match Limit::named(name) {
        Some(limit) => format!("limit {name}={}", limit.show(value)),
        None => format!("limit {name}={value}"),
    }
}

/// Returns the table of limits in docs/operating.md, in Markdown.
pub fn table() -> String {
    let mut table = String::from(
        "| limit | default | from | to | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for limit in LIMITS {
        let values = [limit.default, limit.min, limit.max].map(|value| limit.show(value));
        let [default, min, max] = values;
        table += &format!(
            "| {} | {default} | {min} | {max} | {} |\n",
            limit.name,
            limit.meaning()
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_row_sets_a_value_of_its_own() {
        for limit in LIMITS {
            let mut limits = Limits::default();
            assert_eq!(limit.get(&limits), limit.default, "{limit}");
            let other = if limit.default == limit.max {
                limit.min
            } else {
                limit.max
            };
            assert!(limit.set(&mut limits, other), "{limit}");
            assert_eq!(limit.get(&limits), other, "{limit}");
            let same = |row: &&Limit| row.get(&limits) == row.get(&Limits::default());
            assert_eq!(
                LIMITS.iter().filter(same).count(),
                LIMITS.len() - 1,
                "{limit}"
            );
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        for limit in LIMITS {
            let mut limits = Limits::default();
            let above = limit.max + 1;
            assert!(!limit.set(&mut limits, above), "{limit}");
            if let Some(below) = limit.min.checked_sub(1) {
                assert!(!limit.set(&mut limits, below), "{limit}");
            }
            assert_eq!(limits, Limits::default());
        }
    }

    /// Fails if docs/operating.md has another table. `UPDATE_DOCS=1 cargo test` writes the table.
    #[test]
    fn the_document_has_this_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md");
        let document = fs::read_to_string(&path).expect("docs/operating.md");
        let begin = document
            .find("| limit | default |")
            .expect("it has a table of limits");
        let length = document[begin..]
            .find("\n\n")
            .expect("an empty line follows")
            + 1;
        let found = &document[begin..begin + length];
        if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
            let new = document.replace(found, &table());
            fs::write(&path, new).expect("docs/operating.md can be written");
            return;
        }
        assert_eq!(
            found,
            table(),
            "run again with UPDATE_DOCS=1 to write the table"
        );
    }
}
