//! A terminal with a screen, on which a program runs: what is shown is what a terminal emulator makes of its output.

use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::num::NonZeroU16;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::termios::Winsize;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetwinsize;

use super::pipes::WAIT_TIMEOUT;
use super::pipes::ends_within;
use super::pipes::signal;
use super::pipes::terminal;
use super::pipes::wait_until;

pub use rustix::process::Signal;

/// What the emulator shows instead of U+FFFD, which it would leave out.
const STAND_IN: &str = "\u{2370}";

/// What a terminal has been sent.
struct Shown {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

/// A program on a terminal of its own.
pub struct Screen {
    child: Child,
    controller: File,
    terminal: File,
    shown: Arc<Mutex<Shown>>,
    reader: Option<JoinHandle<()>>,
    /// The modes of the terminal before the program.
    modes: String,
}

/// How a program has ended, and what is left on its terminal.
pub struct Left {
    /// How it has ended.
    pub status: ExitStatus,
    /// The text that is shown.
    pub text: String,
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has lines and columns")
}

fn modes(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}

fn size(terminal: &File, columns: u16, lines: u16) {
    let size = Winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a terminal");
}

impl Screen {
    /// Runs a command on a terminal of this size, which controls it: its keys send signals.
    pub fn run(command: &Command, (columns, lines): (u16, u16)) -> Screen {
        let (controller, terminal) = terminal();
        size(&terminal, columns, lines);
        let modes = modes(&terminal);
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(command.get_program());
        on_terminal.args(command.get_args());
        let directory = command.get_current_dir();
        directory.into_iter().for_each(|directory| {
            on_terminal.current_dir(directory);
        });
        on_terminal
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        on_terminal.env_remove("NO_COLOR").env_remove("COLORTERM");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => on_terminal.env(name, value),
                None => on_terminal.env_remove(name),
            };
        }
        let stream = || terminal.try_clone().expect("a descriptor");
        on_terminal
            .stdin(stream())
            .stdout(stream())
            .stderr(stream());
        let child = on_terminal.spawn().expect("setsid of util-linux is there");
        let shown = Arc::new(Mutex::new(Shown {
            emulator: vt100::Parser::new(at_least_one(lines), at_least_one(columns), 0),
            bytes: Vec::new(),
        }));
        let (mut reads, to) = (
            controller.try_clone().expect("a descriptor"),
            Arc::clone(&shown),
        );
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4_096];
            let mut pending = Vec::new();
            // EIO: no program has the terminal open any more.
            while let Ok(read @ 1..) = reads.read(&mut buffer) {
                pending.extend_from_slice(&buffer[..read]);
                let mut shown = to.lock().unwrap_or_else(PoisonError::into_inner);
                shown.bytes.extend_from_slice(&buffer[..read]);
                // A character may have arrived in part.
                let whole = match std::str::from_utf8(&pending) {
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => pending.len(),
                };
                let text = String::from_utf8_lossy(&pending[..whole]);
                let text = text.replace(char::REPLACEMENT_CHARACTER, STAND_IN);
                shown.emulator.process(text.as_bytes());
                pending.drain(..whole);
            }
        });
        Screen {
            child,
            controller,
            terminal,
            shown,
            reader: Some(reader),
            modes,
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lines that are shown, without spaces at their ends.
    pub fn text(&self) -> String {
        let text = self.with(|shown| shown.emulator.screen().contents());
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        lines.join("\n").replace(STAND_IN, "\u{fffd}")
    }

    /// A line, from 0.
    pub fn line(&self, number: usize) -> String {
        self.text()
            .lines()
            .nth(number)
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether the alternate screen is shown.
    pub fn is_alternate(&self) -> bool {
        self.with(|shown| shown.emulator.screen().alternate_screen())
    }

    /// All bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.with(|shown| shown.bytes.clone())
    }

    /// Whether any cell has a colour.
    pub fn has_colours(&self) -> bool {
        self.with(|shown| {
            let screen = shown.emulator.screen();
            let (lines, columns) = screen.size();
            let (lines, columns) = (lines.get(), columns.get());
            let mut cells =
                (0..lines).flat_map(|line| (0..columns).map(move |column| (line, column)));
            cells.any(|(line, column)| {
                screen.cell(line, column).is_some_and(|cell| {
                    let colours = [cell.fgcolor(), cell.bgcolor()];
                    colours
                        .iter()
                        .any(|colour| *colour != vt100::Color::Default)
                })
            })
        })
    }

    /// Waits until this text is shown. Panics with what is shown instead.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |shown| shown.contains(text));
    }

    /// Waits until what is shown is as it should be.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut is: impl FnMut(&str) -> bool) {
        let begun = std::time::Instant::now();
        while !is(&self.text()) {
            assert!(
                begun.elapsed() < WAIT_TIMEOUT,
                "{what:?} is not shown:\n{}",
                self.text()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.controller
            .write_all(keys.as_bytes())
            .expect("it takes keys");
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, columns: u16, lines: u16) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines_shown, columns_shown) = (at_least_one(lines), at_least_one(columns));
        shown.emulator.set_size(lines_shown, columns_shown);
        drop(shown);
        size(&self.terminal, columns, lines);
    }

    /// Sends a signal to the program.
    pub fn signal(&self, number: Signal) {
        signal(&self.child, number);
    }

    /// The number of the program's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program, and asserts that the terminal is as it was before it.
    #[track_caller]
    pub fn left(mut self) -> Left {
        let status = ends_within(&mut self.child, WAIT_TIMEOUT);
        assert_eq!(
            modes(&self.terminal),
            self.modes,
            "the modes of the terminal"
        );
        let Screen {
            terminal,
            shown,
            reader,
            ..
        } = self;
        drop(terminal);
        // The reader ends once everything was read.
        wait_until("the end of the terminal", || {
            reader.as_ref().is_none_or(JoinHandle::is_finished)
        });
        let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = shown.emulator.screen();
        assert!(!screen.alternate_screen(), "{}", screen.contents());
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        Left {
            status,
            text: screen.contents(),
        }
    }
}
