//! Captures: files that contain a stream of events as it left the source, before any plugin processed it.
//!
//! A capture begins with the bytes of [`MAGIC`] and a version. [`frame`]s follow: a head (the recording host, and the
//! layout of the records), frames of items (events with their labels, losses, marks), and an end frame. Each
//! frame has a checksum and can be read without the frames after it. A file that was cut off is therefore
//! valid up to the cut. `docs/captures.md` specifies the format.

mod destination;
#[cfg(feature = "fleet")]
pub(crate) mod fragment;
mod frame;
mod head;
mod items;
mod layout;
mod output;
mod read;
mod recorder;
pub(crate) mod rotation;
mod translate;
mod write;

pub use destination::RecordError;
#[cfg(feature = "fleet")]
pub(crate) use frame::FrameWriter;
pub use head::Head;
pub use head::Host;
pub use layout::LayoutError;
pub use output::CaptureOutput;
pub use read::CaptureError;
pub use read::Reader;
pub use recorder::Recorder;
pub use write::Writer;

/// The first bytes of every capture: a byte that does not occur in UTF-8 text, and a name. The version of the format
/// follows.
pub const MAGIC: [u8; 7] = *b"\x89RETRAN";

/// The version of captures without a census, which all hosts read.
const FIRST_VERSION: u8 = 1;

/// The version of captures that may have a census.
const CENSUS_VERSION: u8 = 2;

/// Size of the magic bytes and the version.
const MAGIC_SIZE: usize = MAGIC.len() + 1;
