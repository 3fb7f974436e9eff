//! What a capture says of itself: who recorded it, where, and how its records are laid out.

use retrans_event::FIELDS;
use retrans_event::RECORD_SIZE;
use serde::Deserialize;
use serde::Serialize;

/// The first frame of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What wrote it, as in "retrans-host 0.1.0".
    pub writer: String,
    /// The machine that was observed; `None` for made-up events.
    pub host: Option<Host>,
    /// Time of day when this file was begun, RFC 3339.
    pub begun: String,
    /// Bytes of a record.
    pub record_size: u32,
    /// The fields of a record.
    pub layout: Vec<Field>,
}

/// The machine that was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name of the host.
    pub name: String,
    /// Release of its kernel.
    pub kernel: String,
    /// When it was booted, RFC 3339.
    pub booted: String,
    /// Random number of that boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// How the probe was attached.
    pub attached: String,
}

/// One field, as plugins see it in `layout()`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// How to read them.
    pub kind: String,
    /// Position of the presence bit, counted from the start of the record; `None`: it is always
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_bit: Option<u32>,
}

impl Head {
    /// For records of this version.
    pub fn new(host: Option<Host>, begun: String) -> Head {
        Head {
            writer: concat!("retrans-host ", env!("CARGO_PKG_VERSION")).to_owned(),
            host,
            begun,
            record_size: RECORD_SIZE as u32,
            layout: layout(),
        }
    }
}

/// The layout of this version.
pub fn layout() -> Vec<Field> {
    let fields = FIELDS.iter().map(|field| Field {
        name: field.name.to_owned(),
        offset: field.offset as u32,
        size: field.size as u32,
        kind: field.format.name().to_owned(),
        presence_bit: field.presence_bit,
    });
    fields.collect()
}
