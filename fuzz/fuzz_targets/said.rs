//! What a plugin may say in a call, made of arbitrary bytes: often what fits, sometimes what does
//! not.

use arbitrary::Arbitrary;
use arbitrary::Unstructured;
use retrans_event::RECORD_SIZE;
use retrans_host::stream::labels::Column;
use retrans_host::plugin::fuzzing::Heard;
use retrans_host::plugin::fuzzing::Keep as Answer;
use retrans_host::plugin::fuzzing::host;

/// A batch, and what is said about it.
#[derive(Debug, Arbitrary)]
pub struct Case {
    /// Of the made-up events.
    pub seed: u8,
    /// One less than there are.
    pub events: u8,
    /// Where the batch is taken apart afterwards.
    pub cut: u8,
    labels: Vec<(Key, Steps, Words)>,
    calls: Vec<Call>,
    keep: Keep,
}

#[derive(Debug, Arbitrary)]
enum Call {
    Change(Numbers, Records),
    Annotate(Key, Numbers, Values),
    Emit(Box<Alert>),
    Write(Lines),
    Count(Metric, u64),
    Log(u8, String),
}

/// One of the calls, as it reaches the host.
#[derive(Debug, Clone)]
pub enum Said {
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
    /// Repeated for as many events as there are.
    Bits(Vec<u8>),
    Any(Vec<u8>),
}

/// Keys that are the same now and then.
#[derive(Debug, Arbitrary)]
enum Key {
    Few(bool),
    Any(String),
}

/// Distances between events, less one.
#[derive(Debug, Arbitrary)]
struct Steps(Vec<u8>);

/// Values of the events in turn.
#[derive(Debug, Arbitrary)]
struct Words(Vec<String>);

#[derive(Debug, Arbitrary)]
enum Numbers {
    Ascending(Steps),
    Any(Vec<u32>),
}

#[derive(Debug, Arbitrary)]
enum Records {
    /// As many as are due, all of this byte.
    Filled(u8),
    /// As many as are due, of these bytes in turn.
    Repeated(Vec<u8>),
    Any(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
enum Values {
    Fitting(Words),
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
    /// Labels that the batch has already.
    pub fn labels(&self, events: usize) -> impl Iterator<Item = Column> {
        self.labels.iter().map(move |(key, steps, words)| {
            let numbers = steps.numbers(events);
            let values = numbers.iter().enumerate();
            let values = values.map(|(index, number)| (*number, words.word(index)));
            Column::new(&format!("earlier {}", key.text()), values)
        })
    }

    pub fn calls(&self, events: usize) -> impl Iterator<Item = Said> {
        self.calls.iter().map(move |call| call.said(events))
    }

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

impl Call {
    fn said(&self, events: usize) -> Said {
        match self {
            Call::Change(numbers, records) => {
                let numbers = numbers.numbers(events);
                let due = numbers.len() * RECORD_SIZE;
                let records = match records {
                    Records::Filled(byte) => vec![*byte; due],
                    Records::Repeated(bytes) if bytes.is_empty() => vec![0; due],
                    Records::Repeated(bytes) => bytes.iter().copied().cycle().take(due).collect(),
                    Records::Any(bytes) => bytes.clone(),
                };
                Said::Change(numbers, records)
            }
            Call::Annotate(key, numbers, values) => {
                let events = numbers.numbers(events);
                let (mut ends, mut text) = (Vec::new(), String::new());
                match values {
                    Values::Fitting(words) => {
                        for index in 0..events.len() {
                            text.push_str(words.word(index));
                            ends.push(text.len() as u32);
                        }
                    }
                    Values::Any(any, words) => (ends, text) = (any.clone(), words.clone()),
                }
                Said::Annotate(host::LabelColumn {
                    key: key.text(),
                    events,
                    ends,
                    text,
                })
            }
            Call::Emit(alert) => Said::Emit(alert.0.clone()),
            Call::Write(Lines::Whole(text)) => Said::Write(format!("{text}\n").into()),
            Call::Write(Lines::Any(bytes)) => Said::Write(bytes.clone()),
            Call::Count(Metric::Few(which), by) => Said::Count(format!("metric_{which}"), *by),
            Call::Count(Metric::Any(metric), by) => Said::Count(metric.clone(), *by),
            Call::Log(level, message) => Said::Log(*level, message.clone()),
        }
    }
}

impl Said {
    /// Says it to the host.
    pub fn say(&self, to: &mut impl host::Host) -> Heard<()> {
        match self.clone() {
            Said::Change(events, records) => to.change(events, records),
            Said::Annotate(column) => to.annotate(column),
            Said::Emit(alert) => to.emit(alert),
            Said::Write(lines) => to.write(lines),
            Said::Count(metric, by) => to.count(metric, by),
            Said::Log(level, message) => {
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

impl Words {
    fn word(&self, index: usize) -> &str {
        match self.0.len() {
            0 => "",
            words => &self.0[index % words],
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
            // Most often one that is there.
            event: match bytes.int_in_range(0..=7)? {
                0 => bytes.arbitrary()?,
                _ => Some(bytes.arbitrary::<u8>()?.into()),
            },
        }))
    }
}
