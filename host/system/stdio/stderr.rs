//! Standard error: messages of whole lines, each written as a unit.

use std::borrow::Cow;
use std::env;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write;
use std::os::fd::AsFd as _;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::journal;
use super::journal::Priority;
use super::terminal_text::Colours;
use super::terminal_text::sanitize_text;
use super::waiting_writer::WaitingWriter;
use super::waiting_writer::are_writes_cancelled;
use crate::system::sanitize::clean_lines;

/// `None`: standard error cannot be used. No other stream is left to report that.
static STDERR: OnceLock<Option<Mutex<WaitingWriter>>> = OnceLock::new();

/// Where messages go instead, while the terminal is a screen.
static REDIRECTED: RwLock<Option<Box<Receiver>>> = RwLock::new(None);

/// Receives messages of one or more lines, without colours.
pub type Receiver = dyn Fn(&str) + Send + Sync;

/// Whether a progress bar is drawn on the current line of the terminal.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// The sequence that moves the cursor to the start of the line, and clears the line.
pub const CLEAR_LINE: &str = "\r\x1b[2K";

/// Returns whether colours are used on terminals. All code of the host uses this function: clap, tracing-subscriber
/// and others would each read further variables, such as CLICOLOR_FORCE and CI.
pub(super) fn colours_are_wanted() -> bool {
    let variable = |name| env::var_os(name).unwrap_or_default();
    variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

/// Returns whether colours are used on standard error.
pub fn has_colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| colours_are_wanted() && is_terminal())
}

/// Returns whether standard error is the journal of systemd.
pub fn is_journal() -> bool {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    *IS_JOURNAL.get_or_init(|| journal::is_journal(io::stderr().as_fd()))
}

/// Writes each message of the log to standard error.
pub struct Log;

impl MakeWriter<'_> for Log {
    type Writer = Message;

    fn make_writer(&self) -> Message {
        Message::new(Priority::Info)
    }

    fn make_writer_for(&self, about: &Metadata<'_>) -> Message {
        Message::new(about.level().into())
    }
}

/// Sends messages to `receiver` instead; `None`: to standard error again. The receiver must not log.
pub fn redirect(receiver: Option<Box<Receiver>>) {
    *REDIRECTED.write().unwrap_or_else(PoisonError::into_inner) = receiver;
}

/// Prints a text, in which the colours of this program are kept if they are wanted.
pub fn print(text: &str) {
    print_at(Priority::Info, text);
}

/// The same, with the priority that its lines have in the journal.
pub fn print_at(priority: Priority, text: &str) {
    // Into memory: it cannot fail.
    let _ = Message::new(priority).write_all(text.as_bytes());
}

/// Prints a status message of one or more lines, without colours: it may contain the names of files and arguments.
pub fn print_status(line: &str) {
    print_own(Priority::Info, line);
}

/// The same of an error that ends the process.
pub fn print_error(line: &str) {
    print_own(Priority::Error, line);
}

fn print_own(priority: Priority, line: &str) {
    // The journal has the name of the program with each line.
    let name = match is_journal() {
        true => "",
        false => "retrans-host: ",
    };
    print_at(priority, &format!("{name}{}\n", clean_lines(line)));
}

/// A message for standard error, which is written as a unit when it is dropped: no line of another thread comes in
/// between.
#[derive(Debug)]
pub struct Message {
    text: Vec<u8>,
    priority: Priority,
}

impl Message {
    fn new(priority: Priority) -> Message {
        Message {
            text: Vec::new(),
            priority,
        }
    }
}

impl Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes)
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
        let text = String::from_utf8_lossy(&self.text);
        let redirected = REDIRECTED.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = &*redirected {
            receiver(&sanitize_text(&text, Colours::Remove));
            return;
        }
        drop(redirected);
        let text = sanitize_text(&text, colours);
        let text = match is_journal() {
            true => Cow::Owned(journal::with_priority(&text, self.priority)),
            false => text,
        };
        // The message replaces the progress bar, which is drawn again below it.
        let prefix = match IS_DRAWN.swap(false, Ordering::Relaxed) {
            true => CLEAR_LINE,
            false => "",
        };
        // If standard error is closed, or if writes are cancelled, no other stream is left to report that.
        let _ = write(format!("{prefix}{text}").as_bytes());
    }
}

/// Writes a sequence to the terminal as it is, to draw a progress bar. It must not contain untrusted text.
pub fn draw(sequence: &str) -> io::Result<()> {
    IS_DRAWN.store(true, Ordering::Relaxed);
    write(sequence.as_bytes())
}

/// Writes to standard error, one thread at a time. Once writes are cancelled, it does not wait for another thread,
/// which may be blocked.
fn write(bytes: &[u8]) -> io::Result<()> {
    let stderr = STDERR.get_or_init(|| {
        let writer = WaitingWriter::new(io::stderr().as_fd());
        writer.ok().map(Mutex::new)
    });
    let Some(stderr) = stderr else { return Ok(()) };
    let mut stderr = match are_writes_cancelled() {
        false => stderr.lock().unwrap_or_else(PoisonError::into_inner),
        true => match stderr.try_lock() {
            Ok(stderr) => stderr,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        },
    };
    stderr.write_all(bytes)
}

/// Returns whether standard error is a terminal.
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}
