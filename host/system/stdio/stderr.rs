//! Standard error, for people: messages of whole lines, each written at once.

use std::env;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write;
use std::os::fd::AsFd as _;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::patient::Patient;
use super::patient::are_called_off;
use super::shown::Colours;
use super::shown::for_people;
use crate::system::sanitize::clean_lines;

/// `None` where standard error cannot be used: there is no place left to say so.
static STDERR: OnceLock<Option<Mutex<Patient>>> = OnceLock::new();

/// Is there something on the last line that was drawn?
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Goes to the start of the line, and clears it.
pub const CLEAR_LINE: &str = "\r\x1b[2K";

/// May there be colours on a terminal? This is the only place that decides: the libraries would each ask
/// other variables besides, such as CLICOLOR_FORCE and CI.
pub(super) fn colours_are_wanted() -> bool {
    let variable = |name| env::var_os(name).unwrap_or_default();
    variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

/// Are there colours on standard error?
pub fn has_colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| colours_are_wanted() && is_terminal())
}

/// A message, written when it is dropped.
pub fn stderr() -> Message {
    Message(Vec::new())
}

/// Prints a text with colours.
pub fn print(text: &str) {
    // Into memory: it cannot fail.
    let _ = stderr().write_all(text.as_bytes());
}

/// Prints a line about this run, or several. Names of files and arguments may be in it: it has no colours.
pub fn print_status(line: &str) {
    print(&format!("retrans-host: {}\n", clean_lines(line)));
}

/// What is to be said at once: no line of another thread comes in between.
#[derive(Debug)]
pub struct Message(Vec<u8>);

impl Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let colours = match has_colours() {
            true => Colours::Keep,
            false => Colours::Remove,
        };
        let text = String::from_utf8_lossy(&self.0);
        let text = for_people(&text, colours);
        // The message takes the line of a bar, which is drawn again below.
        let place = match IS_DRAWN.swap(false, Ordering::Relaxed) {
            true => CLEAR_LINE,
            false => "",
        };
        // Where standard error is closed, or writes are called off, there is no place left to say so.
        let _ = write(format!("{place}{text}").as_bytes());
    }
}

/// Draws on the terminal: sequences of this program that move the cursor, and no text of others.
pub fn draw(sequence: &str) -> io::Result<()> {
    IS_DRAWN.store(true, Ordering::Relaxed);
    write(sequence.as_bytes())
}

/// Waits until no other thread writes, but not once writes are called off: that thread may be held up.
fn write(bytes: &[u8]) -> io::Result<()> {
    let stderr = STDERR.get_or_init(|| {
        let patient = Patient::new(io::stderr().as_fd());
        patient.ok().map(Mutex::new)
    });
    let Some(stderr) = stderr else { return Ok(()) };
    let mut stderr = match are_called_off() {
        false => stderr.lock().unwrap_or_else(PoisonError::into_inner),
        true => match stderr.try_lock() {
            Ok(stderr) => stderr,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        },
    };
    stderr.write_all(bytes)
}

/// Is it a terminal?
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}
