//! What the service manager, systemd, is told of this process: when it is ready, what it does, and that it works
//! (sd_notify(3)). The protocol is a datagram of lines to the socket that `NOTIFY_SOCKET` names.
//!
//! The socket is connected before the process is confined, and only written to afterwards: the sandbox refuses new
//! sockets and connections, and not what was connected before. The processes that this one starts have none of the
//! variables.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::net::SendFlags;
use rustix::net::send;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

use super::sanitize::clean;

/// Time for which a message about the state of the run waits at most while the manager reads nothing.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Characters of a status: the manager refuses messages of more than 4,096 bytes.
const MAX_STATUS: usize = 500;

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// The service manager of this process; without one, it is told nothing.
#[derive(Debug, Clone, Default)]
pub struct ServiceManager(Option<Arc<Connection>>);

#[derive(Debug)]
struct Connection {
    socket: UnixDatagram,
    /// The time within which the manager wants to be told that the process works.
    watchdog: Option<Duration>,
    phase: AtomicU8,
    /// Whether a failure was logged.
    has_failed: AtomicBool,
}

impl ServiceManager {
    /// Connects to the manager that the environment names. A process that cannot tell it anything runs all the same: the
    /// manager ends it if it waits for that.
    pub fn connect() -> ServiceManager {
        let Some(address) = env::var_os("NOTIFY_SOCKET") else {
            return ServiceManager::default();
        };
        let watchdog = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
            process::id(),
        );
        match ServiceManager::connect_to(&address, watchdog) {
            Ok(manager) => manager,
            Err(error) => {
                let address = clean(&address.to_string_lossy());
                tracing::warn!(
                    "cannot send the state of this process to the service manager (NOTIFY_SOCKET={address}): {error}"
                );
                ServiceManager::default()
            }
        }
    }

    fn connect_to(address: &OsStr, watchdog: Option<Duration>) -> io::Result<ServiceManager> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => {
                let what = "it is neither a path nor an abstract socket";
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(ServiceManager(Some(Arc::new(Connection {
            socket,
            watchdog,
            phase: AtomicU8::new(STARTING),
            has_failed: AtomicBool::new(false),
        }))))
    }

    /// Whether there is a manager.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The time within which the manager wants to be told that the process works; `None`: it does not want that.
    pub fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog
    }

    /// Tells what the process does. For those who ask, as `systemctl status` does.
    pub fn status(&self, text: &str) {
        if let ServiceManager(Some(connection)) = self {
            connection.send(&status(text), SendFlags::DONTWAIT);
        }
    }

    /// Tells that the process does all that it is for.
    pub fn ready(&self, text: &str) {
        if let ServiceManager(Some(connection)) = self {
            connection.phase.store(READY, Ordering::Relaxed);
            connection.send(&format!("READY=1\n{}", status(text)), SendFlags::empty());
        }
    }

    /// Reads the configuration again with `read`, and tells when that begins and when it is done. Before the process is
    /// ready, and once it ends, that is a part of the start or of the end.
    pub fn reload(&self, read: impl FnOnce()) {
        let ServiceManager(Some(connection)) = self else {
            return read();
        };
        let is_ready = || connection.phase.load(Ordering::Relaxed) == READY;
        if is_ready() {
            let now = microseconds(ClockId::Monotonic);
            let reloading = format!("RELOADING=1\nMONOTONIC_USEC={now}");
            connection.send(&reloading, SendFlags::empty());
        }
        read();
        if is_ready() {
            connection.send("READY=1", SendFlags::empty());
        }
    }

    /// Tells that the process ends.
    pub fn stopping(&self, text: &str) {
        if let ServiceManager(Some(connection)) = self
            && connection.phase.swap(STOPPING, Ordering::Relaxed) != STOPPING
        {
            connection.send(&format!("STOPPING=1\n{}", status(text)), SendFlags::empty());
        }
    }

    /// Tells that the process works. Returns whether the manager was told: it may read nothing at the moment.
    pub fn feed_watchdog(&self) -> bool {
        let ServiceManager(connection) = self;
        let connection = connection.as_ref();
        connection.is_some_and(|connection| connection.send("WATCHDOG=1", SendFlags::DONTWAIT))
    }
}

impl Connection {
    /// Sends a message, and logs the first failure. Returns whether it was sent.
    fn send(&self, message: &str, flags: SendFlags) -> bool {
        let flags = flags | SendFlags::NOSIGNAL;
        let sent = loop {
            match send(&self.socket, message.as_bytes(), flags) {
                Err(rustix::io::Errno::INTR) => {}
                sent => break sent,
            }
        };
        if let Err(error) = sent
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            let error = io::Error::from(error);
            tracing::warn!("cannot send the state of this process to the service manager: {error}");
        }
        sent.is_ok()
    }
}

/// A line of its own, whatever is in the text.
fn status(text: &str) -> String {
    let text: String = clean(text).chars().take(MAX_STATUS).collect();
    format!("STATUS={text}")
}

/// The time within which the process with the number `own` is to feed the watchdog.
fn watchdog(microseconds: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    // The variables are those of another process, which has not removed them.
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let time = Duration::from_micros(microseconds?.parse().ok()?);
    (!time.is_zero()).then_some(time)
}

fn microseconds(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A manager, and its socket with a name in the abstract namespace.
    fn manager(name: &str) -> (ServiceManager, UnixDatagram) {
        let name = format!("retrans-host-test-{}-{name}", process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a name of our own");
        socket.set_nonblocking(true).expect("a socket");
        let variable = format!("@{name}");
        let manager = ServiceManager::connect_to(variable.as_ref(), None).expect("it is bound");
        (manager, socket)
    }

    /// What was sent since the last call. A datagram is there when `send` returns.
    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        messages
    }

    #[test]
    fn a_run_is_told_from_its_start_to_its_end() {
        let (manager, socket) = manager("run");
        manager.status("preparing");
        // The configuration is read again before the run is ready.
        manager.reload(|| {});
        manager.ready("watching");
        assert_eq!(
            received(&socket),
            ["STATUS=preparing", "READY=1\nSTATUS=watching"]
        );
        let before = microseconds(ClockId::Monotonic);
        manager.reload(|| {
            let [reloading] = &received(&socket)[..] else {
                panic!("a message before the configuration is read");
            };
            let begun = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
            let begun: i128 = begun.expect("when").parse().expect("a number");
            let after = microseconds(ClockId::Monotonic);
            assert!((before..=after).contains(&begun), "{before} {begun}");
        });
        assert_eq!(received(&socket), ["READY=1"]);
        assert!(manager.feed_watchdog());
        manager.stopping("ending");
        manager.stopping("ending");
        manager.reload(|| {});
        let expected = ["WATCHDOG=1", "STOPPING=1\nSTATUS=ending"];
        assert_eq!(received(&socket), expected);
    }

    #[test]
    fn a_status_is_one_line_of_limited_length() {
        let (manager, socket) = manager("status");
        manager.status("a\nREADY=1\x1b[2J");
        manager.status(&"€".repeat(3_000));
        let statuses = received(&socket);
        assert_eq!(statuses[0].lines().count(), 1, "{statuses:?}");
        assert_eq!(statuses[1], format!("STATUS={}", "€".repeat(MAX_STATUS)));
    }

    #[test]
    fn a_manager_that_reads_nothing_or_is_gone_holds_nothing_up() {
        let (manager, socket) = manager("gone");
        let begun = Instant::now();
        // Linux queues net.unix.max_dgram_qlen datagrams for a socket: 10 by default.
        while manager.feed_watchdog() {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
        manager.stopping("ending");
        drop(socket);
        assert!(!manager.feed_watchdog());
    }

    #[test]
    fn an_address_is_a_path_or_abstract() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a directory of our own");
        let manager = ServiceManager::connect_to(path.as_os_str(), None).expect("it is bound");
        manager.ready("watching");
        socket.set_nonblocking(true).expect("a socket");
        assert_eq!(received(&socket), ["READY=1\nSTATUS=watching"]);
        for other in ["", "vsock:2:1234", "relative", "/nothing/here"] {
            let connected = ServiceManager::connect_to(other.as_ref(), None);
            assert!(connected.is_err(), "{other}");
        }
    }

    #[test]
    fn the_watchdog_is_that_of_this_process() {
        let time = Some(Duration::from_secs(30));
        assert_eq!(watchdog(Some("30000000"), None, 7), time);
        assert_eq!(watchdog(Some("30000000"), Some("7"), 7), time);
        assert_eq!(watchdog(Some("30000000"), Some("8"), 7), None);
        for other in [None, Some(""), Some("0"), Some("-1"), Some("1s")] {
            assert_eq!(watchdog(other, None, 7), None, "{other:?}");
        }
    }
}
