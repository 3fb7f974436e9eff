//! Standard output: a buffer of whole lines that is written when the caller flushes it.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write;
use std::os::fd::AsFd as _;

use super::stderr;
use super::stderr::colours_are_wanted;
use super::terminal_text::Colours;
use super::terminal_text::sanitize_text;
use super::waiting_writer::WaitingWriter;
use crate::system::sanitize::clean_lines;

/// Size in bytes at which the buffer is written without a flush.
const BUFFER_SIZE: usize = 64 * 1024;

/// Standard output, block-buffered even on a terminal: `std::io::stdout` would write every line with a system call of
/// its own. [`Write::flush`] writes the buffer.
#[derive(Debug)]
pub struct Stdout {
    writer: WaitingWriter,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are written.
    written: usize,
    /// On a terminal, control characters are replaced. A pipe or a file gets the bytes unchanged.
    is_terminal: bool,
}

impl Stdout {
    /// Standard output of this process.
    pub fn new() -> io::Result<Stdout> {
        let stdout = io::stdout();
        Ok(Stdout {
            writer: WaitingWriter::new(stdout.as_fd())?,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            written: 0,
            is_terminal: stdout.is_terminal(),
        })
    }

    /// Discards the bytes that are not written yet. Returns the number of their lines, including one that was written
    /// in part.
    pub fn discard(&mut self) -> u64 {
        let lines = count_lines(&self.buffer[self.written..]);
        self.buffer.clear();
        self.written = 0;
        lines
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.written < self.buffer.len() {
            match self.writer.write(&self.buffer[self.written..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.written += written,
            }
        }
        self.buffer.clear();
        // One call of a plugin may have written megabytes.
        self.buffer.shrink_to(BUFFER_SIZE);
        self.written = 0;
        Ok(())
    }
}

/// Prints a text of this program to standard output, with colours if they are wanted. An error is printed to standard
/// error, and returned.
pub fn print_help(text: &str) -> io::Result<()> {
    let stdout = io::stdout();
    let colours = match stdout.is_terminal() && colours_are_wanted() {
        true => Colours::Keep,
        false => Colours::Remove,
    };
    let text = sanitize_text(text, colours);
    match WaitingWriter::new(stdout.as_fd()).and_then(|mut to| to.write_all(text.as_bytes())) {
        // A reader that closes the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            stderr::print(&format!(
                "retrans-host: error: cannot write to standard output: {error}\n"
            ));
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Number of line ends in these bytes.
pub fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_SIZE && !self.is_terminal {
            self.write_out()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_terminal && self.written == 0 {
            self.buffer = clean_lines(&String::from_utf8_lossy(&self.buffer)).into_bytes();
        }
        self.write_out()
    }
}
