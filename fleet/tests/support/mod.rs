//! A real nats-server on loopback, and what the tests do with it. The tests of the host use it as well.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod cluster;
pub mod disk;
pub mod fleet;
pub mod jwt;
pub mod server;

use std::process::Child;
use std::time::Duration;
use std::time::Instant;

/// Time within which something must happen that happens at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process, which is killed when this is dropped.
pub struct Process(pub Child);

impl Process {
    /// Kills it with SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until there is a value.
pub fn eventually<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
