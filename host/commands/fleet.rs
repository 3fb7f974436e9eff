//! The command `fleet`: sets a broker up, tells how a fleet does, and prints a configuration of its server.

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partitions;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use retrans_fleet::setup::Secret;
use retrans_fleet::setup::ServerOptions;
use retrans_fleet::status::read_status;

use super::print_result;
use crate::config::BrokerConfig;
use crate::config::Fleet;
use crate::config::FleetCommand;
use crate::config::FleetLimits;
use crate::fleet::broker;
use crate::fleet::status_text;

/// Does what is asked for.
pub fn fleet(config: &Fleet) -> Result<()> {
    match &config.command {
        FleetCommand::Init { broker, limits } => init(broker, limits),
        FleetCommand::Status { broker, json } => status(broker, *json),
        FleetCommand::ServerConfig {
            hosts,
            listen,
            store,
        } => {
            let secret = || random_password().map(Secret::Password);
            let agents = hosts
                .iter()
                .map(|host| Ok((HostToken::of(host), secret()?)));
            let options = ServerOptions {
                listen: listen.clone(),
                store: store.clone(),
                certificate: None,
                admin: secret()?,
                consumer: secret()?,
                agents: agents.collect::<Result<_>>()?,
            };
            print_result(&setup::server_configuration(&options))
        }
    }
}

fn init(config: &BrokerConfig, limits: &FleetLimits) -> Result<()> {
    let options = InitOptions {
        partitions: Partitions::new(limits.partitions).unwrap_or(Partitions::DEFAULT),
        max_age: limits.max_age,
        max_bytes: Some(limits.max_bytes),
        replicas: usize::from(limits.replicas),
    };
    let report = broker::with(config, async |broker| {
        Ok(setup::init(broker, &options).await?)
    });
    let report = report.map_err(|error| match error.to_string() {
        // The server reserves what a stream may take.
        text if text.contains("insufficient storage") => {
            anyhow!(
                "{text}; --max-bytes is what the server must have free: {} bytes",
                limits.max_bytes
            )
        }
        _ => error,
    })?;
    let mut text = String::new();
    for (name, state) in &report.parts {
        text.push_str(&format!("{name:<22} {state}\n"));
    }
    text.push_str(&format!(
        "the fleet has {} partitions\n",
        report.settings.partitions.count()
    ));
    print_result(&text)
}

fn status(config: &BrokerConfig, is_json: bool) -> Result<()> {
    let status = broker::with(config, async |broker| Ok(read_status(broker).await?))?;
    print_result(&match is_json {
        true => serde_json::to_string(&status)? + "\n",
        false => status_text::text(&status),
    })
}

/// 32 letters and digits of the kernel's random numbers.
fn random_password() -> Result<String> {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .context("the kernel gives no random numbers")?;
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
    Ok(bytes.into_iter().map(letter).collect())
}
