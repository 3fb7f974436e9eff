//! The whole terminal as a screen: keys without a line editor, and the alternate screen, until it is left. It is left
//! on every way out of the process: by its owner, in the hook of panics, and before the process is ended at once.

use std::fs::File;
use std::io;
use std::io::IsTerminal as _;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::panic;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Once;
use std::sync::PoisonError;
use std::sync::TryLockError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::termios::InputModes;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::tcgetattr;
use rustix::termios::tcgetwinsize;
use rustix::termios::tcsetattr;

use super::stderr;
use super::waiting_writer::WaitingWriter;

/// Saves the cursor, goes to the alternate screen, clears it, and hides the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l";

/// Resets styles, clears the screen for terminals without an alternate one, goes back, and shows the cursor.
const LEAVE: &[u8] = b"\x1b[0m\x1b[H\x1b[2J\x1b[?1049l\x1b[?25h";

/// How long leaving waits for a terminal that takes nothing, and for a thread that is writing to it.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes that are written at once, between which a screen may be left.
const CHUNK: usize = 1_024;

/// The screen that was entered; `None` before, and once it was left.
static ENTERED: Mutex<Option<Entered>> = Mutex::new(None);

/// Held while a part of a sequence is written.
static WRITING: Mutex<()> = Mutex::new(());

/// What is needed to leave.
#[derive(Debug)]
struct Entered {
    input: OwnedFd,
    output: OwnedFd,
    /// The modes of the terminal before it was entered.
    modes: Termios,
}

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum NoScreen {
    /// Standard output is something else.
    #[error("standard output is not a terminal")]
    Output,
    /// `TERM=dumb`, or none is set.
    #[error("this terminal cannot move its cursor (TERM={0:?})")]
    Dumb(String),
    /// There is no terminal from which keys could be read.
    #[error("there is no terminal to read keys from: {0}")]
    Input(io::Error),
    /// The terminal cannot be used.
    #[error("cannot use the terminal: {0}")]
    Io(io::Error),
}

/// A terminal that can become a screen.
#[derive(Debug)]
pub struct Screen {
    input: File,
    output: WaitingWriter,
    /// The modes of the terminal before anything was changed.
    modes: Termios,
}

impl Screen {
    /// Finds the terminal: standard output, and for keys standard input, or if that is something else or
    /// `is_stdin_taken`, the controlling terminal. Changes nothing. `term` is the value of the variable TERM.
    ///
    /// # Errors
    ///
    /// [`NoScreen`] if there is no terminal, or one that cannot be a screen.
    pub fn find(term: &str, is_stdin_taken: bool) -> Result<Screen, NoScreen> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdout.is_terminal() {
            return Err(NoScreen::Output);
        }
        if matches!(term, "" | "dumb") {
            return Err(NoScreen::Dumb(term.to_owned()));
        }
        let input = match stdin.is_terminal() && !is_stdin_taken {
            true => stdin.as_fd().try_clone_to_owned().map(File::from),
            false => File::open("/dev/tty"),
        };
        let input = input.map_err(NoScreen::Input)?;
        let modes = tcgetattr(&input).map_err(|error| NoScreen::Io(error.into()))?;
        let output = WaitingWriter::new(stdout.as_fd()).map_err(NoScreen::Io)?;
        Ok(Screen {
            input,
            output,
            modes,
        })
    }

    /// Whether the terminal says that it takes UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.modes.input_modes.contains(InputModes::IUTF8)
    }

    /// Columns and lines. A terminal that does not know has 80 × 24.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(io::stdout().as_fd()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Enters the screen, or enters it again: after the process was stopped, the shell has changed the terminal.
    /// Signals of keys stay (Ctrl-C, Ctrl-Z), except Ctrl-\, which would leave the screen as it is.
    ///
    /// # Errors
    ///
    /// If the terminal does not take its modes or the sequence.
    pub fn enter(&mut self) -> io::Result<()> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |about| {
                leave_screen();
                previous(about);
            }));
        });
        let mut modes = self.modes.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        modes.input_modes -=
            InputModes::IXON | InputModes::ICRNL | InputModes::INLCR | InputModes::ISTRIP;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // 0 is no key (_POSIX_VDISABLE).
        modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
        let entered = Entered {
            input: self.input.as_fd().try_clone_to_owned()?,
            output: io::stdout().as_fd().try_clone_to_owned()?,
            modes: self.modes.clone(),
        };
        *lock() = Some(entered);
        tcsetattr(&self.input, OptionalActions::Now, &modes)?;
        self.output.write_all(ENTER)
    }

    /// Writes a sequence that draws. It waits until the terminal takes it, or until writes are cancelled.
    ///
    /// # Errors
    ///
    /// `NotConnected` once the screen was left, and an error of the terminal.
    pub fn write(&mut self, sequence: &[u8]) -> io::Result<()> {
        for chunk in sequence.chunks(CHUNK) {
            let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
            if !is_screen_entered() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            self.output.write_all(chunk)?;
        }
        Ok(())
    }

    /// Reads what was typed; nothing if the terminal is gone. It waits if nothing was typed.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }

    /// Waits until something was typed, until `other` can be read, or for this time. Returns whether something was
    /// typed.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, time: Duration) -> io::Result<bool> {
        let mut fds = [
            PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(other.unwrap_or(self.input.as_fd()), PollFlags::IN),
        ];
        let time = Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&time)) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(!fds[0].revents().is_empty()),
        }
    }
}

/// Locks what was entered. No thread holds it for long.
fn lock() -> MutexGuard<'static, Option<Entered>> {
    ENTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether there is a screen that was not left yet.
pub fn is_screen_entered() -> bool {
    lock().is_some()
}

/// Leaves the screen, if one was entered: the terminal is as it was, and messages go to standard error again. Any
/// thread may call it, at any time.
pub fn leave_screen() {
    stderr::redirect(None);
    let Some(entered) = lock().take() else { return };
    let begun = Instant::now();
    let _writing = loop {
        match WRITING.try_lock() {
            Ok(writing) => break Some(writing),
            Err(TryLockError::Poisoned(writing)) => break Some(writing.into_inner()),
            // A thread is writing, and the terminal takes nothing.
            Err(TryLockError::WouldBlock) if begun.elapsed() > LEAVE_TIMEOUT => break None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    };
    write_within(&entered.output, LEAVE, LEAVE_TIMEOUT);
    let _ = tcsetattr(&entered.input, OptionalActions::Now, &entered.modes);
}

/// Writes to a terminal as much as it takes within this time.
fn write_within(output: &OwnedFd, mut bytes: &[u8], time: Duration) {
    let end = Instant::now() + time;
    while !bytes.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: 0,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::OUT)];
        if !matches!(poll(&mut fds, Some(&left)), Ok(1..)) {
            return;
        }
        // One byte always fits into a terminal that is writable.
        match rustix::io::write(output, &bytes[..1]) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
