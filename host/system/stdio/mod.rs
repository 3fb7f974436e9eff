//! The three standard streams. Another process may share each of them, may have made it non-blocking, or may have
//! stopped reading from it. Writes here wait until the stream takes them, and can be cancelled.

mod journal;
mod screen;
mod stderr;
mod stdout;
mod stdout_status;
mod terminal_text;
mod waiting_writer;

pub use journal::Priority;
pub use screen::Screen;
pub use screen::is_screen_entered;
pub use screen::leave_screen;
pub use stderr::CLEAR_LINE;
pub use stderr::Log;
pub use stderr::draw;
pub use stderr::has_colours;
pub use stderr::is_journal;
pub use stderr::is_terminal;
pub use stderr::print;
pub use stderr::print_at;
pub use stderr::print_error;
pub use stderr::print_status;
pub use stderr::redirect;
pub use stdout::Stdout;
pub use stdout::Terminal;
pub use stdout::count_lines;
pub use stdout::print_help;
pub use stdout::terminal;
pub use stdout_status::StdoutStatus;
pub use waiting_writer::cancel_writes;
pub use waiting_writer::is_cancelled;
