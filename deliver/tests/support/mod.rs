//! Receivers on loopback, and what runs the crate against them.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod alertmanager;
pub mod receiver;
pub mod rotel;
pub mod tls;

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use retrans_deliver::Alert;
use retrans_deliver::Config;
use retrans_deliver::Counted;
use retrans_deliver::Outlets;
use retrans_deliver::Severity;
use retrans_deliver::State;

/// Time within which something must happen that happens at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The directory of this repository. The tests of the host use these receivers as well.
pub fn repository() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    match package.join("deliver").exists() {
        true => package,
        false => package.join(".."),
    }
}

/// Receivers, and the thread that delivers to them.
pub struct Network {
    pub outlets: Outlets,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Network {
    /// Prepares the receivers, and starts the thread.
    pub fn start(config: &Config) -> Network {
        let (outlets, runner) =
            retrans_deliver::prepare(config).expect("receivers that can be used");
        Network {
            outlets,
            thread: Some(std::thread::spawn(|| runner.run())),
        }
    }

    /// Sends one alert.
    pub fn send(&self, name: &str, state: State) {
        self.outlets.send(&[alert(name, state)]);
    }

    /// The counters of a receiver.
    pub fn counted(&self, receiver: usize) -> Counted {
        let counted = self.outlets.counted().swap_remove(receiver);
        assert!(counted.balances(), "{counted:?}");
        counted
    }

    /// Waits for the counters of a receiver.
    pub fn wait_until(
        &self,
        receiver: usize,
        what: &str,
        is_so: impl Fn(&Counted) -> bool,
    ) -> Counted {
        let counted = || Some(self.counted(receiver)).filter(|counted| is_so(counted));
        eventually(&format!("{what}: {:?}", self.counted(receiver)), counted)
    }

    /// Ends the run, and returns the final counters. The thread must end as well.
    pub fn finish(mut self, timeout: Duration) -> Vec<Counted> {
        let begin = Instant::now();
        let counted = self.outlets.finish(timeout);
        // It does not wait once everything is delivered.
        let is_waiting = counted.iter().any(|receiver| receiver.queued > 0);
        assert!(is_waiting || begin.elapsed() < timeout, "{counted:?}");
        assert!(counted.iter().all(Counted::balances), "{counted:?}");
        let thread = self.thread.take().expect("a thread");
        eventually("the end of the thread", || {
            thread.is_finished().then_some(())
        });
        thread.join().expect("no panic").expect("a runtime");
        counted
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.outlets.finish(Duration::ZERO);
    }
}

/// An alert of the plugin `ratio` about a peer, raised now.
pub fn alert(name: &str, state: State) -> Alert {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Alert {
        plugin: "ratio".to_owned(),
        name: name.to_owned(),
        severity: Severity::Warning,
        state,
        summary: format!("{name} is {state}"),
        labels: vec![("peer".to_owned(), "10.0.0.2".to_owned())],
        connection: Some((([10, 0, 0, 1], 40_000).into(), ([10, 0, 0, 2], 443).into())),
        wall_time: now.expect("a time after 1970"),
    }
}

/// Waits until there is a value.
pub fn eventually<T>(what: &str, value: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, value).unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}

/// Waits until there is a value, for this time at most.
pub fn within<T>(patience: Duration, mut value: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = value() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port of loopback on which nothing listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The body of the answer to a GET request, if it is 200.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}

/// A process that ends with the test.
pub struct Process(pub Child);

impl Process {
    /// Starts a program. `package` is Debian's package of it.
    pub fn start(command: &mut Command, package: &str) -> Process {
        let child = command.spawn();
        Process(child.unwrap_or_else(|error| {
            let program = command.get_program().display();
            panic!("cannot start {program}: {error}; scripts/setup.sh installs it (Debian's package {package})")
        }))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
