//! Standard output: whole lines, written through when the caller says so.

use std::io;
use std::io::IsTerminal as _;
use std::io::Write;
use std::os::fd::AsFd as _;

use super::patient::Patient;
use super::shown::Colours;
use super::shown::for_people;
use super::stderr;
use super::stderr::colours_are_wanted;
use crate::system::sanitize::clean_lines;

/// Bytes that are collected before they are written by themselves.
const BUFFER: usize = 64 * 1024;

/// Standard output, block-buffered even on a terminal: `std::io::stdout` would write every line by
/// itself. [`Write::flush`] writes it through.
#[derive(Debug)]
pub struct Stdout {
    to: Patient,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are written.
    written: usize,
    /// A terminal is shown lines in which nothing can steer it; a pipe or a file gets bytes.
    is_terminal: bool,
}

impl Stdout {
    /// That of this process.
    pub fn new() -> io::Result<Stdout> {
        let stdout = io::stdout();
        Ok(Stdout {
            to: Patient::new(stdout.as_fd())?,
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
            is_terminal: stdout.is_terminal(),
        })
    }

    /// Gives up what is not written yet: how many lines that are, one that was written in part among
    /// them.
    pub fn discard(&mut self) -> u64 {
        let lines = count_lines(&self.buffer[self.written..]);
        self.buffer.clear();
        self.written = 0;
        lines
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.written < self.buffer.len() {
            match self.to.write(&self.buffer[self.written..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.written += written,
            }
        }
        self.buffer.clear();
        // A plugin may have written megabytes at once.
        self.buffer.shrink_to(BUFFER);
        self.written = 0;
        Ok(())
    }
}

/// Prints a text of this program, with its colours where they are wanted. An error is told.
pub fn print_help(text: &str) -> io::Result<()> {
    let stdout = io::stdout();
    let colours = match stdout.is_terminal() && colours_are_wanted() {
        true => Colours::Keep,
        false => Colours::Remove,
    };
    let text = for_people(text, colours);
    match Patient::new(stdout.as_fd()).and_then(|mut to| to.write_all(text.as_bytes())) {
        // A reader that goes away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            stderr::print(&format!(
                "retrans-host: error: cannot write to standard output: {error}\n"
            ));
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Lines that end in these bytes.
pub fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER && !self.is_terminal {
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
