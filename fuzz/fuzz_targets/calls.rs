//! Generates a plugin's calls to the host from arbitrary bytes. Most arguments are valid, some are not.

use arbitrary::Arbitrary;
use arbitrary::Unstructured;
use retrans_event::RECORD_SIZE;
use retrans_host::plugin::fuzzing::HostResult;
use retrans_host::plugin::fuzzing::Keep as Answer;
use retrans_host::plugin::fuzzing::host;
use retrans_host::stream::labels::Column;

/// A batch, and the calls of a plugin that processes it.
#[derive(Debug, Arbitrary)]
pub struct Case {
    /// Seed of the generated events.
    pub seed: u8,
    /// Number of events, less one.
    pub events: u8,
    /// Where the batch is split afterwards.
    pub split_at: u8,
    labels: Vec<(Key, Steps, Texts)>,
    calls: Vec<CallTemplate>,
    keep: Keep,
}

/// A call whose arguments depend on the number of events.
#[derive(Debug, Arbitrary)]
enum CallTemplate {
    Change(Numbers, Records),
    Annotate(Key, Numbers, Values),
    Emit(Box<Alert>),
    Write(Lines),
    Count(Metric, u64),
    Log(u8, String),
}

/// A call to the host.
#[derive(Debug, Clone)]
pub enum HostCall {
    Change(Vec<u32>, Vec<u8>),
    Annotate(host::LabelColumn),
    Emit(host::Alert),
    Write(Vec<u8>),
    Count(String, u64),
    Log(u8, String),
}

#[derive(Debug, Arbitrary)]
enum Keep {
    All,
    None,
    /// Repeated up to the number of events: a valid answer.
    Bits(Vec<u8>),
    Any(Vec<u8>),
}

/// A key of a label. Few distinct keys make repeats likely.
#[derive(Debug, Arbitrary)]
enum Key {
    Few(bool),
    Any(String),
}

/// Ascending indices of events, as the distances between them less one.
#[derive(Debug, Arbitrary)]
struct Steps(Vec<u8>);

/// Values, which are assigned to the events cyclically.
#[derive(Debug, Arbitrary)]
struct Texts(Vec<String>);

#[derive(Debug, Arbitrary)]
enum Numbers {
    Ascending(Steps),
    Any(Vec<u32>),
}

#[derive(Debug, Arbitrary)]
enum Records {
    /// The right number of bytes, all with this value.
    Filled(u8),
    /// The right number of bytes: these, repeated.
    Repeated(Vec<u8>),
    Any(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
enum Values {
    Fitting(Texts),
    Any(Vec<u32>, String),
}

#[derive(Debug)]
struct Alert(host::Alert);

#[derive(Debug, Arbitrary)]
enum Lines {
    Whole(String),
    Any(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
enum Metric {
    Few(bool),
    Any(String),
}

impl Case {
    /// Labels that the batch has before the call.
    pub fn labels(&self, events: usize) -> impl Iterator<Item = Column> {
        self.labels.iter().map(move |(key, steps, texts)| {
            let numbers = steps.numbers(events);
            let values = numbers.iter().enumerate();
            let values = values.map(|(index, number)| (*number, texts.text(index)));
            Column::new(&format!("earlier {}", key.text()), values)
        })
    }

    /// The calls for a batch of this number of events.
    pub fn calls(&self, events: usize) -> impl Iterator<Item = HostCall> {
        self.calls.iter().map(move |call| call.instantiate(events))
    }

    /// The answer for a batch of this number of events.
    pub fn keep(&self, events: usize) -> Answer {
        match &self.keep {
            Keep::All => Answer::All,
            Keep::None => Answer::None,
            Keep::Any(bits) => Answer::Bits(bits.clone()),
            Keep::Bits(pattern) => {
                let pattern = pattern.iter().copied().cycle();
                let mut bits: Vec<u8> = pattern.take(events.div_ceil(8)).collect();
                bits.resize(events.div_ceil(8), 0);
                if let (Some(last), used @ 1..) = (bits.last_mut(), events % 8) {
                    *last &= !(0xff << used);
                }
                Answer::Bits(bits)
            }
        }
    }
}

impl CallTemplate {
    fn instantiate(&self, events: usize) -> HostCall {
        match self {
            CallTemplate::Change(numbers, records) => {
                let numbers = numbers.numbers(events);
                let size = numbers.len() * RECORD_SIZE;
                let records = match records {
                    Records::Filled(byte) => vec![*byte; size],
                    Records::Repeated(bytes) if bytes.is_empty() => vec![0; size],
                    Records::Repeated(bytes) => bytes.iter().copied().cycle().take(size).collect(),
                    Records::Any(bytes) => bytes.clone(),
                };
                HostCall::Change(numbers, records)
            }
            CallTemplate::Annotate(key, numbers, values) => {
                let events = numbers.numbers(events);
                let (mut ends, mut text) = (Vec::new(), String::new());
                match values {
                    Values::Fitting(texts) => {
                        for index in 0..events.len() {
                            text.push_str(texts.text(index));
                            ends.push(text.len() as u32);
                        }
                    }
                    Values::Any(any_ends, any_text) => {
                        (ends, text) = (any_ends.clone(), any_text.clone());
                    }
                }
                HostCall::Annotate(host::LabelColumn {
                    key: key.text(),
                    events,
                    ends,
                    text,
                })
            }
            CallTemplate::Emit(alert) => HostCall::Emit(alert.0.clone()),
            CallTemplate::Write(Lines::Whole(text)) => HostCall::Write(format!("{text}\n").into()),
            CallTemplate::Write(Lines::Any(bytes)) => HostCall::Write(bytes.clone()),
            CallTemplate::Count(Metric::Few(which), by) => {
                HostCall::Count(format!("metric_{which}"), *by)
            }
            CallTemplate::Count(Metric::Any(metric), by) => HostCall::Count(metric.clone(), *by),
            CallTemplate::Log(level, message) => HostCall::Log(*level, message.clone()),
        }
    }
}

impl HostCall {
    /// Makes the call.
    pub fn perform(&self, to: &mut impl host::Host) -> HostResult<()> {
        match self.clone() {
            HostCall::Change(events, records) => to.change(events, records),
            HostCall::Annotate(column) => to.annotate(column),
            HostCall::Emit(alert) => to.emit(alert),
            HostCall::Write(lines) => to.write(lines),
            HostCall::Count(metric, by) => to.count(metric, by),
            HostCall::Log(level, message) => {
                let level = match level % 5 {
                    0 => host::Level::Error,
                    1 => host::Level::Warn,
                    2 => host::Level::Info,
                    3 => host::Level::Debug,
                    _ => host::Level::Trace,
                };
                to.log(level, message)
            }
        }
    }
}

impl Key {
    fn text(&self) -> String {
        match self {
            Key::Few(which) => format!("key {which}"),
            Key::Any(text) => text.clone(),
        }
    }
}

impl Steps {
    fn numbers(&self, events: usize) -> Vec<u32> {
        let mut next = 0;
        let numbers = self.0.iter().map(|step| {
            let number = next + u32::from(*step % 4);
            next = number + 1;
            number
        });
        numbers
            .take_while(|number| (*number as usize) < events)
            .collect()
    }
}

impl Texts {
    fn text(&self, index: usize) -> &str {
        match self.0.len() {
            0 => "",
            count => &self.0[index % count],
        }
    }
}

impl Numbers {
    fn numbers(&self, events: usize) -> Vec<u32> {
        match self {
            Numbers::Ascending(steps) => steps.numbers(events),
            Numbers::Any(numbers) => numbers.clone(),
        }
    }
}

impl<'a> Arbitrary<'a> for Alert {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Alert> {
        Ok(Alert(host::Alert {
            name: bytes.arbitrary()?,
            severity: match bytes.int_in_range(0..=2)? {
                0 => host::Severity::Info,
                1 => host::Severity::Warning,
                _ => host::Severity::Critical,
            },
            state: match bytes.arbitrary()? {
                true => host::AlertState::Firing,
                false => host::AlertState::Resolved,
            },
            summary: bytes.arbitrary()?,
            labels: bytes.arbitrary()?,
            // Most often the number of an existing event.
            event: match bytes.int_in_range(0..=7)? {
                0 => bytes.arbitrary()?,
                _ => Some(bytes.arbitrary::<u8>()?.into()),
            },
        }))
    }
}
