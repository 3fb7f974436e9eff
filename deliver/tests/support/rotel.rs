//! A real collector of OTLP: rotel, which shows what it got.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use super::Process;
use super::eventually;
use super::free_port;
use super::repository;

/// Version of the package on PyPI. scripts/setup.sh has the same.
const VERSION: &str = "0.0.1a15";

/// A running collector.
pub struct Rotel {
    pub port: u16,
    output: Arc<Mutex<String>>,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Rotel {
    /// Starts one on a free port, and waits until it listens.
    pub fn start() -> Rotel {
        let (port, grpc) = (free_port(), free_port());
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(program());
        command
            .args([
                "start",
                "--exporter",
                "blackhole",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args(["--debug-log", "logs", "--debug-log", "metrics"])
            .arg(format!("--otlp-http-endpoint=127.0.0.1:{port}"))
            .arg(format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"))
            .arg(format!(
                "--pid-file={}",
                directory.path().join("pid").display()
            ))
            .arg(format!(
                "--log-file={}",
                directory.path().join("log").display()
            ))
            // Without colours.
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::start(&mut command, "python3, for rotel of PyPI");
        let stdout = process.0.stdout.take().expect("a pipe");
        let output = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&output);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let mut output = shared.lock().expect("no panic");
                output.push_str(&line);
                output.push('\n');
            }
        });
        eventually("a collector that listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port))
                .ok()
                .map(drop)
        });
        Rotel {
            port,
            output,
            _process: process,
            _directory: directory,
        }
    }

    /// What it has shown so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }

    /// Waits until it has shown a text, and returns all that it has shown.
    pub fn wait_for(&self, text: &str) -> String {
        eventually(&format!("{text:?} in the output of rotel"), || {
            Some(self.output()).filter(|output| output.contains(text))
        })
    }
}

fn program() -> PathBuf {
    let program = repository().join(format!("target/rotel-{VERSION}/rotel/rotel-agent"));
    assert!(
        program.exists(),
        "{} is missing: scripts/setup.sh tests installs it, from PyPI",
        program.display()
    );
    program
}
