//! The thread of the view: draws the model when it has changed, and takes keys.

use std::cell::RefCell;
use std::io;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use ratatui_core::terminal::Terminal;
use retrans_view::top::Keyboard;
use retrans_view::top::Request;
use retrans_view::top::View;
use rustix::io::Errno;

use super::backend::ScreenBackend;
use super::shared::Shared;
use super::signals;
use super::signals::TerminalSignals;
use crate::pipeline::stop::EndHandle;
use crate::pipeline::stop::POLL_INTERVAL;
use crate::pipeline::stop::Stop;
use crate::system::stdio;
use crate::system::stdio::Screen;
use crate::system::threads;

/// Minimum time between two frames because something has happened.
const FRAME: Duration = Duration::from_millis(250);

/// Minimum time between two frames because of keys.
const KEY_FRAME: Duration = Duration::from_millis(100);

/// How long the rest of a key's sequence may take, after which an escape character is a key of its own.
const SEQUENCE_TIMEOUT: Duration = Duration::from_millis(30);

/// The thread of the view.
pub struct Ui {
    thread: Option<JoinHandle<io::Result<()>>>,
    waker: UnixStream,
    is_closing: Arc<AtomicBool>,
}

impl Ui {
    /// Enters the screen, sends messages to the model, and starts the thread. `end` ends the run.
    ///
    /// # Errors
    ///
    /// If the terminal refuses it, or the system a handler or a thread. The terminal is as it was then.
    pub fn start(screen: Screen, view: View, shared: Arc<Shared>, end: EndHandle) -> Result<Ui> {
        let signals = TerminalSignals::listen().context("cannot listen for signals")?;
        let waker = signals.waker().context("cannot wake the view")?;
        let is_closing = Arc::new(AtomicBool::new(false));
        let mut painter = Painter {
            shared,
            view,
            signals,
            is_closing: Arc::clone(&is_closing),
        };
        let mut screen = screen;
        let receiver = Arc::clone(&painter.shared);
        let run = move || {
            // The run ends with this thread, also if it panics.
            let _ends = EndAtDrop(end, Arc::clone(&painter.is_closing));
            let entered = screen.enter();
            let result = entered.and_then(|()| painter.run(screen));
            stdio::leave_screen();
            match result {
                Err(error) if is_end(&error) => Ok(()),
                result => result,
            }
        };
        stdio::redirect(Some(Box::new(move |message| receiver.log(message))));
        let thread = threads::named("view").spawn(run);
        if thread.is_err() {
            stdio::leave_screen();
        }
        Ok(Ui {
            thread: Some(thread.context("cannot start the thread of the view")?),
            waker,
            is_closing,
        })
    }

    /// Waits until the view has ended, because of a key or a signal or because the terminal is gone, or until the run
    /// is to end.
    pub fn wait(&self, stop: &Stop) {
        let is_shown = || {
            self.thread
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
        };
        while is_shown() && !stop.is_ending() {
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends the view.
    ///
    /// # Errors
    ///
    /// If the terminal could not be used, or if the thread has panicked.
    pub fn end(mut self) -> Result<()> {
        self.is_closing.store(true, Ordering::Relaxed);
        let _ = self.waker.write_all(&[0]);
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        match thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(anyhow!("cannot use the terminal: {error}")),
            Err(_) => Err(anyhow!("the thread of the view panicked")),
        }
    }
}

/// Ends the run when it is dropped, unless the run has ended the view.
struct EndAtDrop(EndHandle, Arc<AtomicBool>);

impl Drop for EndAtDrop {
    fn drop(&mut self) {
        if !self.1.load(Ordering::Relaxed) {
            self.0.end();
        }
    }
}

/// What was drawn last.
struct Drawn {
    /// The changes of the model until then.
    changes: u64,
    /// The size of the terminal.
    size: (u16, u16),
    at: Instant,
}

/// Draws, and takes keys.
struct Painter {
    shared: Arc<Shared>,
    view: View,
    signals: TerminalSignals,
    is_closing: Arc<AtomicBool>,
}

impl Painter {
    /// Draws until the view ends. Fails with an error that [`is_end`] where there is no terminal any more.
    fn run(&mut self, screen: Screen) -> io::Result<()> {
        let screen = Rc::new(RefCell::new(screen));
        let mut terminal = Terminal::new(ScreenBackend::new(Rc::clone(&screen)))?;
        let mut keyboard = Keyboard::default();
        let mut drawn: Option<Drawn> = None;
        let mut is_touched = false;
        loop {
            self.signals.clear();
            let is_left = drawn.is_some() && !stdio::is_screen_entered();
            if self.signals.is_end() || self.is_closing.load(Ordering::Relaxed) || is_left {
                return Ok(());
            }
            if self.signals.takes_stop() && signals::can_stop_this_process() {
                stdio::leave_screen();
                self.signals.stop_this_process();
                self.resume(&screen, &mut terminal)?;
                is_touched = true;
            } else if self.signals.takes_resume() {
                self.resume(&screen, &mut terminal)?;
                is_touched = true;
            }
            self.shared.deliver();
            let size = screen.borrow().size();
            let changes = self.shared.model().changes();
            let since = drawn
                .as_ref()
                .map_or(Duration::MAX, |drawn| drawn.at.elapsed());
            is_touched |= drawn.as_ref().is_some_and(|drawn| drawn.size != size);
            let is_changed = drawn.as_ref().is_none_or(|drawn| drawn.changes != changes);
            if is_changed && since >= FRAME || is_touched && since >= KEY_FRAME {
                self.draw(&mut terminal)?;
                drawn = Some(Drawn {
                    changes,
                    size,
                    at: Instant::now(),
                });
                is_touched = false;
            }
            let due = if is_touched { KEY_FRAME } else { FRAME };
            let since = drawn
                .as_ref()
                .map_or(Duration::ZERO, |drawn| drawn.at.elapsed());
            // Without a change, the model is looked at again after another frame's time.
            let left = due
                .checked_sub(since)
                .filter(|left| !left.is_zero())
                .unwrap_or(due);
            let is_typed = screen.borrow().wait(Some(self.signals.as_fd()), left)?;
            if is_typed {
                let mut bytes = [0; 1_024];
                let read = match screen.borrow_mut().read(&mut bytes) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    // The terminal is gone (EIO).
                    Err(_) => return Ok(()),
                };
                let typed = &bytes[..read];
                let has_more =
                    typed.ends_with(b"\x1b") && screen.borrow().wait(None, SEQUENCE_TIMEOUT)?;
                for key in keyboard.keys(typed, has_more) {
                    let request = self.view.key(key, &mut self.shared.model());
                    match request {
                        Some(Request::Quit) => return Ok(()),
                        Some(Request::Record) => self.shared.toggle_recording(),
                        None => {}
                    }
                }
                is_touched = true;
            }
        }
    }

    fn draw(&mut self, terminal: &mut Terminal<ScreenBackend>) -> io::Result<()> {
        let (view, shared) = (&mut self.view, &self.shared);
        // The model is locked while cells are computed, and not while they are written.
        terminal.draw(|frame| view.draw(frame, &shared.model()))?;
        Ok(())
    }

    /// Enters the screen again, which another program may have used.
    fn resume(
        &mut self,
        screen: &Rc<RefCell<Screen>>,
        terminal: &mut Terminal<ScreenBackend>,
    ) -> io::Result<()> {
        self.signals.takes_resume();
        let receiver = Arc::clone(&self.shared);
        stdio::redirect(Some(Box::new(move |message| receiver.log(message))));
        screen.borrow_mut().enter()?;
        terminal.clear()
    }
}

/// Returns whether nothing can be drawn any more: a thread has panicked, and its hook has left the screen; or the terminal
/// takes nothing any more, or is gone, perhaps in the middle of a frame (EIO).
fn is_end(error: &io::Error) -> bool {
    stdio::is_cancelled(error)
        || error.kind() == io::ErrorKind::NotConnected
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}
