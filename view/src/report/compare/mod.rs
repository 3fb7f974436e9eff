//! What has changed between two streams, and how certain that is.

mod bootstrap;
mod page;
mod rows;
mod series;

#[cfg(test)]
mod tests;

pub use self::page::in_short;
pub use self::page::render;
pub use self::series::Series;
