//! A server in operator mode, and users whom a JWT and a seed prove, in files as `nsc` writes them.

use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::Prepared;
use serde_json::Value;
use serde_json::json;

use super::server::Options;
use super::server::Server;

/// A server that knows its operator, and one account with JetStream.
pub struct Operated {
    pub server: Server,
    account: KeyPair,
    directory: tempfile::TempDir,
}

/// Subjects that a user may publish and subscribe to. Empty: all.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    pub publish: Vec<String>,
    pub subscribe: Vec<String>,
}

impl Operated {
    pub fn start() -> Operated {
        let operator = KeyPair::new_operator();
        let [account, system] = [(); 2].map(|()| KeyPair::new_account());
        let without_limits = |names: &[&str]| -> serde_json::Map<String, Value> {
            let limits = names.iter().map(|name| ((*name).to_owned(), json!(-1)));
            limits.collect()
        };
        let mut limits = without_limits(&[
            "subs", "data", "payload", "imports", "exports", "conn", "leaf",
        ]);
        limits.insert("wildcards".to_owned(), json!(true));
        let of_account = |name: &str, key: &KeyPair, limits: &serde_json::Map<String, Value>| {
            let nats = json!({"limits": limits, "type": "account", "version": 2});
            jwt(&operator, &key.public_key(), name, None, &nats)
        };
        let system_jwt = of_account("SYS", &system, &limits);
        limits.append(&mut without_limits(&[
            "mem_storage",
            "disk_storage",
            "streams",
            "consumer",
        ]));
        let account_jwt = of_account("fleet", &account, &limits);
        let nats = json!({"system_account": system.public_key(), "type": "operator", "version": 2});
        let operator_jwt = jwt(&operator, &operator.public_key(), "test", None, &nats);
        let configuration = format!(
            "listen: \"127.0.0.1:PORT\"\n\
             jetstream {{ store_dir: \"STORE\", sync_interval: always, max_file: 1G }}\n\
             operator: {operator_jwt}\n\
             system_account: {}\n\
             resolver: MEMORY\n\
             resolver_preload: {{\n  {}: {system_jwt}\n  {}: {account_jwt}\n}}\n",
            system.public_key(),
            system.public_key(),
            account.public_key(),
        );
        Operated {
            server: Server::with(&Options {
                configuration: Some(configuration),
                ..Options::default()
            }),
            account,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Writes the file of a user. `expires`: as Unix time in seconds.
    pub fn credentials(&self, name: &str, rights: &Rights, expires: Option<u64>) -> PathBuf {
        let user = KeyPair::new_user();
        let allow = |subjects: &[String]| match subjects {
            [] => json!({}),
            subjects => json!({ "allow": subjects }),
        };
        let nats = json!({
            "pub": allow(&rights.publish),
            "sub": allow(&rights.subscribe),
            "subs": -1,
            "data": -1,
            "payload": -1,
            "type": "user",
            "version": 2,
        });
        let jwt = jwt(&self.account, &user.public_key(), name, expires, &nats);
        let seed = user.seed().expect("a seed");
        let path = self.directory.path().join(format!("{name}.creds"));
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\
             NKEYs are sensitive and should be treated as secrets.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
             *************************************************************\n"
        );
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Access with a credentials file.
    pub fn access(&self, credentials: PathBuf) -> Prepared {
        let access = Access {
            credentials: Some(credentials),
            ..Access::default()
        };
        let address = self.server.url().parse().expect("an address");
        connect::prepare(address, &access, "test").expect("a credentials file")
    }

    /// Access as a user who may do everything in the account.
    pub fn admin(&self) -> Prepared {
        self.access(self.credentials("admin", &Rights::default(), None))
    }
}

/// A JWT of NATS.
fn jwt(issuer: &KeyPair, subject: &str, name: &str, expires: Option<u64>, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims = json!({
        "jti": name,
        "iat": now(),
        "iss": issuer.public_key(),
        "sub": subject,
        "name": name,
        "nats": nats,
    });
    if let Some(expires) = expires {
        claims["exp"] = json!(expires);
    }
    let header = encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let signed = format!("{header}.{}", encode(&claims));
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Unix time in seconds.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("a time after 1970").as_secs()
}
