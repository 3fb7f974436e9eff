//! SIGHUP: a request, or the end of the run if the controlling terminal was closed.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use signal_hook::consts::SIGHUP;

use super::stop::EndHandle;
use crate::system::procfs;
use crate::system::threads;

/// Receives SIGHUP. Before it exists, SIGHUP ends the process.
pub struct Hangups {
    signals: UnixStream,
    terminal: Option<File>,
}

impl Hangups {
    /// Registers a handler of SIGHUP.
    pub fn listen() -> io::Result<Hangups> {
        let terminal = terminal();
        let (signals, signal) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGHUP, signal)?;
        Ok(Hangups { signals, terminal })
    }

    /// None ever arrives: for a run that SIGHUP ends.
    pub fn none() -> io::Result<Hangups> {
        let (signals, _) = UnixStream::pair()?;
        Ok(Hangups {
            signals,
            terminal: None,
        })
    }

    /// Starts a thread that calls `act` at SIGHUP, until it returns false, or, if the terminal is closed, ends the run.
    pub fn forward(
        mut self,
        end: EndHandle,
        mut act: impl FnMut() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let spawned = threads::named("sighup").spawn(move || {
            while self.signals.read(&mut [0; 64]).is_ok_and(|read| read > 0) {
                if self.terminal.as_ref().is_some_and(is_closed) {
                    end.end();
                    return;
                }
                if !act() {
                    return;
                }
            }
        });
        spawned.map(drop)
    }
}

/// The controlling terminal: the run ends when it is closed, wherever the output goes. `None` for a daemon, and if
/// SIGHUP was ignored at the start, as under `nohup`.
fn terminal() -> Option<File> {
    match procfs::ignores(SIGHUP) {
        true => None,
        false => File::open("/dev/tty").ok(),
    }
}

fn is_closed(terminal: &File) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(
        terminal.as_fd(),
        PollFlags::empty(),
    )];
    poll(&mut fds, Some(&Timespec::default())).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}
