//! The comment of a packet: why it was sent again, and the state of its connection.

use std::fmt::Write as _;

use retrans_event::FieldPath;
use retrans_event::FieldValue;

use super::Exported;
use super::labels;
use crate::config::ExportField;
use crate::system::sanitize::clean;

/// The fields of a comment unless others are asked for.
const FIELDS: &[&str] = &[
    "retransmit.kind",
    "retransmit.segments",
    "retransmit.length",
    "retransmit.timer",
    "retransmit.retransmits",
    "retransmit.backoff",
    "state",
    "tcp.ca_state",
    "tcp.srtt_us",
    "tcp.rto_us",
    "tcp.cwnd",
    "tcp.ssthresh",
    "tcp.packets_out",
    "tcp.lost_out",
    "tcp.sacked_out",
    "owner",
    "netns.inode",
    "socket.cookie",
    "sequence",
];

/// Writes comments.
pub struct Comments {
    /// The fields, each with what is written before its value.
    fields: Vec<(ExportField, String)>,
}

impl Comments {
    /// Comments with these fields; `None`: those that tell the cause, the state of the connection and the owner.
    pub fn new(fields: Option<&[ExportField]>) -> Comments {
        let usual = || {
            let paths = FIELDS.iter().flat_map(|text| FieldPath::find(text));
            let fields = paths.map(ExportField::Path);
            fields.chain([ExportField::Labels]).collect()
        };
        let fields = fields.map_or_else(usual, <[ExportField]>::to_vec);
        let fields = fields.into_iter().map(|field| (field, format!("{field}=")));
        Comments {
            fields: fields.collect(),
        }
    }

    /// Writes a comment in one line: words for what a packet cannot show, then `PATH=VALUE` for each known field, with
    /// the paths of the JSON form. Texts are JSON strings. `lost` events were lost before this one.
    pub fn write(&self, exported: &Exported<'_>, lost: u64, to: &mut String) {
        // Memory takes it, here and below.
        let _ = match lost {
            0 => Ok(()),
            1 => write!(to, "1 event was lost before this one"),
            lost => write!(to, "{lost} events were lost before this one"),
        };
        if !exported.event.sent() {
            let separator = if to.is_empty() { "" } else { "; " };
            let _ = match exported.event.error() {
                Some(error) => write!(to, "{separator}not sent: {error}"),
                None => write!(to, "{separator}not sent"),
            };
        }
        let mut separator = if to.is_empty() { "" } else { "; " };
        for (field, before) in &self.fields {
            let begin = to.len();
            to.push_str(separator);
            to.push_str(before);
            match write_value(exported, *field, to) {
                true => separator = " ",
                false => to.truncate(begin),
            }
        }
    }
}

/// Writes the value of a field. Returns false if it is unknown.
fn write_value(exported: &Exported<'_>, field: ExportField, to: &mut String) -> bool {
    let path = match field {
        ExportField::Path(path) => path,
        ExportField::Labels if exported.labels.is_empty() => return false,
        ExportField::Labels => {
            to.push_str(&labels::json(exported.labels, |text| clean(text).into()));
            return true;
        }
    };
    let _ = match path.value(exported.event) {
        None => return false,
        Some(FieldValue::Text(text)) => {
            write!(to, "{}", serde_json::Value::from(clean(text.as_str())))
        }
        Some(value) => write!(to, "{value}"),
    };
    true
}
