//! Agents and consumers as processes, which end with the test.

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use crate::ledger::Ledger;
use crate::server::Server;

/// Time within which something must happen that takes seconds: a takeover takes up to 10 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program.
pub const HOST: &str = env!("CARGO_BIN_EXE_retrans-host");

/// Waits until there is a value.
pub fn eventually<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A broker that is set up, and a directory for files.
pub struct Fleet {
    pub server: Server,
    pub directory: TempDir,
}

impl Fleet {
    /// One with this number of partitions.
    pub fn start(partitions: u16) -> Fleet {
        let server = Server::start();
        let partitions = partitions.to_string();
        let output = run(&[
            &["fleet", "init", &server.url()][..],
            &["--partitions", &partitions, "--max-bytes", "256MiB"],
        ]
        .concat());
        assert!(output.contains("created"), "{output}");
        Fleet {
            server,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// A file of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A capture of generated events.
    pub fn capture(&self, name: &str, events: u32, connections: u32) -> PathBuf {
        let path = self.path(name);
        let (events, connections) = (events.to_string(), connections.to_string());
        let shown = path.to_str().expect("UTF-8");
        let arguments = ["--events", &events, "--connections", &connections];
        run(&[&["generate", shown][..], &arguments].concat());
        path
    }

    /// The arguments of a host that publishes this capture.
    pub fn publish(&self, capture: &Path, name: &str, partitions: u16) -> Command {
        let mut command = Command::new(HOST);
        command
            .arg("replay")
            .arg(capture)
            .args(["--publish", &self.server.url(), "--publish-name", name])
            .args(["--publish-partitions", &partitions.to_string()]);
        command
    }

    /// A consumer, with its output in files of this name.
    pub fn consumer(&self, name: &str, arguments: &[&str]) -> Consumer {
        let stdout = self.path(&format!("{name}.out"));
        let stderr = self.path(&format!("{name}.err"));
        let file = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.expect("a file")
        };
        let child = Command::new(HOST)
            .args(["consume", &self.server.url(), "--name", name])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&stderr))
            .spawn();
        Consumer {
            child: child.expect("the program"),
            stdout,
            stderr,
        }
    }
}

/// Runs the program, which must succeed, and returns both outputs.
pub fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(HOST);
    command.args(arguments);
    output(&mut command)
}

/// Runs a command, which must succeed, and returns both outputs.
pub fn output(command: &mut Command) -> String {
    let output = command.output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

/// The stages of a ledger.
pub fn ledger(text: &str) -> Ledger {
    Ledger::parse(text.lines()).expect("a ledger")
}

/// A consumer, which is killed when this is dropped.
pub struct Consumer {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Consumer {
    /// The lines that it has printed, also those of an earlier one of its name.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.stdout).expect("a file");
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// What it has said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.stderr).expect("a file")
    }

    /// Waits until it consumes.
    pub fn begun(self) -> Consumer {
        eventually("a consumer that begins", || {
            self.said().contains("; Ctrl-C ends").then_some(())
        });
        self
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill").success());
    }

    /// Kills it, and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("a process");
    }

    /// Ends it in order. Returns its ledger.
    pub fn end(mut self) -> Ledger {
        self.signal("TERM");
        let status = self.child.wait().expect("a process");
        let said = self.said();
        assert!(status.success(), "{said}");
        ledger(&said)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host that publishes the lines that it is given.
pub struct Feed {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Feed {
    /// Starts it.
    pub fn start(command: &mut Command) -> Feed {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let stdin = child.stdin.take();
        Feed { child, stdin }
    }

    /// Gives it lines.
    pub fn give(&mut self, lines: &[String]) {
        let stdin = self.stdin.as_mut().expect("it is open");
        for line in lines {
            writeln!(stdin, "{line}").expect("a reader");
        }
        stdin.flush().expect("a reader");
    }

    /// Ends its input, and returns its ledger.
    pub fn end(mut self) -> Ledger {
        drop(self.stdin.take());
        let output = self.child.wait_with_output().expect("a process");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        ledger(&said)
    }
}

/// The events of a capture as lines of JSON.
pub fn json_lines(capture: &Path) -> Vec<String> {
    let output = Command::new(HOST)
        .arg("replay")
        .arg(capture)
        .args(["--quiet", "--plugin", "json-print"])
        .output()
        .expect("the program");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}
