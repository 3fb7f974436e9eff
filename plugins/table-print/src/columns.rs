//! The columns: their names, headings and widths.

use std::borrow::Cow;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::FieldPath;
use retrans_plugin_sdk::retrans_event::Format;

use crate::cells::Content;

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) content: Content,
    pub(crate) heading: Cow<'static, str>,
    pub(crate) widths: Widths,
    /// Whether its cells are at its right edge, as numbers are.
    pub(crate) is_right: bool,
}

impl Column {
    /// Whether it shows the cause.
    pub(crate) fn is_kind(&self) -> bool {
        match self.content {
            Content::Kind => true,
            Content::Field(path) => path.format() == Format::Kind,
            _ => false,
        }
    }
}

/// Widths of a column in characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    /// A line has no room for the column if it has not even these.
    pub(crate) least: usize,
    /// Most cells are no longer.
    pub(crate) usual: usize,
    /// No cell is longer, if that is known, or needs more to be read.
    pub(crate) most: usize,
}

impl Widths {
    const fn new(least: usize, usual: usize) -> Widths {
        Widths {
            least,
            usual,
            most: usual,
        }
    }

    const fn up_to(self, most: usize) -> Widths {
        Widths { most, ..self }
    }
}

/// An address with a port: 21 characters take any of IPv4, 47 any of IPv6.
const END: Widths = Widths::new(14, 21).up_to(47);

/// A duration, such as 99.9ms.
const DURATION: Widths = Widths::new(6, 6);

/// A column with a name of its own.
struct Named {
    name: &'static str,
    heading: &'static str,
    content: Content,
    widths: Widths,
    is_right: bool,
}

const fn left(
    name: &'static str,
    heading: &'static str,
    content: Content,
    widths: Widths,
) -> Named {
    Named {
        name,
        heading,
        content,
        widths,
        is_right: false,
    }
}

const fn right(
    name: &'static str,
    heading: &'static str,
    content: Content,
    widths: Widths,
) -> Named {
    Named {
        is_right: true,
        ..left(name, heading, content, widths)
    }
}

/// The columns with names of their own, in their order. The first [`USUAL`] are printed unless others are named.
const NAMED: &[Named] = &[
    left("time", "TIME", Content::Time, Widths::new(12, 12)),
    right("pid", "PID", Content::Pid, Widths::new(7, 7)),
    left("comm", "COMM", Content::Comm, Widths::new(8, 15)),
    left("local", "LADDR:LPORT", Content::Local, END),
    left("peer", "PEER:PPORT", Content::Peer, END),
    // The most frequent causes are the longest words.
    left("kind", "KIND", Content::Kind, Widths::new(15, 15)),
    left("state", "STATE", Content::State, Widths::new(11, 12)),
    right(
        "srtt",
        "SRTT",
        Content::Duration(|event| event.srtt()),
        DURATION,
    ),
    right(
        "rto",
        "RTO",
        Content::Duration(|event| event.rto()),
        DURATION,
    ),
    right(
        "cwnd",
        "CWND",
        Content::Number(|event| event.cwnd()),
        Widths::new(4, 5),
    ),
    right(
        "segs",
        "SEGS",
        Content::Number(|event| event.segments()),
        Widths::new(4, 4),
    ),
    right(
        "length",
        "LENGTH",
        Content::Number(|event| event.length()),
        Widths::new(6, 6),
    ),
    right(
        "mss",
        "MSS",
        Content::Number(|event| event.mss()),
        Widths::new(5, 5),
    ),
    right(
        "netns",
        "NETNS",
        Content::Number(|event| event.netns_inode()),
        Widths::new(10, 10),
    ),
    left(
        "container",
        "CONTAINER",
        Content::Container,
        // An id, or names of up to 63 characters.
        Widths::new(9, 12).up_to(40),
    ),
    left(
        "labels",
        "LABELS",
        Content::Labels,
        Widths::new(8, 20).up_to(120),
    ),
];

/// The number of [`NAMED`] columns that are printed unless others are named.
const USUAL: usize = 10;

impl Named {
    fn column(&self) -> Column {
        Column {
            content: self.content,
            heading: self.heading.into(),
            widths: self.widths,
            is_right: self.is_right,
        }
    }

    /// Is this its name, or its heading in letters of any case?
    fn is(&self, name: &str) -> bool {
        self.name == name || self.heading.eq_ignore_ascii_case(name)
    }
}

/// The columns that are printed unless others are named. `wide`: all that have names of their own.
pub(crate) fn usual(wide: bool) -> Vec<Column> {
    let count = if wide { NAMED.len() } else { USUAL };
    NAMED[..count].iter().map(Named::column).collect()
}

/// The columns with these names.
///
/// # Errors
///
/// Where a name is that of no column.
pub(crate) fn named<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    for name in names {
        let before = columns.len();
        match NAMED.iter().find(|named| named.is(name)) {
            Some(named) => columns.push(named.column()),
            None => columns.extend(FieldPath::find(name).map(of_field)),
        }
        ensure!(columns.len() > before, unknown(name));
    }
    Ok(columns)
}

/// The column of a field, by its path.
fn of_field(path: FieldPath) -> Column {
    let heading = path.to_string().to_ascii_uppercase();
    let (widths, is_right) = match path.format() {
        Format::SendError if path.is_number() => (Widths::new(6, 6), true),
        Format::TcpFlags if path.is_number() => (Widths::new(5, 5), true),
        _ if path.is_number() => (Widths::new(3, 3), true),
        Format::U8 => (Widths::new(3, 3), true),
        Format::U16 => (Widths::new(5, 5), true),
        Format::U32 | Format::Micros => (Widths::new(10, 10), true),
        Format::U64 | Format::BootTime => (Widths::new(20, 20), true),
        Format::WallTime => (Widths::new(30, 30), false),
        Format::Address => (Widths::new(10, 15).up_to(39), false),
        Format::Text => (Widths::new(8, 15).up_to(16), false),
        Format::Bool => (Widths::new(5, 5), false),
        Format::Kind => (Widths::new(15, 15), false),
        Format::Tracepoint => (Widths::new(10, 21), false),
        Format::TcpState | Format::OwnerStatus => (Widths::new(11, 12), false),
        Format::CaState => (Widths::new(8, 8), false),
        Format::Timer => (Widths::new(10, 16), false),
        Format::TcpFlags => (Widths::new(7, 11), false),
        // SendError, and formats that a later version may add.
        _ => (Widths::new(8, 13), false),
    };
    // A heading is shortened before a column is left out.
    let usual = widths.usual.max(heading.len());
    Column {
        content: Content::Field(path),
        widths: Widths {
            usual,
            most: widths.most.max(usual),
            ..widths
        },
        heading: heading.into(),
        is_right,
    }
}

/// What is said of a name that is that of no column: the nearest ones, and where all are.
fn unknown(name: &str) -> String {
    const SIMILAR: f64 = 0.8;
    let paths = FieldPath::all().map(|path| path.to_string());
    let known = NAMED.iter().map(|named| named.name.to_owned()).chain(paths);
    let mut near: Vec<(f64, String)> = known
        .map(|known| {
            // Of tcp.rttvar_us as well for rttvar.
            let last = known.rsplit('.').next().unwrap_or(&known);
            let similarity = strsim::jaro_winkler(&known, name);
            (similarity.max(strsim::jaro_winkler(last, name)), known)
        })
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .collect();
    // Of two that are as near, the earlier one stays in front.
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let near: Vec<String> = near.into_iter().take(3).map(|(_, known)| known).collect();
    let near = match near.as_slice() {
        [] => String::new(),
        [only] => format!("; the nearest is {only}"),
        several => format!("; the nearest are {}", several.join(", ")),
    };
    let names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
    format!(
        "columns: {name:?} is no column{near}; there are {}, and the keys of a line of JSON, such as tcp.mss, which \
         docs/events.md lists",
        names.join(", "),
    )
}

#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMED.iter().map(|named| (named.name, named.heading))
}
