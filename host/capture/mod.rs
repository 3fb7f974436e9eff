//! Captures: a stream of events in a file, as it left the source and before any plugin saw it.
//!
//! A file is eight bytes of [`MAGIC`] and then [`frame`]s: a head (who recorded it, and the layout of
//! its records), frames of items (events with their labels, losses, marks), and an end. Each frame
//! has a checksum and can be read without those after it, so that a file that was cut off is good up
//! to the cut.

pub(crate) mod files;
mod frame;
mod head;
mod items;
mod place;
mod read;
mod recorder;
mod target;
mod translate;
mod write;

pub use head::Head;
pub use head::Host;
pub use place::RecordError;
pub use read::CaptureError;
pub use read::Reader;
pub use recorder::OutputFailure;
pub use recorder::Recorder;
pub use recorder::Summary;
pub use target::Target;
pub use translate::LayoutError;
pub use write::Writer;

/// What every capture begins with: a byte that no text has, a name, and the version of the format.
pub const MAGIC: [u8; 8] = *b"\x89RETRAN\x01";
