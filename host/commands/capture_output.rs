//! Standard output as the destination of a capture.

use std::io;
use std::io::IsTerminal as _;

use crate::system::stdio::Stdout;

/// Returns standard output for a capture, or an error if it is a terminal.
pub fn capture_output() -> io::Result<Stdout> {
    if io::stdout().is_terminal() {
        return Err(io::Error::other(
            "it is a terminal, which cannot show a capture; direct it into a file or a pipe",
        ));
    }
    Stdout::new()
}
