//! The head of a capture: which program recorded it, on which machine, and the layout of its records.

use retrans_event::FIELDS;
use retrans_event::RECORD_SIZE;
use serde::Deserialize;
use serde::Serialize;

/// The content of the first frame of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Name and version of the program that wrote the capture, as in "retrans-host 0.1.0".
    pub writer: String,
    /// The machine that was observed; `None` for generated events, and if it is unknown.
    pub host: Option<Host>,
    /// Time of day when the file was begun, as RFC 3339.
    pub begun: String,
    /// Size of a record in bytes.
    pub record_size: u32,
    /// The fields of a record.
    pub layout: Vec<Field>,
    /// Whether the capture may have a census. The version of the format tells it, before the head.
    #[serde(skip)]
    pub has_census: bool,
}

/// The machine that was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Time of day of the boot, as RFC 3339.
    pub booted: String,
    /// Identifier of the boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// How the probe was attached: the name of an [`Attach`](crate::config::attach::Attach).
    pub attached: String,
}

/// A field of the record, as `layout()` gives it to plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Offset from the start of the record, in bytes.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
    /// Name of the type, as in `u32`.
    pub kind: String,
    /// Position of the presence bit, in bits from the start of the record; `None` if the field is always present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_bit: Option<u32>,
}

impl Head {
    /// A head with the layout of this version. `begun` is the time of day, as RFC 3339.
    pub fn new(host: Option<Host>, begun: String) -> Head {
        Head {
            writer: concat!("retrans-host ", env!("CARGO_PKG_VERSION")).to_owned(),
            host,
            begun,
            record_size: RECORD_SIZE as u32,
            layout: layout(),
            has_census: false,
        }
    }
}

/// The layout of the records of this version.
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
