//! Writes metrics in the text format of Prometheus and in that of OpenMetrics.
//!
//! They differ in the names of counters and of information, in units, and in the end. The samples are the same.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use super::Format;
use super::family::Family;
use super::family::Kind;
use crate::stats::histogram::Histogram;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number of things.
    Number(u64),
    /// A measure.
    Measure(f64),
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<f64> for Value {
    fn from(measure: f64) -> Value {
        Value::Measure(measure)
    }
}

/// In seconds.
impl From<Duration> for Value {
    fn from(time: Duration) -> Value {
        Value::Measure(time.as_secs_f64())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Measure(measure) => measure.fmt(f),
        }
    }
}

/// Writes families one after the other.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    text: String,
}

/// Writes the samples of a family.
#[derive(Debug)]
pub struct Samples<'a> {
    writer: &'a mut Writer,
    family: &'static Family,
    /// Whether the head of the family is written: without samples there is none.
    has_head: bool,
}

impl Writer {
    /// Nothing written yet.
    pub fn new(format: Format) -> Writer {
        Writer {
            format,
            text: String::new(),
        }
    }

    /// Begins a family. Each is written once.
    pub fn family(&mut self, family: &'static Family) -> Samples<'_> {
        Samples {
            writer: self,
            family,
            has_head: false,
        }
    }

    /// The text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Writes formatted text. Memory takes it.
    fn put(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(text);
    }
}

impl Samples<'_> {
    /// Writes a sample: a value for each label, and the value.
    pub fn sample(&mut self, labels: &[&str], value: impl Into<Value>) -> &mut Self {
        let suffix = match self.family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.line(suffix, labels, None, value.into());
        self
    }

    /// Writes a histogram of seconds.
    pub fn histogram(&mut self, labels: &[&str], histogram: &Histogram) -> &mut Self {
        let sum = histogram.sum().as_secs_f64();
        let classes = histogram.cumulative();
        self.classes(labels, classes.map(in_seconds), sum)
    }

    /// Writes a histogram: the bound of each class, the last of which has none, and the number of values up to it.
    pub fn classes(
        &mut self,
        labels: &[&str],
        classes: impl Iterator<Item = (Option<f64>, u64)>,
        sum: f64,
    ) -> &mut Self {
        let mut all = 0;
        for (bound, count) in classes {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), bound_text);
            self.line("_bucket", labels, Some(&bound), count.into());
            all = count;
        }
        self.line("_sum", labels, None, sum.into());
        self.line("_count", labels, None, all.into());
        self
    }

    fn line(&mut self, suffix: &str, labels: &[&str], bound: Option<&str>, value: Value) {
        self.head();
        let Samples { writer, family, .. } = self;
        writer.put(format_args!("{}{suffix}", family.name));
        let pairs = family.labels.iter().copied().zip(labels.iter().copied());
        let mut begin = '{';
        for (name, value) in pairs.chain(bound.map(|bound| ("le", bound))) {
            writer.put(format_args!("{begin}{name}=\"{}\"", Escaped(value)));
            begin = ',';
        }
        let end = if begin == ',' { "}" } else { "" };
        writer.put(format_args!("{end} {value}\n"));
    }

    /// Writes what describes the family.
    fn head(&mut self) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        let Samples { writer, family, .. } = self;
        let Family {
            name, kind, help, ..
        } = family;
        match writer.format {
            // Here the name is that of the samples, and information is a gauge.
            Format::Text => {
                let (suffix, kind) = match kind {
                    Kind::Counter => ("_total", "counter"),
                    Kind::Info => ("_info", "gauge"),
                    kind => ("", kind.name()),
                };
                writer.put(format_args!(
                    "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"
                ));
            }
            Format::OpenMetrics => {
                writer.put(format_args!("# TYPE {name} {}\n", kind.name()));
                if let Some(unit) = family.unit() {
                    writer.put(format_args!("# UNIT {name} {unit}\n"));
                }
                writer.put(format_args!("# HELP {name} {help}\n"));
            }
        }
    }
}

/// A class of durations, by seconds.
pub fn in_seconds((bound, count): (Option<Duration>, u64)) -> (Option<f64>, u64) {
    (bound.map(|bound| bound.as_secs_f64()), count)
}

/// A bound, with a point in any case, as OpenMetrics has it: the series is the same in both formats.
fn bound_text(bound: f64) -> String {
    match bound.fract() == 0.0 {
        true => format!("{bound}.0"),
        false => bound.to_string(),
    }
}

/// The value of a label, with what ends one escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Family = Family {
        name: "a_bytes",
        kind: Kind::Counter,
        labels: &["plugin", "name"],
        help: "What it counts.",
    };
    const INFO: Family = Family {
        name: "b",
        kind: Kind::Info,
        labels: &["version"],
        help: "What it is.",
    };
    const GAUGE: Family = Family {
        name: "c",
        kind: Kind::Gauge,
        labels: &[],
        help: "How much.",
    };
    const HISTOGRAM: Family = Family {
        name: "d_seconds",
        kind: Kind::Histogram,
        labels: &["kind"],
        help: "How long.",
    };
    const BOUNDS: &[Duration] = &[
        Duration::from_micros(50),
        Duration::from_millis(200),
        Duration::from_secs(1),
    ];

    fn written(format: Format) -> String {
        let mut writer = Writer::new(format);
        writer
            .family(&COUNTER)
            .sample(&["p", "a\\b\"c\nd"], 7_u64)
            .sample(&["q", ""], u64::MAX);
        writer.family(&INFO).sample(&["1.2"], 1_u64);
        writer.family(&GAUGE).sample(&[], 0.25);
        let mut histogram = Histogram::new(BOUNDS);
        for millis in [0, 200, 201, 3_000] {
            histogram.record(Duration::from_millis(millis));
        }
        writer.family(&HISTOGRAM).histogram(&["fast"], &histogram);
        // A family without samples has no head.
        writer.family(&GAUGE);
        writer.finish()
    }

    const HISTOGRAM_SAMPLES: &str = "\
d_seconds_bucket{kind=\"fast\",le=\"0.00005\"} 1
d_seconds_bucket{kind=\"fast\",le=\"0.2\"} 2
d_seconds_bucket{kind=\"fast\",le=\"1.0\"} 3
d_seconds_bucket{kind=\"fast\",le=\"+Inf\"} 4
d_seconds_sum{kind=\"fast\"} 3.401
d_seconds_count{kind=\"fast\"} 4
";

    #[test]
    fn the_text_format_of_prometheus() {
        let expected = format!(
            "# HELP a_bytes_total What it counts.
# TYPE a_bytes_total counter
a_bytes_total{{plugin=\"p\",name=\"a\\\\b\\\"c\\nd\"}} 7
a_bytes_total{{plugin=\"q\",name=\"\"}} 18446744073709551615
# HELP b_info What it is.
# TYPE b_info gauge
b_info{{version=\"1.2\"}} 1
# HELP c How much.
# TYPE c gauge
c 0.25
# HELP d_seconds How long.
# TYPE d_seconds histogram
{HISTOGRAM_SAMPLES}"
        );
        assert_eq!(written(Format::Text), expected);
    }

    #[test]
    fn the_format_of_openmetrics() {
        let expected = format!(
            "# TYPE a_bytes counter
# UNIT a_bytes bytes
# HELP a_bytes What it counts.
a_bytes_total{{plugin=\"p\",name=\"a\\\\b\\\"c\\nd\"}} 7
a_bytes_total{{plugin=\"q\",name=\"\"}} 18446744073709551615
# TYPE b info
# HELP b What it is.
b_info{{version=\"1.2\"}} 1
# TYPE c gauge
# HELP c How much.
c 0.25
# TYPE d_seconds histogram
# UNIT d_seconds seconds
# HELP d_seconds How long.
{HISTOGRAM_SAMPLES}# EOF
"
        );
        assert_eq!(written(Format::OpenMetrics), expected);
    }
}
