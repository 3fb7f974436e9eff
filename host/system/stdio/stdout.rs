//! Standard output: a buffer of whole lines that is written when the caller flushes it.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write;
use std::os::fd::AsFd as _;

use rustix::termios::tcgetwinsize;

use super::stderr;
use super::stderr::colours_are_wanted;
use super::terminal_text::Colours;
use super::terminal_text::coloured_lines;
use super::terminal_text::sanitize_text;
use super::waiting_writer::WaitingWriter;
use crate::system::sanitize::clean_lines;

/// Size in bytes at which the buffer is written without a flush.
const BUFFER_SIZE: usize = 64 * 1024;

/// Characters in a line of a terminal that does not tell.
const USUAL_COLUMNS: u16 = 80;

/// A terminal that is standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether colours are wanted.
    pub has_colours: bool,
    /// Characters in a line.
    pub columns: u16,
}

/// Standard output of this process, if it is a terminal.
pub fn terminal() -> Option<Terminal> {
    let stdout = io::stdout();
    let columns = || tcgetwinsize(&stdout).map(|size| size.ws_col);
    stdout.is_terminal().then(|| Terminal {
        has_colours: colours_are_wanted(),
        columns: match columns() {
            Ok(columns @ 1..) => columns,
            _ => USUAL_COLUMNS,
        },
    })
}

/// Standard output, block-buffered even on a terminal: `std::io::stdout` would write every line with a system call of
/// its own. [`Write::flush`] writes the buffer.
#[derive(Debug)]
pub struct Stdout {
    writer: WaitingWriter,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are written.
    written: usize,
    /// Bytes of the buffer that have no control characters but colours. Used on a terminal only.
    clean: usize,
    /// On a terminal, control characters are replaced. A pipe or a file gets the bytes unchanged.
    is_terminal: bool,
    /// What becomes of the colours of plugins on a terminal.
    colours: Colours,
}

impl Stdout {
    /// Standard output of this process.
    pub fn new() -> io::Result<Stdout> {
        let stdout = io::stdout();
        Ok(Stdout {
            writer: WaitingWriter::new(stdout.as_fd())?,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            written: 0,
            clean: 0,
            is_terminal: stdout.is_terminal(),
            colours: match colours_are_wanted() {
                true => Colours::Keep,
                false => Colours::Remove,
            },
        })
    }

    /// Discards the bytes that are not written yet. Returns the number of their lines, including one that was written
    /// in part.
    pub fn discard(&mut self) -> u64 {
        let lines = count_lines(&self.buffer[self.written..]);
        self.buffer.clear();
        (self.written, self.clean) = (0, 0);
        lines
    }

    /// Writes whole lines as [`Write::write_all`] does. On a terminal, colours are kept in them if they are wanted.
    pub fn write_coloured(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.is_terminal {
            return self.write_all(lines);
        }
        self.clean();
        let lines = String::from_utf8_lossy(lines);
        let lines = coloured_lines(&lines, self.colours);
        self.buffer.extend_from_slice(lines.as_bytes());
        self.clean = self.buffer.len();
        Ok(())
    }

    /// Replaces control characters in what was written since the last time.
    fn clean(&mut self) {
        if self.clean < self.buffer.len() {
            let text = clean_lines(&String::from_utf8_lossy(&self.buffer[self.clean..]));
            self.buffer.truncate(self.clean);
            self.buffer.extend_from_slice(text.as_bytes());
            self.clean = self.buffer.len();
        }
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
        (self.written, self.clean) = (0, 0);
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
        if self.is_terminal {
            self.clean();
        }
        self.write_out()
    }
}
