//! A real Prometheus, with its data in a directory of its own.

use std::fs;
use std::fs::File;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::http::get;
use super::pipes::wait_until;

/// A Prometheus that scrapes one address each second.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts one on a free port, and waits until it answers.
    pub fn scraping(target: SocketAddr) -> Prometheus {
        let directory = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let configuration = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: retrans, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&configuration, text).expect("a file");
        let log = File::create(directory.path().join("log")).expect("a file");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .current_dir(directory.path())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start prometheus: {error}; scripts/setup.sh installs it (Debian's package prometheus)")
            });
        let prometheus = Prometheus {
            child,
            address,
            _directory: directory,
        };
        wait_until("a Prometheus that is ready", || {
            TcpStream::connect(address).is_ok() && get(address, "/-/ready").status == 200
        });
        prometheus
    }

    /// The result of a query: labels and value of each series.
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let body = get(self.address, &format!("/api/v1/query?query={encoded}")).body;
        let answer: Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let series = answer["data"]["result"].as_array();
        let series = series.unwrap_or_else(|| panic!("{body}"));
        let value = |series: &Value| {
            let value = series["value"][1]
                .as_str()
                .and_then(|value| value.parse().ok());
            (series["metric"].clone(), value.expect("a number"))
        };
        series.iter().map(value).collect()
    }

    /// Waits until a query has one result with this value.
    #[track_caller]
    pub fn wait_for(&self, query: &str, value: f64) {
        wait_until(
            &format!("{query} to be {value}: {:?}", self.query(query)),
            || matches!(self.query(query).as_slice(), [(_, found)] if *found == value),
        );
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
