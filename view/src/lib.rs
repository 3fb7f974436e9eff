//! What a stream of retransmits says, and how it is shown.
//!
//! ```text
//!  events, census, losses ──▶ groups     sums by key: peer, process, container, …
//!                         ──▶ containers names of containers, by id
//!                         ──▶ timeline   sums over time
//!                         ──▶ ratios     what was sent beside what was sent again
//! ```
//!
//! Everything here has bounded memory, however long the stream is. Nothing here reads files or prints.

pub mod containers;
pub mod groups;
pub mod key;
pub mod palette;
pub mod ratios;
#[cfg(feature = "report")]
pub mod report;
pub mod sums;
pub mod timeline;
#[cfg(feature = "top")]
pub mod top;
