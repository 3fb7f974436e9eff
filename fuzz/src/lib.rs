//! Shared code of the fuzz targets: files in memory, plugins with small limits, and a sink that checks its input.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Spec;
use retrans_host::sink::Sink;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::batch::Batch;
use rustix::fs::MemfdFlags;
use rustix::fs::memfd_create;

pub mod forged;

/// The engine, shared by all inputs. It compiles in this process, because starting a process
/// for each input would take most of the time.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::without_cache(Compiler::ThisProcess).expect("wasmtime runs here"))
}

/// Limits that are small enough for inputs to reach them.
pub fn limits() -> Limits {
    Limits {
        time: Duration::from_millis(10),
        start_time: Duration::from_millis(20),
        memory: 4 << 20,
        table: 10_000,
        instances: 16,
        stack: 256 << 10,
        output: 64 << 10,
        state: 64 << 10,
        alerts: 8,
        labels: 8,
        counts: 8,
        log: 10,
        file: 1 << 20,
        ..Limits::default()
    }
}

/// A file in memory (`memfd_create`) that has a path, because the host opens files by path.
pub struct MemoryFile(File);

impl MemoryFile {
    /// A file with these contents.
    pub fn new(bytes: &[u8]) -> MemoryFile {
        let file = memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("a file in memory");
        let mut file = File::from(file);
        file.write_all(bytes).expect("there is memory");
        MemoryFile(file)
    }

    /// The path of the file. Each open of it reads from the beginning.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    /// The specification of a plugin with this file as its component.
    pub fn plugin(&self) -> Spec {
        Spec {
            limits: limits(),
            ..Spec::new("fuzz", Origin::File(self.path()))
        }
    }
}

/// Asserts that the message of an error is not empty, has no control characters, and has one
/// line, followed by one line for each function of a backtrace.
#[track_caller]
pub fn assert_clear(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "the message is empty");
    let mut lines = text.split('\n');
    let functions = |line: &str| line.starts_with("    in ");
    assert!(lines.clone().skip(1).all(functions), "{text:?}");
    assert!(
        !lines.any(|line| line.contains(char::is_control)),
        "{text:?}"
    );
}

/// Asserts that the labels are on existing events, in order.
#[track_caller]
pub fn assert_labels_fit(batch: &Batch) {
    for column in batch.labels.columns() {
        let (events, ends, _) = column.parts();
        assert!(!column.key.is_empty());
        assert!(events.is_sorted_by(|a, b| a < b), "{events:?}");
        assert!(events.iter().all(|event| (*event as usize) < batch.len()));
        // Iterating reads every value.
        assert_eq!(column.iter().count(), ends.len());
    }
}

/// A sink that asserts that its input is whole lines of text and alerts with names.
#[derive(Debug, Default)]
pub struct CheckingSink {
    /// All lines that were received.
    pub lines: Vec<u8>,
    /// All alerts that were received.
    pub alerts: Vec<Alert>,
}

impl Sink for CheckingSink {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        std::str::from_utf8(lines).expect("lines are text");
        assert!(
            lines.last().is_none_or(|last| *last == b'\n'),
            "half a line"
        );
        self.lines.extend_from_slice(lines);
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        assert!(alerts.iter().all(|alert| !alert.name.is_empty()));
        self.alerts.extend_from_slice(alerts);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
