//! How the broker is accessed: the secrets are read while the process may still open files.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ConnectOptions;

use super::address::Address;
use super::jwt;
use super::secret;
use super::secret::SecretCause;
use super::secret::SecretError;
use crate::names::HostToken;

/// Time for one attempt to connect to one server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time between two attempts to connect again.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(4);

/// How often the server is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// The files that prove who connects, and whom. At most one way to prove it may be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// A credentials file of NATS: a JWT and a seed.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey.
    pub nkey: Option<PathBuf>,
    /// A user, whose password is in the file [`Access::password`].
    pub user: Option<String>,
    /// A file with the password of [`Access::user`].
    pub password: Option<PathBuf>,
    /// A file with a token.
    pub token: Option<PathBuf>,
    /// A file with the certificates of authorities that the server's certificate must come from. `None`: those of the
    /// system.
    pub ca: Option<PathBuf>,
    /// Files with the certificate chain and the private key that the client shows, both in PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The broker cannot be accessed this way.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// More than one way is given.
    #[error("there are {0} and {1}: expected one of them")]
    Several(&'static str, &'static str),
    /// Half a way is given.
    #[error("there is {0} without {1}")]
    Incomplete(&'static str, &'static str),
}

/// How a connection proves who it is.
#[derive(Clone)]
enum Proof {
    None,
    Credentials(String),
    Nkey(String),
    Password(String, String),
    Token(String),
}

/// A broker that can be connected to without opening further files, except for those in [`Prepared::files`].
#[derive(Clone)]
pub struct Prepared {
    address: Address,
    proof: Proof,
    ca: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
    name: String,
    inbox: Option<String>,
}

/// Reads the files, and connects to nothing. `name` is what the server's operator sees of the connection, such as
/// `retrans-host web-1`.
///
/// # Errors
///
/// If a file cannot be read or has something else in it, or if there is more than one proof.
pub fn prepare(address: Address, access: &Access, name: &str) -> Result<Prepared, AccessError> {
    let proof = proof(&address, access)?;
    if let Some(ca) = &access.ca {
        secret::check_pem(
            "certificates",
            ca,
            "CERTIFICATE",
            SecretCause::NoCertificate,
        )?;
    }
    if let Some((certificate, key)) = &access.certificate {
        secret::check_pem(
            "certificate",
            certificate,
            "CERTIFICATE",
            SecretCause::NoCertificate,
        )?;
        secret::check_pem("private key", key, "PRIVATE KEY", SecretCause::NoKey)?;
    }
    Ok(Prepared {
        address,
        proof,
        ca: access.ca.clone(),
        certificate: access.certificate.clone(),
        name: name.to_owned(),
        inbox: None,
    })
}

fn proof(address: &Address, access: &Access) -> Result<Proof, AccessError> {
    let mut given = Vec::new();
    if let Some(user) = address.user() {
        let proof = match &user.password {
            Some(password) => Proof::Password(user.user.clone(), password.clone()),
            None => Proof::Token(user.user.clone()),
        };
        given.push(("a user in the address", proof));
    }
    if let Some(path) = &access.credentials {
        let what = "credentials";
        // The client looks for the end of the last line: the file may end there.
        let text = secret::read(what, path)? + "\n";
        let is_read = ConnectOptions::with_credentials(&text).is_ok();
        let cause = SecretCause::NoCredentials;
        is_read
            .then_some(())
            .ok_or_else(|| SecretError::new(what, path, cause))?;
        given.push(("a credentials file", Proof::Credentials(text)));
    }
    if let Some(path) = &access.nkey {
        given.push(("an nkey file", Proof::Nkey(seed(path)?)));
    }
    match (&access.user, &access.password) {
        (Some(user), Some(path)) => {
            let password = secret::read("password", path)?;
            given.push(("a password file", Proof::Password(user.clone(), password)));
        }
        (Some(_), None) => return Err(AccessError::Incomplete("a user", "a password file")),
        (None, Some(_)) => return Err(AccessError::Incomplete("a password file", "a user")),
        (None, None) => {}
    }
    if let Some(path) = &access.token {
        given.push(("a token file", Proof::Token(secret::read("token", path)?)));
    }
    if let [(first, _), (second, _), ..] = given[..] {
        return Err(AccessError::Several(first, second));
    }
    Ok(given.pop().map_or(Proof::None, |(_, proof)| proof))
}

/// The seed in a file, which may have comments and armour around it as `nsc` writes it.
fn seed(path: &Path) -> Result<String, SecretError> {
    let what = "seed of an nkey";
    let text = secret::read(what, path)?;
    let mut lines = text.lines().map(str::trim);
    let is_seed = |line: &&str| {
        line.starts_with("SU")
            && line.len() == 58
            && line.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let seed = lines.find(is_seed).map(str::to_owned);
    seed.ok_or_else(|| SecretError::new(what, path, SecretCause::NoSeed))
}

impl Prepared {
    /// For the agent of this host: answers come to subjects that only this host's user may subscribe to, see
    /// [`agent_inbox`].
    pub fn of_agent(self, host: &HostToken) -> Prepared {
        Prepared {
            inbox: Some(agent_inbox(host)),
            ..self
        }
    }

    /// The servers.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The ports that are connected to. A sandbox must allow them.
    pub fn ports(&self) -> Vec<u16> {
        self.address.ports()
    }

    /// The files and directories that are read whenever a connection begins: certificates. A sandbox must allow them,
    /// and what names of hosts are looked up with.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        match &self.ca {
            Some(ca) => files.push(ca.clone()),
            None => files.extend(system_certificates()),
        }
        if let Some((certificate, key)) = &self.certificate {
            files.extend([certificate.clone(), key.clone()]);
        }
        files
    }

    /// When the JWT of the credentials file expires, as Unix time in seconds.
    pub(super) fn expiry(&self) -> Option<u64> {
        match &self.proof {
            Proof::Credentials(text) => jwt::expiry(text),
            _ => None,
        }
    }

    pub(super) fn options(&self) -> ConnectOptions {
        let options = match &self.proof {
            Proof::None => ConnectOptions::new(),
            // `prepare` has read these credentials: the alternative connects without, and is refused.
            Proof::Credentials(text) => ConnectOptions::with_credentials(text).unwrap_or_default(),
            Proof::Nkey(seed) => ConnectOptions::with_nkey(seed.clone()),
            Proof::Password(user, password) => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
            Proof::Token(token) => ConnectOptions::with_token(token.clone()),
        };
        let mut options = options
            .name(&self.name)
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .max_reconnects(None)
            .reconnect_delay_callback(delay)
            // A sandbox allows the ports of the address alone, and a certificate is for the names in it.
            .ignore_discovered_servers();
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if let Some(inbox) = &self.inbox {
            options = options.custom_inbox_prefix(inbox);
        }
        options
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The prefix of the subjects that answers for the agent of this host come to.
pub fn agent_inbox(host: &HostToken) -> String {
    format!("_INBOX_{}", host.as_str())
}

/// The time before an attempt to connect again.
fn delay(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    match doublings {
        0 => Duration::ZERO,
        _ => Duration::from_millis(20)
            .saturating_mul(1 << doublings.min(10))
            .min(MAX_RECONNECT_DELAY),
    }
}

/// Where the system has the certificates of authorities.
fn system_certificates() -> Vec<PathBuf> {
    let variables = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
    let set = variables.into_iter().filter_map(std::env::var_os);
    let usual = [
        "/etc/ssl",
        "/etc/pki",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
    ];
    set.map(PathBuf::from)
        .chain(usual.map(PathBuf::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access_error(access: &Access) -> String {
        let address = "nats://localhost:4222".parse().expect("an address");
        prepare(address, access, "test")
            .expect_err("an error")
            .to_string()
    }

    #[test]
    fn files_are_read_at_once_and_errors_name_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("secret");
        let file = || Some(path.clone());
        let error = access_error(&Access {
            nkey: file(),
            ..Access::default()
        });
        assert!(
            error.starts_with("cannot read the seed of an nkey in ")
                && error.contains("No such file"),
            "{error}"
        );
        std::fs::write(&path, "nothing").expect("a file");
        let error = access_error(&Access {
            nkey: file(),
            ..Access::default()
        });
        assert!(
            error.ends_with("expected one line that begins with SU"),
            "{error}"
        );
        let error = access_error(&Access {
            credentials: file(),
            ..Access::default()
        });
        assert!(error.contains("it has no JWT and seed"), "{error}");
        let error = access_error(&Access {
            ca: file(),
            ..Access::default()
        });
        assert!(error.ends_with("it has no certificate in PEM"), "{error}");
        let error = access_error(&Access {
            password: file(),
            ..Access::default()
        });
        assert_eq!(error, "there is a password file without a user");
        let both = Access {
            password: file(),
            user: Some("me".to_owned()),
            token: file(),
            ..Access::default()
        };
        assert_eq!(
            access_error(&both),
            "there are a password file and a token file: expected one of them"
        );
    }

    #[test]
    fn a_prepared_broker_is_shown_without_secrets_and_names_what_a_sandbox_must_allow() {
        let address = "nats://me:secret@localhost:4333"
            .parse()
            .expect("an address");
        let prepared = prepare(address, &Access::default(), "test").expect("nothing to read");
        assert!(!format!("{prepared:?}").contains("secret"));
        assert_eq!(prepared.ports(), [4333]);
        assert!(prepared.files().contains(&PathBuf::from("/etc/ssl")));
    }

    #[test]
    fn the_time_before_an_attempt_to_connect_again_is_bounded() {
        assert_eq!(delay(1), Duration::ZERO);
        assert_eq!(delay(2), Duration::from_millis(40));
        assert_eq!(delay(usize::MAX), MAX_RECONNECT_DELAY);
    }
}
