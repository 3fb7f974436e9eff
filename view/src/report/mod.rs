//! A report on a stream of retransmits, as one page without scripts.

pub mod alert;
mod by_peer;
pub mod collect;
pub mod compare;
mod coverage;
mod evidence;
mod page;
mod plot;
mod points;
pub mod readings;
mod rtt;
mod text;
mod theme;
mod together;
mod track;
mod tracks;
mod trend;

pub use self::page::ReportError;
pub use self::page::in_short;
pub use self::page::render;

#[cfg(test)]
mod tests;
