//! The three standard streams. Another process may share each of them, have made it non-blocking, or
//! have stopped reading it: what is written here waits for it, and can be called off.

mod outlet;
mod patient;
mod shown;
mod stderr;
mod stdout;

pub use outlet::Outlet;
pub use patient::call_off;
pub use patient::is_called_off;
pub use stderr::CLEAR_LINE;
pub use stderr::draw;
pub use stderr::has_colours;
pub use stderr::is_terminal;
pub use stderr::print;
pub use stderr::print_status;
pub use stderr::stderr;
pub use stdout::Stdout;
pub use stdout::count_lines;
pub use stdout::print_help;
