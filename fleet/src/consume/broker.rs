//! The connection that consumers work with.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;

/// A connection to the broker, with its JetStream.
#[derive(Debug, Clone)]
pub struct Broker {
    /// The connection.
    pub client: Client,
    /// JetStream over this connection.
    pub jetstream: Context,
}

impl Broker {
    /// The broker behind this connection.
    pub fn new(client: Client) -> Broker {
        let jetstream = async_nats::jetstream::new(client.clone());
        Broker { client, jetstream }
    }

    /// The same connection, where a request and an acknowledgement take this time at most.
    pub(crate) fn within(&self, timeout: Duration) -> Broker {
        let mut jetstream = self.jetstream.clone();
        jetstream.set_timeout(timeout);
        Broker {
            client: self.client.clone(),
            jetstream,
        }
    }

    /// A text that no other caller gets, from letters and digits.
    pub(crate) fn unique(&self) -> String {
        let inbox = self.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
    }
}
