//! Registries on loopback: Debian's, and one that answers what a test wants.

use std::fs;
use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;

use super::pipes::wait_until;

/// `operator` with the password `se:cret`, as `htpasswd -B` writes it, and as `docker login` stores it.
const HTPASSWD: &str = "operator:$2b$04$7fjJzmS8SAmnyLFVBUvKm.uC4OlQB/q4s7u.4Rb/gOZs9h.jOK.D2\n";
pub const LOGIN: &str = "b3BlcmF0b3I6c2U6Y3JldA==";

/// The registry of Debian's package docker-registry, with its data in a directory of its own.
pub struct Registry {
    child: Child,
    pub address: SocketAddr,
    directory: TempDir,
}

impl Registry {
    /// Starts one that everybody may use, and waits until it answers.
    pub fn start() -> Registry {
        Registry::start_with("", "")
    }

    /// Starts one that wants a user and a password.
    pub fn with_login() -> Registry {
        Registry::start_with("auth: {htpasswd: {realm: test, path: htpasswd}}\n", "")
    }

    /// Starts one with TLS.
    pub fn with_tls(certificate: &Path, key: &Path) -> Registry {
        let (certificate, key) = (certificate.display(), key.display());
        Registry::start_with(
            "",
            &format!(", tls: {{certificate: {certificate}, key: {key}}}"),
        )
    }

    fn start_with(more: &str, of_http: &str) -> Registry {
        let directory = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let text = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: data}}}}\n\
             http: {{addr: '{address}'{of_http}}}\n{more}"
        );
        fs::write(directory.path().join("config.yml"), text).expect("a file");
        fs::write(directory.path().join("htpasswd"), HTPASSWD).expect("a file");
        let log = File::create(directory.path().join("log")).expect("a file");
        let child = Command::new("docker-registry")
            .args(["serve", "config.yml"])
            .current_dir(directory.path())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start docker-registry: {error}; scripts/setup.sh installs it (Debian's package \
                     docker-registry)"
                )
            });
        let registry = Registry {
            child,
            address,
            directory,
        };
        wait_until("a registry that listens", || {
            TcpStream::connect(address).is_ok()
        });
        registry
    }

    /// The address of a plugin in it.
    pub fn oci(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address)
    }

    /// The file of a blob in it, by its digest `sha256:…`.
    pub fn blob(&self, digest: &str) -> std::path::PathBuf {
        let digits = digest.strip_prefix("sha256:").expect("a digest");
        let blobs = self
            .directory
            .path()
            .join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&digits[..2]).join(digits).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a [`Liar`] answers.
#[derive(Debug, Clone)]
pub struct Lie {
    /// The start of the request, such as `GET /v2/a/manifests/`.
    pub to: String,
    /// The status line without the version, and further headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// The length in the head; `None`: that of the body.
    pub length: Option<u64>,
}

impl Lie {
    /// An answer with code 200.
    pub fn ok(to: &str, body: impl Into<Vec<u8>>) -> Lie {
        Lie::with(to, "200 OK", body)
    }

    /// An answer with this head.
    pub fn with(to: &str, head: &str, body: impl Into<Vec<u8>>) -> Lie {
        Lie {
            to: to.to_owned(),
            head: head.to_owned(),
            body: body.into(),
            length: None,
        }
    }
}

/// A registry that answers each request with the first lie that fits, and all others with 404.
pub struct Liar {
    pub address: SocketAddr,
    /// The heads of the requests.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    /// Listens as long as the test program runs.
    pub fn start(lies: impl FnOnce(SocketAddr) -> Vec<Lie>) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let lies = lies(address);
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let heads = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(&stream, &lies, &heads);
            }
        });
        Liar { address, requests }
    }
}

fn answer(mut stream: &TcpStream, lies: &[Lie], heads: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n");
    let lie = lies.iter().find(|lie| head.starts_with(&lie.to)).cloned();
    heads.lock().expect("no panic").push(head);
    let lie = lie.unwrap_or_else(|| Lie::with("", "404 Not Found", "nothing"));
    let length = lie.length.unwrap_or(lie.body.len() as u64);
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        lie.head
    );
    // The client may close the connection when it has read enough.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&lie.body);
}
