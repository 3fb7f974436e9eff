//! A receiver of webhooks, written in Python: another implementation of HTTP, HMAC and TLS.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::Process;
use super::eventually;
use super::repository;

/// A running receiver.
pub struct Receiver {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    _process: Process,
}

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Request {
    /// When the receiver got it, by the clock that counts since boot.
    pub at: Duration,
    /// Its path, headers with names in lower case, body, and whether the signature is genuine.
    pub json: Value,
}

impl Request {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.json["headers"][name].as_str()
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(self.json["body"].as_str().expect("a body")).expect("JSON")
    }

    /// The name of the alert in the body of this crate.
    pub fn name(&self) -> String {
        self.body()["name"].as_str().expect("a name").to_owned()
    }
}

impl Receiver {
    /// Starts one, with options of `receiver.py`.
    pub fn start(options: &[&str]) -> Receiver {
        let script = repository().join("deliver/tests/support/receiver.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command, "python3");
        let stdout = process.0.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let port = lines
            .next()
            .expect("a port")
            .expect("a port")
            .parse()
            .expect("a port");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&requests);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let json: Value = serde_json::from_str(&line).expect("JSON");
                let at = json["at"].as_f64().expect("a time");
                let request = Request {
                    at: Duration::from_secs_f64(at),
                    json,
                };
                shared.lock().expect("no panic").push(request);
            }
        });
        Receiver {
            port,
            requests,
            _process: process,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/T0/B0/secret", self.port)
    }

    /// The requests that this process has heard of so far. A sender may have its answer before: [`Receiver::wait_for`]
    /// waits for what must have come.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Waits for this number of requests.
    pub fn wait_for(&self, number: usize) -> Vec<Request> {
        eventually(&format!("{number} requests"), || {
            Some(self.requests()).filter(|requests| requests.len() >= number)
        })
    }

    /// Checks that no request comes for a while.
    pub fn is_left_alone(&self, number: usize) {
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(self.requests().len(), number, "{:?}", self.requests());
    }
}
