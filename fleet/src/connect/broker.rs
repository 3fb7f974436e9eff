//! A connection to a broker that can do what a fleet needs.

use std::time::SystemTime;

use async_nats::Client;
use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::AccountErrorKind;

use super::access::Prepared;
use super::jwt;
use super::link::Link;
use super::link::REFUSALS;

/// The oldest version of nats-server that is accepted: older ones ignore settings that they do not know.
const OLDEST: (i64, i64, i64) = (2, 11, 0);

/// What a server answers if JetStream is not enabled, for itself or for the account.
const NOT_ENABLED: [ErrorCode; 2] = [
    ErrorCode::JETSTREAM_NOT_ENABLED,
    ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT,
];

/// What is said if an answer does not come in time, from a server that is connected.
pub(crate) const NO_ANSWER: &str = "the broker did not answer in time: see its log; after its disk was full, \
                                    nats-server takes nothing until it is restarted with room";

/// A connection to a broker. It is made again for ever when it is lost. Copies use the same connection.
#[derive(Debug, Clone)]
pub struct Broker {
    client: Client,
    context: jetstream::Context,
    link: Link,
    address: String,
    /// When the JWT of the credentials file expires, as Unix time in seconds.
    expiry: Option<u64>,
}

/// A broker cannot be used. `address` has no secret in it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server can be reached, or the encrypted connection cannot be made.
    #[error("cannot reach the broker {address}: {cause}")]
    Unreachable {
        /// The servers that were tried.
        address: String,
        /// Why.
        cause: String,
    },
    /// The server refuses who connects.
    #[error(
        "the broker {address} refuses the connection ({cause}): check credentials, user and password"
    )]
    Credentials {
        /// The servers that were tried.
        address: String,
        /// The server's words.
        cause: String,
    },
    /// The server refuses who connects, and the JWT has expired, by the clock of this machine.
    #[error(
        "the broker {address} refuses the connection ({cause}): the JWT of the credentials file expired at {expired}; \
         make a new file, and start again"
    )]
    Expired {
        /// The servers that were tried.
        address: String,
        /// The server's words.
        cause: String,
        /// When, in UTC.
        expired: String,
    },
    /// The user has no right to something that is needed.
    #[error(
        "the broker {address} does not permit it: {cause}; give the user the rights that `retrans-host fleet server-config` prints"
    )]
    Permission {
        /// The servers.
        address: String,
        /// The server's words.
        cause: String,
    },
    /// JetStream is not enabled in the server or for the account.
    #[error(
        "the broker {address} has no JetStream ({cause}): enable it in the server's configuration"
    )]
    NoJetStream {
        /// The servers.
        address: String,
        /// The server's words.
        cause: String,
    },
    /// The server is too old.
    #[error("the broker {address} is nats-server {version}: expected 2.11 or later")]
    TooOld {
        /// The servers.
        address: String,
        /// The server's version.
        version: String,
    },
}

impl ConnectError {
    /// Returns whether another attempt may succeed without a change of configuration or rights.
    pub fn may_pass(&self) -> bool {
        matches!(self, ConnectError::Unreachable { .. })
    }
}

/// Connects once. Afterwards the connection is made again whenever it is lost.
///
/// It needs a Tokio runtime, and runs tasks in it.
///
/// # Errors
///
/// If the broker cannot be used; see [`ConnectError`].
pub async fn connect(prepared: &Prepared) -> Result<Broker, ConnectError> {
    let address = prepared.address().to_string();
    let link = Link::new();
    let recorder = link.clone();
    let options = prepared.options().event_callback(move |event| {
        recorder.record(&event);
        std::future::ready(())
    });
    let servers = prepared.address().servers().to_vec();
    let client = match options.connect(servers).await {
        Ok(client) => client,
        Err(error) => {
            let cause = error.to_string();
            return Err(match REFUSALS.contains(&error.kind()) {
                true => refused(address, cause, prepared.expiry()),
                false => ConnectError::Unreachable { address, cause },
            });
        }
    };
    let (major, minor, patch) = OLDEST;
    if !client.is_server_compatible(major, minor, patch) {
        let version = client.server_info().version;
        return Err(ConnectError::TooOld { address, version });
    }
    let broker = Broker {
        context: jetstream::new(client.clone()),
        client,
        link,
        address,
        expiry: prepared.expiry(),
    };
    broker.check_jetstream().await?;
    Ok(broker)
}

/// The server does not accept who connects.
fn refused(address: String, cause: String, expiry: Option<u64>) -> ConnectError {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    match expiry.filter(|expiry| *expiry <= now) {
        Some(expiry) => ConnectError::Expired {
            address,
            cause,
            expired: jwt::utc(expiry),
        },
        None => ConnectError::Credentials { address, cause },
    }
}

impl Broker {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// JetStream.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.context
    }

    /// Version of the server that is connected to.
    pub fn version(&self) -> String {
        self.client.server_info().version
    }

    /// The servers, without secrets.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    /// The error, if the server has refused the last attempt to connect again.
    pub(crate) fn refusal(&self) -> Option<ConnectError> {
        let cause = self.link.refusal()?;
        Some(refused(self.address.clone(), cause, self.expiry))
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    async fn check_jetstream(&self) -> Result<(), ConnectError> {
        let address = self.address.clone();
        // It is the first request: the subscription to the answers may not be permitted either.
        let violation = self.link.any_violation();
        let answer = tokio::select! {
            answer = self.context.query_account() => answer,
            cause = violation => return Err(ConnectError::Permission { address, cause }),
        };
        let Err(error) = answer else { return Ok(()) };
        // A JWT that expires between connection and answer.
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let cause = error.to_string();
        let has_none = match error.kind() {
            AccountErrorKind::JetStream(error) => NOT_ENABLED.contains(&error.error_code()),
            kind => kind == AccountErrorKind::JetStreamUnavailable,
        };
        Err(match has_none {
            true => ConnectError::NoJetStream { address, cause },
            // Such as a cluster that has no leader yet.
            false => ConnectError::Unreachable { address, cause },
        })
    }
}
