//! Connecting to a real nats-server, and setting it up: what is made, and what is refused.

mod support;

#[path = "../../deliver/tests/support/tls.rs"]
mod tls;

use std::process::Command;
use std::time::Duration;

use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::ConnectError;
use retrans_fleet::connect::Prepared;
use retrans_fleet::names;
use retrans_fleet::partition::Partitions;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::InitError;
use retrans_fleet::setup::InitOptions;
use retrans_fleet::setup::SettingsError;
use retrans_fleet::setup::State;
use support::eventually;
use support::fleet::as_user;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::options;
use support::fleet::prepared;
use support::fleet::runtime;
use support::server;
use support::server::Options;
use support::server::Server;

/// The error of a connection.
fn connect_error(prepared: &Prepared) -> ConnectError {
    let connected = runtime().block_on(connect::connect(prepared));
    connected.expect_err("an error")
}

#[test]
fn a_broker_is_set_up_once_and_found_unchanged_afterwards() {
    let server = Server::start();
    runtime().block_on(async {
        let broker = connect::connect(&prepared(&server.url()))
            .await
            .expect("a broker");
        assert_eq!(broker.version(), "2.15.1");
        let missing = setup::read_settings(&broker)
            .await
            .expect_err("no settings");
        assert!(matches!(missing, SettingsError::Missing(_)), "{missing}");

        let first = setup::init(&broker, &options()).await.expect("a fleet");
        let names: Vec<&str> = first.parts.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "RETRANS",
            "RETRANS_OUT",
            "KV_retrans_settings",
            "KV_retrans_agents",
            "KV_retrans_heads",
            "KV_retrans_leases",
            "KV_retrans_state",
            "OBJ_retrans_large",
            "settings",
        ];
        assert_eq!(names, expected);
        assert!(
            first
                .parts
                .iter()
                .all(|(_, state)| *state == State::Created),
            "{first:?}"
        );
        assert_eq!(
            setup::read_settings(&broker).await.expect("settings"),
            first.settings
        );

        let again = setup::init(&broker, &options()).await.expect("a fleet");
        assert!(
            again
                .parts
                .iter()
                .all(|(_, state)| *state == State::Unchanged),
            "{again:?}"
        );
        assert_eq!(again.settings, first.settings);
        assert!(!again.has_differences());

        let longer = InitOptions {
            max_age: Duration::from_secs(48 * 3_600),
            ..options()
        };
        let different = setup::init(&broker, &longer).await.expect("a fleet");
        let (name, state) = &different.parts[0];
        assert_eq!(name, "RETRANS");
        assert_eq!(
            state.to_string(),
            "different: the maximum age is 86400s, expected 172800s"
        );
        assert!(different.has_differences());

        // The client's own ways to use buckets find them.
        let context = broker.jetstream();
        for bucket in [
            "retrans_settings",
            "retrans_agents",
            "retrans_heads",
            "retrans_leases",
            "retrans_state",
        ] {
            let bucket = context.get_key_value(bucket).await.expect("a bucket");
            bucket
                .put("p.1", "value".into())
                .await
                .expect("an acknowledgement");
            assert_eq!(
                bucket.get("p.1").await.expect("an answer").as_deref(),
                Some(&b"value"[..])
            );
        }
        let large = context
            .get_object_store("retrans_large")
            .await
            .expect("a store");
        large
            .put("p.1", &mut &b"content"[..])
            .await
            .expect("an object");
    });
}

#[test]
fn another_number_of_partitions_is_refused_and_nothing_is_changed() {
    let server = Server::start();
    runtime().block_on(async {
        let broker = connect::connect(&prepared(&server.url()))
            .await
            .expect("a broker");
        setup::init(&broker, &options()).await.expect("a fleet");
        let other = InitOptions {
            partitions: Partitions::DEFAULT,
            ..InitOptions::default()
        };
        let error = setup::init(&broker, &other)
            .await
            .expect_err("another number");
        assert!(
            matches!(
                error,
                InitError::Settings(SettingsError::Partitions {
                    there: 4,
                    expected: 32
                })
            ),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            "the fleet has 4 partitions, and 32 are expected"
        );
    });
}

#[test]
fn two_that_set_up_at_the_same_time_agree() {
    let server = Server::start();
    runtime().block_on(async {
        let broker = connect::connect(&prepared(&server.url()))
            .await
            .expect("a broker");
        let options = options();
        let (first, second) = tokio::join!(
            setup::init(&broker, &options),
            setup::init(&broker, &options)
        );
        let (first, second) = (first.expect("a fleet"), second.expect("a fleet"));
        assert_eq!(first.settings, second.settings);
        assert!(!first.has_differences() && !second.has_differences());
    });
}

#[test]
fn a_connection_that_cannot_be_used_says_why() {
    let error = connect_error(&prepared(&format!(
        "nats://127.0.0.1:{}",
        server::free_port()
    )));
    assert!(
        matches!(error, ConnectError::Unreachable { .. }) && error.may_pass(),
        "{error}"
    );

    let server = Server::with(&Options {
        jetstream: false,
        ..Options::default()
    });
    let error = connect_error(&prepared(&server.url()));
    assert!(matches!(error, ConnectError::NoJetStream { .. }), "{error}");

    let users = "authorization { users: [{ user: \"a\", password: \"a-secret\" }\n\
                 { user: \"b\", password: \"b-secret\", permissions: { publish: [\"x\"] } }] }\n";
    let server = Server::with(&Options {
        more: users.to_owned(),
        ..Options::default()
    });
    let refused = [
        server.url(),
        format!("nats://a:wrong-secret@127.0.0.1:{}", server.port),
    ];
    for url in refused {
        let error = connect_error(&prepared(&url));
        assert!(
            matches!(error, ConnectError::Credentials { .. }) && !error.may_pass(),
            "{error}"
        );
        assert!(!error.to_string().contains("wrong-secret"), "{error}");
    }
    let error = connect_error(&as_user(server.port, "b"));
    assert!(matches!(error, ConnectError::Permission { .. }), "{error}");
    runtime()
        .block_on(connect::connect(&as_user(server.port, "a")))
        .expect("a broker");
}

#[test]
fn a_server_that_is_older_than_2_11_is_refused() {
    let program = server::old_program();
    let version = Command::new(&program).arg("--version").output();
    let version = String::from_utf8(version.expect("a program").stdout).expect("text");
    // Such as "nats-server: v2.9.10".
    let version = version.trim().rsplit('v').next().expect("a version");
    let configuration = "listen: \"127.0.0.1:PORT\"\njetstream { store_dir: \"STORE\" }\n";
    let server = Server::with(&Options {
        program: Some(program),
        configuration: Some(configuration.to_owned()),
        ..Options::default()
    });
    let error = connect_error(&prepared(&server.url()));
    let expected = format!(
        "the broker {} is nats-server {version}: expected 2.11 or later",
        server.url()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn passwords_and_tokens_come_from_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let connect = |server: &Server, access: &Access| {
        let address = server.url().parse().expect("an address");
        let prepared = connect::prepare(address, access, "test").expect("files");
        runtime().block_on(connect::connect(&prepared)).map(drop)
    };
    let more = "authorization { user: \"me\", password: \"secret\" }\n";
    let server = Server::with(&Options {
        more: more.to_owned(),
        ..Options::default()
    });
    let password = Some(file("password", "secret\n"));
    let access = Access {
        user: Some("me".to_owned()),
        password,
        ..Access::default()
    };
    connect(&server, &access).expect("a broker");

    let server = Server::with(&Options {
        more: "authorization { token: \"secret\" }\n".to_owned(),
        ..Options::default()
    });
    connect(
        &server,
        &Access {
            token: Some(file("token", "secret\n")),
            ..Access::default()
        },
    )
    .expect("a broker");

    // A pair of nkeys that is published in the documentation of NATS.
    let more = "authorization { users: [{ nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 }] }\n";
    let server = Server::with(&Options {
        more: more.to_owned(),
        ..Options::default()
    });
    let seed = file(
        "seed",
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n",
    );
    connect(
        &server,
        &Access {
            nkey: Some(seed),
            ..Access::default()
        },
    )
    .expect("a broker");
}

#[test]
fn an_encrypted_connection_needs_a_certificate_of_the_authority() {
    let certificates = tls::Certificates::new();
    let more = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}\n",
        certificates.certificate().display(),
        certificates.key().display()
    );
    let server = Server::with(&Options {
        more,
        ..Options::default()
    });
    let url = format!("tls://127.0.0.1:{}", server.port);
    let error = connect_error(&prepared(&url));
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let access = Access {
        ca: Some(certificates.authority()),
        ..Access::default()
    };
    let trusting =
        connect::prepare(url.parse().expect("an address"), &access, "test").expect("files");
    assert_eq!(trusting.files(), [certificates.authority()]);
    runtime()
        .block_on(connect::connect(&trusting))
        .expect("a broker");
}

#[test]
fn two_agents_of_one_name_are_told() {
    let server = Server::start();
    runtime().block_on(async {
        let broker = connect::connect(&prepared(&server.url()))
            .await
            .expect("a broker");
        setup::init(&broker, &options()).await.expect("a fleet");
    });
    let report = || {
        runtime().block_on(async {
            let broker = connect::connect(&prepared(&server.url()))
                .await
                .expect("a broker");
            let agents = broker
                .jetstream()
                .get_key_value(names::AGENTS_BUCKET)
                .await
                .expect("a bucket");
            agents
                .entry("web-1=2Eexample=2Ecom")
                .await
                .expect("an answer")
                .map(|entry| entry.revision)
        })
    };
    let first = Publisher::start(config(&server.url(), 1)).expect("a publisher");
    eventually("a report", report);
    let mut other = config(&server.url(), 2);
    other.run.boot = "boot-2".to_owned();
    let second = Publisher::start(other).expect("a publisher");
    eventually("a second report", || {
        report().filter(|revision| *revision == 2)
    });
    let cause = finish(first).last_error.expect("a warning").cause;
    assert!(
        cause.starts_with(
            "another agent publishes under the name \"web-1.example.com\": its boot is boot-2"
        ),
        "{cause}"
    );
    finish(second);
}
