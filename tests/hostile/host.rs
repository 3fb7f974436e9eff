//! The release host with a hostile plugin before json-print.

use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;

use super::plugins::Hostile;
use super::stream::EVENTS;
use super::stream::Stream;
use crate::common::ledger::Ledger;
use crate::common::release::release_host;

/// The longest that a test waits. Not a measurement.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// The results of a run.
pub struct Survived {
    /// Standard output.
    pub printed: String,
    /// Standard error.
    pub stderr: String,
    /// From standard error.
    pub ledger: Ledger,
    /// Memory once all events were printed and the host waited for more.
    pub memory: Memory,
}

/// Memory of the host.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// RssAnon in KiB: memory without that of files.
    pub now: u64,
    /// VmHWM in KiB: the peak, with files.
    pub most: u64,
}

/// The release host with these arguments. Its cache of compiled plugins is shared by all tests.
pub fn release(arguments: &[&str]) -> Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("host-cache");
    let mut command = Command::new(release_host());
    command
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .stdin(Stdio::null());
    command
}

/// Runs the plugin on the whole stream, before json-print. The host must run to the end, and its
/// statistics must balance; the caller checks the output.
#[track_caller]
pub fn run(hostile: &Hostile) -> Survived {
    static STREAM: LazyLock<Stream> = LazyLock::new(Stream::new);

    let mut host = Host::start(hostile);
    let stream = &*STREAM;
    host.feed(&stream.events);
    host.wait_until_printed(EVENTS);
    let memory = host.memory();
    host.feed(&stream.end);
    let (printed, stderr) = host.wait();
    assert!(!stderr.contains("does not balance"), "{stderr}");
    let ledger = Ledger::parse(stderr.lines()).unwrap_or_else(|error| panic!("{error:#}"));
    ledger.assert_replay_balances();
    assert_eq!(ledger.replay.get("delivered"), EVENTS, "{stderr}");
    Survived {
        printed,
        stderr,
        ledger,
        memory,
    }
}

/// A running host. Killed when dropped.
struct Host {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

impl Host {
    #[track_caller]
    fn start(hostile: &Hostile) -> Host {
        let mut command = release(&["replay", "-"]);
        command
            .args(&hostile.arguments)
            .args(["--plugin", "json-print"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
        unsafe {
            // The host ends with the test, even if the test is killed.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut child = command.spawn().expect("the host can be run");
        let stdout = Pipe::of(child.stdout.take().expect("a pipe"));
        let stderr = Pipe::of(child.stderr.take().expect("a pipe"));
        Host {
            child,
            stdout,
            stderr,
        }
    }

    /// Writes to the host's standard input.
    #[track_caller]
    fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        let written = stdin.write_all(bytes);
        written.unwrap_or_else(|error| panic!("{error}: {}", self.stderr.text()));
    }

    #[track_caller]
    fn wait_until_printed(&mut self, lines: u64) {
        let begun = Instant::now();
        while self.stdout.events() < lines {
            let ended = self.child.try_wait().expect("it is ours");
            let printed = self.stdout.events();
            assert!(
                ended.is_none() && begun.elapsed() < WAIT_TIMEOUT,
                "{printed} of {lines} events were printed; ended: {ended:?}\n{}",
                self.stderr.text()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its memory once it waits for input: memory of the last batch is free again by then.
    #[track_caller]
    fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("it runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let kib = kib.unwrap_or_else(|| panic!("no {name} in {status}"));
            kib.parse().expect("a number")
        };
        Memory {
            now: field("RssAnon:"),
            most: field("VmHWM:"),
        }
    }

    /// Ends the input; the host must exit with code 0.
    #[track_caller]
    fn wait(mut self) -> (String, String) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it is ours");
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        assert_eq!(status.code(), Some(0), "{status}: {stderr}");
        (stdout, stderr)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe as data comes, so that the writer never blocks.
struct Pipe {
    read: Arc<Mutex<Read>>,
    reader: Option<JoinHandle<()>>,
}

/// The data so far.
#[derive(Default)]
struct Read {
    bytes: Vec<u8>,
    /// Offset of the last, incomplete line.
    line: usize,
    /// Number of lines with an event.
    events: u64,
}

impl Read {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        while lines > 0 {
            let line = &self.bytes[self.line..];
            let end = line.iter().position(|byte| *byte == b'\n');
            self.events += u64::from(line.starts_with(b"{"));
            self.line += end.map_or(line.len(), |end| end + 1);
            lines -= 1;
        }
    }
}

impl Pipe {
    fn of(mut pipe: impl io::Read + Send + 'static) -> Pipe {
        let read = Arc::new(Mutex::new(Read::default()));
        let reader = thread::spawn({
            let read = Arc::clone(&read);
            move || {
                let mut buffer = [0; 64 << 10];
                while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                    let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                    read.take(&buffer[..length]);
                }
            }
        });
        Pipe {
            read,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8(self.so_far().bytes.clone()).expect("it writes text")
    }

    /// Number of complete lines with an event.
    fn events(&self) -> u64 {
        self.so_far().events
    }

    /// All data. Waits until the writer has closed the pipe.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.text()
    }
}

/// A run with a well-behaved plugin, to compare output and memory with.
pub fn peace() -> &'static Survived {
    static PEACE: OnceLock<Survived> = OnceLock::new();
    PEACE.get_or_init(|| run(&Hostile::liar("burns 0")))
}
