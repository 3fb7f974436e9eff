//! The access to the broker, of its configuration.

use anyhow::Result;
use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::Address;
use retrans_fleet::connect::Broker;
use retrans_fleet::connect::Prepared;

use crate::config::BrokerConfig;

/// Reads the files that prove the identity. `name` is what the server's operator sees of the connection.
pub fn prepare(config: &BrokerConfig, name: &str) -> Result<Prepared> {
    let address: Address = config.servers.parse()?;
    let access = Access {
        credentials: config.credentials.clone(),
        nkey: config.nkey.clone(),
        user: config.user.as_ref().map(|(user, _)| user.clone()),
        password: config.user.as_ref().map(|(_, file)| file.clone()),
        token: config.token.clone(),
        ca: config.ca.clone(),
        certificate: config.certificate.clone(),
    };
    Ok(connect::prepare(address, &access, name)?)
}

/// Connects, does this, and returns what it returns.
pub fn with<T>(config: &BrokerConfig, work: impl AsyncFnOnce(&Broker) -> Result<T>) -> Result<T> {
    connect::with_broker(&prepare(config, "retrans-host fleet")?, work)
}
