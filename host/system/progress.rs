//! Shows on a terminal how far long work has come.

use std::io;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use indicatif::TermLike;
use rustix::termios::tcgetwinsize;

use super::stdio;
use super::threads;

/// Work that is shorter than this is not shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// How often the time is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

/// Width in columns of a terminal that does not report its size.
const DEFAULT_WIDTH: u16 = 80;

/// Creates the progress bar of a command that prints. It is visible if `wanted`, if standard error is a terminal, and if
/// standard output is not: it would be in the way of the lines.
pub fn on_terminal(wanted: bool) -> ProgressBar {
    beside_a_file(wanted && !io::stdout().is_terminal())
}

/// Creates the progress bar of a command that prints nothing while it runs. It is visible if `wanted`, and if standard
/// error is a terminal.
pub fn beside_a_file(wanted: bool) -> ProgressBar {
    let target = match wanted && stdio::is_terminal() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(StandardError), 10),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    bar.with_style(style("{bytes} read in {elapsed}"))
}

/// Shows a percentage from now on, if an input has a size. A pipe has none.
pub fn show_percentage(bar: &ProgressBar) {
    if bar.length().is_some_and(|length| length > 0) {
        bar.set_style(style("{bar:40} {percent}% {bytes} of {total_bytes}, {eta}"));
    }
}

/// Shows work of unknown length with the time that it has taken, until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    /// Dropped first: its end ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Shows that work, such as "compiling plugin alert", goes on for longer than a second, if standard error is a terminal.
pub fn waiting(work: String) -> Waiting {
    if !stdio::is_terminal() {
        return Waiting {
            end: None,
            thread: None,
        };
    }
    let begun = Instant::now();
    let (end, ended) = mpsc::channel::<()>();
    let draw = move || {
        if ended.recv_timeout(SHOWN_AFTER) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let bar = beside_a_file(true).with_style(style("{spinner} {msg}"));
        while ended.recv_timeout(DRAWN_EVERY) == Err(RecvTimeoutError::Timeout) {
            bar.set_message(format!("{work}: {} s", begun.elapsed().as_secs()));
            bar.tick();
        }
        bar.finish_and_clear();
    };
    Waiting {
        end: Some(end),
        // Without a thread the work is not shown, and goes on.
        thread: threads::named("progress").spawn(draw).ok(),
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported.
            let _ = thread.join();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Draws through the host's writer of standard error, whose writes can be cancelled: a stopped terminal does not delay
/// the end of the run.
#[derive(Debug)]
struct StandardError;

impl TermLike for StandardError {
    fn width(&self) -> u16 {
        let size = tcgetwinsize(io::stderr().as_fd());
        let columns = size.ok().map(|size| size.ws_col);
        columns
            .filter(|columns| *columns > 0)
            .unwrap_or(DEFAULT_WIDTH)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        move_by(lines, 'A')
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        move_by(lines, 'B')
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        move_by(columns, 'C')
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        move_by(columns, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        stdio::draw(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        stdio::draw(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        stdio::draw(stdio::CLEAR_LINE)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn move_by(number: usize, direction: char) -> io::Result<()> {
    match number {
        0 => Ok(()),
        number => stdio::draw(&format!("\x1b[{number}{direction}")),
    }
}
