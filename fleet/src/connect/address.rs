//! The addresses of the servers of one broker.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

/// The servers of one broker, such as `nats://a:4222,nats://b:4222`. With `tls://` the connection is encrypted. As a
/// text it has neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    servers: Vec<ServerAddr>,
    user: Option<UserInfo>,
}

/// What a URL has before its `@`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserInfo {
    /// The user, or a token.
    pub(crate) user: String,
    pub(crate) password: Option<String>,
}

/// A text is no address of a broker. The text itself is not part of the message: it may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no address.
    #[error("there is no address: expected one such as nats://host:4222")]
    Empty,
    /// It has no scheme.
    #[error("address {0} has no scheme: expected nats:// or tls:// before the host")]
    NoScheme(usize),
    /// It has another scheme.
    #[error("address {0} has the scheme {1}: expected nats or tls")]
    Scheme(usize, String),
    /// It is no URL, has no host, or has more than host and port.
    #[error("address {0} is not scheme, host and port: expected one such as nats://host:4222")]
    Malformed(usize),
    /// Its port is 0.
    #[error("address {0} has the port 0: expected 1 to 65535")]
    Port(usize),
    /// Two addresses have different users.
    #[error(
        "address {0} has another user or password than the first one: all servers of a broker have the same users"
    )]
    OtherUser(usize),
}

impl Address {
    /// The ports that are connected to, without repetitions. A sandbox must allow them.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.servers.iter().map(ServerAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The names or addresses of the hosts that are connected to.
    pub fn hosts(&self) -> Vec<String> {
        let hosts = self.servers.iter().map(ServerAddr::host);
        hosts.map(str::to_owned).collect()
    }

    /// Returns whether a connection to a server is always encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.servers.iter().all(ServerAddr::tls_required)
    }

    pub(crate) fn servers(&self) -> &[ServerAddr] {
        &self.servers
    }

    pub(crate) fn user(&self) -> Option<&UserInfo> {
        self.user.as_ref()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads a list of URLs with commas between them.
    fn from_str(text: &str) -> Result<Address, AddressError> {
        let mut address: Option<Address> = None;
        let texts = text.split(',').map(str::trim);
        for (index, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            let number = index + 1;
            let (server, user) = parse(number, text)?;
            match &mut address {
                None => {
                    address = Some(Address {
                        servers: vec![server],
                        user,
                    });
                }
                // A later address may leave the user out.
                Some(address) if user.is_none() || user == address.user => {
                    address.servers.push(server);
                }
                Some(_) => return Err(AddressError::OtherUser(number)),
            }
        }
        address.ok_or(AddressError::Empty)
    }
}

fn parse(number: usize, text: &str) -> Result<(ServerAddr, Option<UserInfo>), AddressError> {
    let malformed = || AddressError::Malformed(number);
    match text.split_once("://") {
        None | Some(("", _)) => return Err(AddressError::NoScheme(number)),
        Some(("nats" | "tls", _)) => {}
        Some((other, _)) => return Err(AddressError::Scheme(number, other.to_owned())),
    }
    let server: ServerAddr = text.parse().map_err(|_| malformed())?;
    let mut url = server.into_inner();
    let has_more =
        !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if has_more || url.host_str().is_none_or(str::is_empty) {
        return Err(malformed());
    }
    if url.port() == Some(0) {
        return Err(AddressError::Port(number));
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = (!url.username().is_empty()).then(|| UserInfo {
        user: decode(url.username()),
        password: url.password().map(decode),
    });
    url.set_username("").map_err(|()| malformed())?;
    url.set_password(None).map_err(|()| malformed())?;
    url.set_path("");
    let server = ServerAddr::from_url(url).map_err(|_| malformed())?;
    Ok((server, user))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.servers.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", server.as_url_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn a_list_is_read_and_shown_without_secrets() {
        let address =
            address("nats://me:se%40cret@a:4222, tls://[::1]:4333,nats://a").expect("an address");
        assert_eq!(
            address.to_string(),
            "nats://a:4222,tls://[::1]:4333,nats://a"
        );
        assert_eq!(
            format!("{address:?}"),
            "Address(nats://a:4222,tls://[::1]:4333,nats://a)"
        );
        assert_eq!(address.ports(), [4222, 4333]);
        assert_eq!(address.hosts(), ["a", "::1", "a"]);
        assert!(!address.is_encrypted());
        let user = address.user().expect("a user");
        assert_eq!(user.user, "me");
        assert_eq!(user.password.as_deref(), Some("se@cret"));
    }

    #[test]
    fn a_text_that_is_no_address_is_refused_with_the_reason_and_without_the_text() {
        for (text, expected) in [
            ("", AddressError::Empty),
            (" , ", AddressError::Empty),
            ("localhost:4222", AddressError::NoScheme(1)),
            ("nats://a,b", AddressError::NoScheme(2)),
            ("http://a", AddressError::Scheme(1, "http".to_owned())),
            ("ws://a", AddressError::Scheme(1, "ws".to_owned())),
            ("nats://", AddressError::Malformed(1)),
            ("nats://a/b", AddressError::Malformed(1)),
            ("nats://a?b", AddressError::Malformed(1)),
            ("nats://a:99999", AddressError::Malformed(1)),
            ("nats://a:0", AddressError::Port(1)),
            ("nats://x@a,nats://y@b", AddressError::OtherUser(2)),
        ] {
            assert_eq!(address(text), Err(expected), "{text}");
        }
    }
}
