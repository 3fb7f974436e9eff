//! The configuration of a nats-server for a fleet: durable storage, and the least rights for each role.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::connect::agent_inbox;
use crate::names::AGENTS_BUCKET;
use crate::names::HEADS_BUCKET;
use crate::names::HostToken;
use crate::names::SETTINGS_BUCKET;
use crate::names::SETTINGS_KEY;

/// What the configuration is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where the server listens, such as `0.0.0.0:4222`.
    pub listen: String,
    /// The directory of the streams.
    pub store: PathBuf,
    /// Certificate chain and private key of the server, in PEM. Without, nothing is encrypted.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The user `admin`, who sets up the fleet.
    pub admin: Secret,
    /// The user `consumer`.
    pub consumer: Secret,
    /// The hosts with an agent. Each has a user: its name is `agent-` and the host's token.
    pub agents: Vec<(HostToken, Secret)>,
}

/// What a user proves its identity with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A password, or its bcrypt hash.
    Password(String),
    /// The public key of an nkey; begins with `U`.
    Nkey(String),
}

/// The text of the configuration.
pub fn server_configuration(options: &ServerOptions) -> String {
    let mut text = format!(
        "# nats-server 2.11 or later, for a fleet of retrans-host.\n\
         listen: {}\n\n\
         jetstream {{\n    \
             store_dir: {}\n    \
             # Without it the server writes to the disk every two minutes, after it has acknowledged: what it\n    \
             # acknowledged in between is lost when the machine fails.\n    \
             sync_interval: always\n\
         }}\n\n",
        quoted(&options.listen),
        quoted(&options.store.display().to_string()),
    );
    match &options.certificate {
        Some((certificate, key)) => {
            let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
            let _ = write!(
                text,
                "tls {{\n    cert_file: {}\n    key_file: {}\n}}\n\n",
                quoted(&certificate),
                quoted(&key)
            );
        }
        None => text.push_str(
            "# Nothing is encrypted: passwords and frames can be read on the network. With a certificate:\n\
             # tls {\n#     cert_file: \"/etc/nats/server.pem\"\n#     key_file: \"/etc/nats/server.key\"\n# }\n\n",
        ),
    }
    text.push_str("authorization {\n    users: [\n");
    // Sets up the fleet, and may do everything in this account.
    user(&mut text, "admin", &options.admin, None);
    user(
        &mut text,
        "consumer",
        &options.consumer,
        Some(&consumer_rights()),
    );
    for (host, secret) in &options.agents {
        let name = format!("agent-{}", host.as_str());
        user(&mut text, &name, secret, Some(&agent_rights(host)));
    }
    text.push_str("    ]\n}\n");
    text
}

/// Subjects that a user may publish to and subscribe to.
struct Rights {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

/// An agent publishes as itself, says how it is, and reads the settings.
fn agent_rights(host: &HostToken) -> Rights {
    let host_token = host.as_str();
    Rights {
        publish: vec![
            format!("retrans.v1.ev.*.{host_token}"),
            format!("$KV.{AGENTS_BUCKET}.{host_token}"),
            format!("$KV.{HEADS_BUCKET}.*"),
            "$JS.API.INFO".to_owned(),
            direct_get(SETTINGS_BUCKET, SETTINGS_KEY),
            direct_get(AGENTS_BUCKET, host_token),
            direct_get(HEADS_BUCKET, "*"),
        ],
        subscribe: vec![format!("{}.>", agent_inbox(host))],
    }
}

/// A consumer reads everything and writes ticks, output, leases and states.
fn consumer_rights() -> Rights {
    let publish = [
        "retrans.v1.tick.*",
        "retrans.v1.out.*",
        "$KV.retrans_leases.>",
        "$KV.retrans_state.>",
        "$O.retrans_large.>",
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.MSG.GET.*",
        "$JS.API.STREAM.PURGE.OBJ_retrans_large",
        "$JS.API.DIRECT.GET.>",
        "$JS.API.CONSUMER.>",
        "$JS.FC.>",
        "$JS.ACK.>",
    ];
    Rights {
        publish: publish.map(str::to_owned).into(),
        subscribe: vec!["_INBOX.>".to_owned()],
    }
}

fn direct_get(bucket: &str, key: &str) -> String {
    format!("$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{key}")
}

fn user(text: &mut String, name: &str, secret: &Secret, rights: Option<&Rights>) {
    let _ = match secret {
        Secret::Password(password) => {
            writeln!(
                text,
                "        {{ user: {}, password: {}",
                quoted(name),
                quoted(password)
            )
        }
        Secret::Nkey(key) => writeln!(text, "        {{ nkey: {} # {name}", quoted(key)),
    };
    if let Some(rights) = rights {
        text.push_str("          permissions: {\n");
        for (what, subjects) in [
            ("publish", &rights.publish),
            ("subscribe", &rights.subscribe),
        ] {
            let subjects: Vec<String> = subjects.iter().map(|subject| quoted(subject)).collect();
            let separator = "\n                ";
            let subjects = subjects.join(separator);
            let _ = writeln!(
                text,
                "            {what}: [{separator}{subjects}\n            ]"
            );
        }
        text.push_str("          }\n");
    }
    text.push_str("        }\n");
}

/// A text in quotation marks, in the language of the server's configuration.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace(['\n', '\r'], " "))
}
