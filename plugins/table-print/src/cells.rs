//! The text of one cell: what an event has in a column.
//!
//! Names of processes, labels and containers may have any characters. Those that control a terminal are replaced.

use std::fmt::Write as _;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::FieldPath;
use retrans_plugin_sdk::retrans_event::FieldValue;

/// What the cells of a column have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// Time of day in UTC, to the millisecond.
    Time,
    /// The process, see [`Shown`].
    Pid,
    Comm,
    Container,
    /// Addresses with ports.
    Local,
    Peer,
    /// The cause, with a `!` behind it if the attempt failed.
    Kind,
    State,
    Duration(fn(&Event) -> Option<Duration>),
    Number(fn(&Event) -> Option<u32>),
    Labels,
    /// The value at a path, as the JSON form has it.
    Field(FieldPath),
}

/// The process that is shown for an event: the one that holds the socket; that of the listener, if the connection was not
/// accepted yet; or the last one that held it, in brackets.
#[derive(Debug)]
pub(crate) struct Shown {
    process: Option<Process>,
    /// Whether the process is one that has held the socket.
    is_last: bool,
    is_kernel: bool,
}

impl Shown {
    pub(crate) fn of(event: &Event) -> Shown {
        let owner = event.owner();
        let last = match owner {
            Owner::Orphaned { last } => last,
            _ => None,
        };
        Shown {
            process: last.or_else(|| owner.process().copied()),
            is_last: last.is_some(),
            is_kernel: owner == Owner::Kernel,
        }
    }

    /// Writes something of the process, if there is one.
    fn write(&self, to: &mut String, write: impl FnOnce(&Process, &mut String)) {
        let Some(process) = &self.process else { return };
        let (open, close) = if self.is_last { ("(", ")") } else { ("", "") };
        to.push_str(open);
        write(process, to);
        to.push_str(close);
    }
}

impl Content {
    /// Appends the text of the cell: nothing if the value is unknown.
    pub(crate) fn write(self, event: &Event, owner: &Shown, to: &mut String) {
        match self {
            Content::Time => time(event.wall_time(), to),
            Content::Pid => owner.write(to, |process, to| number(process.pid, to)),
            // A process has a number as well, so that none can pass itself off as the kernel.
            Content::Comm if owner.is_kernel => to.push_str("[kernel]"),
            Content::Comm => owner.write(to, |process, to| plain(process.comm.as_str(), to)),
            Content::Container => {
                let container = owner.process.and_then(|process| process.container);
                if let Some(id) = container {
                    owner.write(to, |_, to| container_name(event, id.as_str(), to));
                }
            }
            Content::Local => display(event.local(), to),
            Content::Peer => display(event.peer(), to),
            Content::Kind => {
                display(event.kind(), to);
                if !event.sent() {
                    to.push('!');
                }
            }
            Content::State => display(event.state(), to),
            Content::Duration(of) => of(event).into_iter().for_each(|time| duration(time, to)),
            Content::Number(of) => of(event).into_iter().for_each(|value| number(value, to)),
            Content::Labels => labels(event, to),
            Content::Field(path) => match path.value(event) {
                None => {}
                Some(FieldValue::Text(text)) => plain(text.as_str(), to),
                Some(value) => display(value, to),
            },
        }
    }
}

fn display(value: impl std::fmt::Display, to: &mut String) {
    // A String takes everything.
    let _ = write!(to, "{value}");
}

fn number(value: u32, to: &mut String) {
    display(value, to);
}

/// Appends the name of a container, as the host has labelled it: `NAME` in Docker and Podman, `POD/CONTAINER` in
/// Kubernetes. Without a name, appends its id.
fn container_name(event: &Event, id: &str, to: &mut String) {
    let name = event.label("container.name");
    let Some(name) = name.or_else(|| event.label("k8s.pod.name")) else {
        return plain(id, to);
    };
    plain(name, to);
    if let Some(container) = event.label("k8s.container.name") {
        to.push('/');
        plain(container, to);
    }
}

/// Appends `key=value` for each label, with commas.
fn labels(event: &Event, to: &mut String) {
    let mut separator = "";
    for (key, value) in event.labels() {
        to.push_str(separator);
        plain(key, to);
        to.push('=');
        plain(value, to);
        separator = ",";
    }
}

/// Appends a text of others. Characters that could control a terminal, begin a line or change the direction of text are
/// replaced, as the host does on a terminal.
fn plain(text: &str, to: &mut String) {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return to.push_str(text);
    }
    to.extend(text.chars().map(|char| match char {
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }));
}

/// Appends a time of day, such as `14:05:34.953`.
fn time(time: Duration, to: &mut String) {
    let second = time.as_secs() % (24 * 3_600);
    digits(second / 3_600, 2, to);
    to.push(':');
    digits(second / 60 % 60, 2, to);
    to.push(':');
    digits(second % 60, 2, to);
    to.push('.');
    digits(time.subsec_millis().into(), 3, to);
}

/// Appends the last digits of a number, zeros included.
fn digits(number: u64, count: u32, to: &mut String) {
    for place in (0..count).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        to.push(char::from(b'0' + digit as u8));
    }
}

/// Appends a duration in at most six characters, up to eleven days: `85µs`, `12.3ms`, `204ms`, `1.2s`, `120s`.
fn duration(time: Duration, to: &mut String) {
    const MILLI: u64 = 1_000;
    const SECOND: u64 = 1_000_000;
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2);
    // What would be rounded to 100.0 of a unit has no tenths, and what would be rounded to 1000 is 1.0 of the next one.
    match micros {
        0..1_000 => whole(micros, 1, "µs", to),
        1_000..99_950 => tenths(micros, MILLI, "ms", to),
        99_950..999_500 => whole(micros, MILLI, "ms", to),
        999_500..99_950_000 => tenths(micros, SECOND, "s", to),
        _ => whole(micros, SECOND, "s", to),
    }
}

fn whole(micros: u64, unit: u64, name: &str, to: &mut String) {
    display((micros + unit / 2) / unit, to);
    to.push_str(name);
}

fn tenths(micros: u64, unit: u64, name: &str, to: &mut String) {
    let tenths = (10 * micros + unit / 2) / unit;
    display(tenths / 10, to);
    to.push('.');
    display(tenths % 10, to);
    to.push_str(name);
}
