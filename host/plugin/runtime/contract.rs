//! The host's side of the contract: checks the arguments of host functions, and stages their effects until the call
//! returns.

use wasmtime::Result;

use super::bad_answer::BadAnswer;
use super::staged_effects::Metric;
use super::staged_effects::StagedAlert;
use super::store::HostState;
use crate::stream::alert::Severity;
use crate::stream::alert::State as AlertState;
use crate::stream::labels::Column;
use crate::stream::labels::out_of_order;
use crate::system::sanitize::clean;

pub(crate) use self::generated::Plugin as Exports;
pub(crate) use self::generated::PluginIndices as ExportIndices;
pub use self::generated::exports::retrans::plugin::processor::Keep;
pub use self::generated::retrans::plugin::host as wit;
pub(crate) use self::wit::add_to_linker;

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "host/plugin/wit",
        world: "plugin",
        imports: { default: trappable },
    });
}

/// Name of the contract's package, without the version.
pub(crate) const PACKAGE: &str = "retrans:plugin";

/// The version of the contract that this host supports.
pub(crate) const VERSION: &str = "0.1.0";

/// The `presence-bit` of a field that has none, because every record has the field.
const NO_PRESENCE_BIT: u32 = u32::MAX;

/// Maximum number of bytes of labels, keys and values, that a plugin may put on the events of a batch. All calls about
/// parts of the batch share it. It is half a KiB for each event of a full batch. The next plugin may write all labels
/// to its output, as JSON in which a byte may take six: within its output limit there is room for the labels of ten
/// plugins.
const MAX_LABEL_BYTES: usize = 128 << 10;

/// Maximum length of a label's key in bytes.
const MAX_KEY: usize = 256;

/// Maximum length of the name of a metric in bytes, because the name is part of a line of the ledger.
const MAX_METRIC: usize = 64;

/// Every function that takes time checks the deadline first: epochs do not interrupt the host's own code.
impl wit::Host for HostState {
    fn layout(&mut self) -> Result<Vec<wit::Field>> {
        self.deadline.check()?;
        let fields = retrans_event::FIELDS.iter().map(|field| wit::Field {
            name: field.name.to_owned(),
            offset: field.offset as u32,
            size: field.size as u32,
            kind: field.format.name().to_owned(),
            presence_bit: field.presence_bit.unwrap_or(NO_PRESENCE_BIT),
        });
        Ok(fields.collect())
    }

    fn names(&mut self) -> Result<Vec<wit::NumberName>> {
        self.deadline.check()?;
        let names = retrans_event::number_names().map(|named| wit::NumberName {
            kind: named.format.name().to_owned(),
            number: named.number,
            name: named.name.to_owned(),
        });
        Ok(names.collect())
    }

    fn census_layout(&mut self) -> Result<Vec<wit::Field>> {
        self.deadline.check()?;
        let fields = retrans_event::CENSUS_FIELDS.iter().map(|field| wit::Field {
            name: field.name.to_owned(),
            offset: field.offset as u32,
            size: field.size as u32,
            kind: field.kind.to_owned(),
            presence_bit: NO_PRESENCE_BIT,
        });
        Ok(fields.collect())
    }

    fn census(&mut self) -> Result<Vec<u8>> {
        self.deadline.check()?;
        Ok(self.call.census.take())
    }

    fn labels(&mut self) -> Result<Vec<wit::LabelColumn>> {
        self.deadline.check()?;
        let columns = self.call.labels.columns().iter().map(|column| {
            let (events, ends, text) = column.parts();
            wit::LabelColumn {
                key: column.key.clone(),
                events: events.to_vec(),
                ends: ends.to_vec(),
                text: text.to_owned(),
            }
        });
        Ok(columns.collect())
    }

    fn run(&mut self) -> Result<Vec<(String, String)>> {
        self.deadline.check()?;
        Ok(self.run.pairs())
    }

    fn lost(&mut self) -> Result<u64> {
        Ok(self.call.lost)
    }

    fn change(&mut self, events: Vec<u32>, records: Vec<u8>) -> Result<()> {
        self.deadline.check()?;
        self.charge(records.len() + 4 * events.len())?;
        let record_size = self.call.record_size;
        if let Some(event) = out_of_order(&events, self.call.count) {
            return Err(BadAnswer::ChangeEvent(event, self.call.count).into());
        }
        if records.len() != events.len() * record_size as usize {
            let bad = BadAnswer::ChangeSize {
                events: events.len(),
                record_size,
                bytes: records.len(),
            };
            return Err(bad.into());
        }
        self.staged.changes.push((events, records));
        Ok(())
    }

    fn annotate(&mut self, column: wit::LabelColumn) -> Result<()> {
        self.deadline.check()?;
        let wit::LabelColumn {
            key,
            events,
            ends,
            text,
        } = column;
        self.charge(key.len() + text.len() + 8 * events.len())?;
        // The key of each column is looked up among the others, which takes the host's time and not the plugin's.
        if self.staged.columns.len() >= self.limits.labels {
            return Err(BadAnswer::Columns(self.limits.labels).into());
        }
        // The key also appears in messages.
        if key.len() > MAX_KEY {
            return Err(BadAnswer::LabelKey(MAX_KEY).into());
        }
        // A plugin that writes labels to its output writes the key for each event.
        let bytes = key.len().saturating_mul(events.len()) + text.len();
        self.staged.label_bytes = self.staged.label_bytes.saturating_add(bytes);
        if self
            .call
            .label_bytes
            .saturating_add(self.staged.label_bytes)
            > MAX_LABEL_BYTES
        {
            return Err(BadAnswer::LabelBytes(MAX_LABEL_BYTES).into());
        }
        let column = Column::check(key, events, ends, text, self.call.count);
        self.staged.columns.push(column.map_err(BadAnswer::from)?);
        Ok(())
    }

    fn emit(&mut self, alert: wit::Alert) -> Result<()> {
        self.deadline.check()?;
        let labels = alert
            .labels
            .iter()
            .map(|(key, value)| key.len() + value.len() + 48);
        self.charge(alert.name.len() + alert.summary.len() + labels.sum::<usize>())?;
        if self.staged.alerts.len() >= self.limits.alerts {
            return Err(BadAnswer::Alerts(self.limits.alerts).into());
        }
        if alert.name.is_empty() {
            return Err(BadAnswer::AlertName.into());
        }
        if let Some(event) = alert.event.filter(|event| *event >= self.call.count) {
            return Err(BadAnswer::AlertEvent(event, self.call.count).into());
        }
        self.staged.alerts.push(StagedAlert {
            name: alert.name,
            severity: match alert.severity {
                wit::Severity::Info => Severity::Info,
                wit::Severity::Warning => Severity::Warning,
                wit::Severity::Critical => Severity::Critical,
            },
            state: match alert.state {
                wit::AlertState::Firing => AlertState::Firing,
                wit::AlertState::Resolved => AlertState::Resolved,
            },
            summary: alert.summary,
            labels: alert.labels,
            event: alert.event,
        });
        Ok(())
    }

    fn write(&mut self, lines: Vec<u8>) -> Result<()> {
        self.deadline.check()?;
        self.charge(lines.len())?;
        if lines.last().is_some_and(|last| *last != b'\n') {
            return Err(BadAnswer::IncompleteLine.into());
        }
        if let Err(error) = std::str::from_utf8(&lines) {
            return Err(BadAnswer::NotUtf8(error.valid_up_to()).into());
        }
        if self.staged.lines.is_empty() {
            self.staged.lines = lines;
        } else {
            self.staged.lines.extend_from_slice(&lines);
        }
        Ok(())
    }

    fn count(&mut self, metric: String, by: u64) -> Result<()> {
        self.stage_metric("count", &metric, 0)?;
        self.staged.metrics.push((metric, Metric::Count(by)));
        Ok(())
    }

    fn gauge(&mut self, metric: String, value: f64) -> Result<()> {
        self.stage_metric("gauge", &metric, size_of::<f64>())?;
        check_finite("gauge", &[value])?;
        self.staged.metrics.push((metric, Metric::Gauge(value)));
        Ok(())
    }

    fn observe(&mut self, metric: String, values: Vec<f64>) -> Result<()> {
        self.stage_metric("observe", &metric, size_of_val(values.as_slice()))?;
        check_finite("observe", &values)?;
        self.staged.metrics.push((metric, Metric::Observed(values)));
        Ok(())
    }

    fn log(&mut self, level: wit::Level, message: String) -> Result<()> {
        self.deadline.check()?;
        let level = match level {
            wit::Level::Error => tracing::Level::ERROR,
            wit::Level::Warn => tracing::Level::WARN,
            wit::Level::Info => tracing::Level::INFO,
            wit::Level::Debug => tracing::Level::DEBUG,
            wit::Level::Trace => tracing::Level::TRACE,
        };
        self.logs.log(level, &message);
        Ok(())
    }
}

impl HostState {
    /// Checks a call of `function` about a metric, which passes this number of bytes beside the name.
    fn stage_metric(&mut self, function: &'static str, name: &str, bytes: usize) -> Result<()> {
        self.deadline.check()?;
        self.charge(name.len().saturating_add(bytes))?;
        if name.is_empty() {
            return Err(BadAnswer::Metric(function, "the name is empty").into());
        }
        let is_odd = name.contains(char::is_whitespace) || clean(name) != name;
        if name.len() > MAX_METRIC || is_odd {
            let error = "a name has at most 64 bytes, and no spaces";
            return Err(BadAnswer::Metric(function, error).into());
        }
        if self.staged.metrics.len() >= self.limits.counts {
            return Err(BadAnswer::Counts(function, self.limits.counts).into());
        }
        Ok(())
    }
}

fn check_finite(function: &'static str, values: &[f64]) -> Result<(), BadAnswer> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(BadAnswer::Metric(function, "a value is no finite number")),
    }
}

/// Checks the answer to `process`: one bit for each event, and no bit set beyond the last.
pub(crate) fn check_keep(keep: &Keep, count: u32) -> Result<(), BadAnswer> {
    let Keep::Bits(bits) = keep else {
        return Ok(());
    };
    let expected = count.div_ceil(8) as usize;
    if bits.len() != expected {
        return Err(BadAnswer::KeepSize {
            bytes: bits.len(),
            count,
            expected,
        });
    }
    let beyond = match count % 8 {
        0 => 0,
        used => 0xff << used,
    };
    match bits.last() {
        Some(last) if last & beyond != 0 => Err(BadAnswer::KeepBeyond(count)),
        _ => Ok(()),
    }
}

/// Returns whether the plugin keeps the event with this number.
pub(crate) fn keeps(keep: &Keep, event: usize) -> bool {
    match keep {
        Keep::All => true,
        Keep::None => false,
        Keep::Bits(bits) => bits
            .get(event / 8)
            .is_some_and(|byte| byte >> (event % 8) & 1 == 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_bits_fit_the_number_of_events() {
        let check = |bits: &[u8], count| check_keep(&Keep::Bits(bits.to_vec()), count);
        assert_eq!(check(&[0xff], 8), Ok(()));
        assert_eq!(check(&[0xff, 0x01], 9), Ok(()));
        assert_eq!(check(&[0xff, 0x02], 9), Err(BadAnswer::KeepBeyond(9)));
        assert!(matches!(
            check(&[0xff], 9),
            Err(BadAnswer::KeepSize { expected: 2, .. })
        ));
        assert!(matches!(
            check(&[0xff, 0], 8),
            Err(BadAnswer::KeepSize { expected: 1, .. })
        ));
        assert_eq!(check(&[], 0), Ok(()));
    }
}
