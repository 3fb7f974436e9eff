//! A real Alertmanager, with its data in a directory of its own.

use std::fs::File;
use std::process::Command;

use serde_json::Value;

use super::Process;
use super::eventually;
use super::free_port;
use super::get;

/// A running Alertmanager.
pub struct Alertmanager {
    pub port: u16,
    directory: tempfile::TempDir,
    process: Option<Process>,
}

impl Alertmanager {
    /// Starts one on a free port, and waits until it answers.
    pub fn start() -> Alertmanager {
        Alertmanager::start_on(free_port(), &[])
    }

    /// Starts one on a port, with further options.
    pub fn start_on(port: u16, options: &[String]) -> Alertmanager {
        let mut alertmanager = Alertmanager {
            port,
            directory: tempfile::tempdir().expect("a directory"),
            process: None,
        };
        alertmanager.run(options);
        alertmanager
    }

    fn run(&mut self, options: &[String]) {
        let directory = self.directory.path();
        let configuration = "route: {receiver: none}\nreceivers: [{name: none}]\n";
        std::fs::write(directory.join("configuration.yml"), configuration).expect("a file");
        let log = File::create(directory.join("log")).expect("a file");
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!(
                "--config.file={}",
                directory.join("configuration.yml").display()
            ))
            .arg(format!(
                "--storage.path={}",
                directory.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            // No cluster: it would listen on every address.
            .arg("--cluster.listen-address=")
            .args(options)
            .stdout(log.try_clone().expect("a file"))
            .stderr(log);
        self.process = Some(Process::start(&mut command, "prometheus-alertmanager"));
        let is_plain = options.is_empty();
        eventually("an Alertmanager that listens", || {
            if is_plain {
                return get(self.port, "/-/ready").map(drop);
            }
            std::net::TcpStream::connect(("127.0.0.1", self.port))
                .ok()
                .map(drop)
        });
    }

    /// Kills it. It forgets all alerts.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.run(&[]);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that are active, sorted by name.
    pub fn alerts(&self) -> Vec<Value> {
        let body = get(self.port, "/api/v2/alerts").expect("an answer");
        let mut alerts: Vec<Value> = serde_json::from_str(&body).expect("JSON");
        alerts.sort_by_key(|alert| name(alert).to_owned());
        alerts
    }

    /// The names of the alerts that are active.
    pub fn names(&self) -> Vec<String> {
        self.alerts()
            .iter()
            .map(|alert| name(alert).to_owned())
            .collect()
    }

    /// Waits until exactly these alerts are active.
    pub fn wait_for(&self, expected: &[&str]) -> Vec<Value> {
        eventually(&format!("{expected:?} at the Alertmanager"), || {
            let alerts = self.alerts();
            alerts
                .iter()
                .map(name)
                .eq(expected.iter().copied())
                .then_some(alerts)
        })
    }
}

fn name(alert: &Value) -> &str {
    alert["labels"]["alertname"].as_str().expect("a name")
}
