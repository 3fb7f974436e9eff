//! The live view: what is known of a stream, on a terminal.
//!
//! ```text
//!  events, census, losses, alerts, lines ──▶ model ──▶ draw ──▶ cells of the terminal
//!                                              ▲         ▲
//!                                   filter ────┴─ view ──┘   sort, group, selection, open panes
//!                                                  ▲
//!                                                 keys
//! ```
//!
//! Nothing here reads from a terminal or writes to one: the program hands over bytes of keys, and a frame to draw into.

mod chart;
mod draw;
mod editor;
mod keys;
mod messages;
mod model;
mod order;
mod recent;
mod ring;
mod row;
mod tables;
mod text;
mod theme;
mod view;

pub use keys::Key;
pub use keys::Keyboard;
pub use messages::Alert;
pub use messages::Severity;
pub use model::Filter;
pub use model::Model;
pub use model::Recording;
pub use model::Source;
pub use theme::Colours;
pub use theme::Theme;
pub use view::ParseFilter;
pub use view::Request;
pub use view::View;
