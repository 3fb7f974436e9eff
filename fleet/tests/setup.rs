//! Connecting to a real nats-server, and setting it up: what is made, what is refused, and which rights each role has.

mod support;

#[path = "../../deliver/tests/support/tls.rs"]
mod tls;

use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt as _;
use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::connect::Broker;
use retrans_fleet::connect::ConnectError;
use retrans_fleet::connect::Prepared;
use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::InitError;
use retrans_fleet::setup::InitOptions;
use retrans_fleet::setup::Secret;
use retrans_fleet::setup::ServerOptions;
use retrans_fleet::setup::SettingsError;
use retrans_fleet::setup::State;
use support::PATIENCE;
use support::eventually;
use support::fleet::HEAD;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::partitions;
use support::fleet::prepared;
use support::fleet::publish;
use support::fleet::runtime;
use support::server;
use support::server::Options;
use support::server::Server;
use tokio::io::AsyncReadExt as _;

fn options() -> InitOptions {
    InitOptions {
        partitions: partitions(),
        ..InitOptions::default()
    }
}

/// The error of a connection.
fn connect_error(prepared: &Prepared) -> ConnectError {
    let connected = runtime().block_on(connect::connect(prepared));
    connected.expect_err("an error")
}

fn as_user(port: u16, user: &str) -> Prepared {
    prepared(&format!("nats://{user}:{user}-secret@127.0.0.1:{port}"))
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

/// A server with the configuration that the crate makes, for two hosts, after a change of its text.
fn configured(change: impl FnOnce(String) -> String) -> Server {
    let password = |name: &str| Secret::Password(format!("{name}-secret"));
    let configuration = setup::server_configuration(&ServerOptions {
        listen: "127.0.0.1:PORT".to_owned(),
        store: "STORE".into(),
        certificate: None,
        admin: password("admin"),
        consumer: password("consumer"),
        agents: ["web-1.example.com", "web-2"]
            .map(|name| (HostToken::of(name), password(&agent(name))))
            .into(),
    });
    let server = Server::with(&Options {
        configuration: Some(change(configuration)),
        ..Options::default()
    });
    runtime().block_on(async {
        let broker = connect::connect(&as_user(server.port, "admin"))
            .await
            .expect("a broker");
        setup::init(&broker, &options()).await.expect("a fleet");
    });
    server
}

/// The user of the agent of a host.
fn agent(host: &str) -> String {
    format!("agent-{}", HostToken::of(host).as_str())
}

#[test]
fn the_configuration_is_valid_with_and_without_certificates_and_nkeys() {
    let certificates = tls::Certificates::new();
    for certificate in [None, Some((certificates.certificate(), certificates.key()))] {
        let key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
        let configuration = setup::server_configuration(&ServerOptions {
            listen: "127.0.0.1:4222".to_owned(),
            store: "/var/lib/nats".into(),
            certificate,
            admin: Secret::Password("with \"quotes\" and $ \\".to_owned()),
            consumer: Secret::Nkey(key.to_owned()),
            agents: vec![(HostToken::of(""), Secret::Password("$2a$11$x".to_owned()))],
        });
        let words = server::check(&configuration)
            .unwrap_or_else(|words| panic!("{words}\n{configuration}"));
        assert!(words.contains("is valid"), "{words}");
    }
}

#[test]
fn an_agent_publishes_as_itself_and_is_refused_as_another_host() {
    const HOST: &str = "web-1.example.com";
    let own_inbox = connect::agent_inbox(&HostToken::of(HOST));
    for (may_use_any_inbox, expected) in [
        (
            false,
            "Permissions Violation for Subscription to \"_INBOX_web-2.",
        ),
        (
            true,
            "Permissions Violation for Publish to \"retrans.v1.ev.0.web-2\"",
        ),
    ] {
        let server = configured(|text| match may_use_any_inbox {
            true => text.replace(&format!("{own_inbox}.>"), ">").replace(
                "\"$KV.retrans_agents.web-1=2Eexample=2Ecom\"",
                "\"$JS.API.DIRECT.GET.>\"",
            ),
            false => text,
        });
        let mut own = config(&server.url(), 1);
        own.broker = as_user(server.port, &agent(HOST));
        let publisher = Publisher::start(own).expect("a publisher");
        publish(&publisher, 0..40);
        let counted = finish(publisher);
        assert_eq!(
            (counted.acknowledged.frames, counted.last_error),
            (40, None)
        );

        let mut other = config(&server.url(), 2);
        other.host = HostToken::of("web-2");
        other.broker = as_user(server.port, &agent(HOST));
        let publisher = Publisher::start(other).expect("a publisher");
        publisher.publish(Partition(0), b"frame".to_vec(), 5);
        let cause = eventually("a refusal", || publisher.counted().last_error).cause;
        assert!(cause.contains(expected), "{cause}");
        let counted = publisher.finish(PATIENCE);
        assert_eq!(
            (counted.acknowledged.frames, counted.dropped.events),
            (0, 5),
            "{counted:?}"
        );

        // Nothing but the first agent's frames is there, and its head.
        runtime().block_on(async {
            let broker = connect::connect(&as_user(server.port, "admin"))
                .await
                .expect("a broker");
            let context = broker.jetstream();
            let stream = context.get_stream(names::STREAM).await.expect("a stream");
            assert_eq!(stream.cached_info().state.messages, 40);
            let heads = context
                .get_key_value(names::HEADS_BUCKET)
                .await
                .expect("a bucket");
            let head = heads.get(HeadDigest::of(HEAD).to_string()).await;
            assert_eq!(head.expect("an answer").as_deref(), Some(HEAD));
            let agents = context
                .get_key_value(names::AGENTS_BUCKET)
                .await
                .expect("a bucket");
            let report = agents.get("web-2").await;
            assert_eq!(report.expect("an answer"), None);
        });
    }
}

#[test]
fn a_publisher_with_a_wrong_password_keeps_its_frames_and_says_why() {
    let server = configured(|text| text);
    let directory = tempfile::tempdir().expect("a directory");
    let with_password = |start: u64, password: &str| {
        let user = agent("web-1.example.com");
        let mut config = config(&server.url(), start);
        config.broker = prepared(&format!(
            "nats://{user}:{password}@127.0.0.1:{}",
            server.port
        ));
        config.spool.directory = Some(directory.path().to_owned());
        Publisher::start(config).expect("a publisher")
    };
    let publisher = with_password(1, "wrong");
    publish(&publisher, 0..40);
    let cause = eventually("a refusal", || publisher.counted().last_error).cause;
    let expected = format!(
        "the broker {} refuses the connection (authorization violation",
        server.url()
    );
    assert!(cause.starts_with(&expected), "{cause}");
    let counted = publisher.finish(Duration::ZERO);
    assert_eq!((counted.queued.frames, counted.dropped.frames), (40, 0));
    let publisher = with_password(2, "agent-web-1=2Eexample=2Ecom-secret");
    let counted = finish(publisher);
    assert_eq!(
        (counted.inherited.frames, counted.acknowledged.frames),
        (40, 40)
    );
}

/// Publishes with a user of the configured server. Returns whether the broker took it.
async fn may_publish(broker: &Broker, subject: &str) -> bool {
    let mut context = broker.jetstream().clone();
    context.set_timeout(Duration::from_millis(500));
    let sent = context
        .publish(subject.to_owned(), "x".into())
        .await
        .expect("a connection");
    sent.await.is_ok()
}

/// Uses each way of the client that a consumer may need.
async fn read_as_a_consumer(broker: &Broker, stream: Stream) {
    let ordered = pull::OrderedConfig {
        filter_subject: "retrans.v1.*.3.>".to_owned(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: 1 },
        ..pull::OrderedConfig::default()
    };
    let consumer = stream.create_consumer(ordered).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    let message = messages
        .next()
        .await
        .expect("a message")
        .expect("a message");
    assert_eq!(message.subject.as_str(), "retrans.v1.ev.3.web-2");

    let context = broker.jetstream();
    let leases = context
        .get_key_value(names::LEASES_BUCKET)
        .await
        .expect("a bucket");
    let mut leases_seen = leases.watch_with_history(">").await.expect("a watch");
    let lease = leases_seen.next().await.expect("a lease").expect("a lease");
    let revision = leases
        .update("p.1", "mine".into(), lease.revision)
        .await
        .expect("a revision");
    assert!(
        leases
            .update("p.1", "mine".into(), lease.revision)
            .await
            .is_err()
    );
    leases
        .delete_expect_revision("p.1", Some(revision))
        .await
        .expect("an acknowledgement");
    let agents = context
        .get_key_value(names::AGENTS_BUCKET)
        .await
        .expect("a bucket");
    let keys: Vec<_> = agents.keys().await.expect("keys").collect().await;
    assert_eq!(keys.len(), 1);

    let large = context
        .get_object_store(names::LARGE_BUCKET)
        .await
        .expect("a store");
    for content in [vec![1; 300_000], vec![2; 200_000]] {
        large
            .put("p.1", &mut &content[..])
            .await
            .expect("an object");
        let mut object = large.get("p.1").await.expect("an object");
        let mut read = Vec::new();
        object.read_to_end(&mut read).await.expect("content");
        assert_eq!(read, content);
    }
    large.delete("p.1").await.expect("an acknowledgement");
}

#[test]
fn each_role_may_write_what_it_needs_and_nothing_else() {
    let server = configured(|text| text);
    let as_agent = |host: &str| as_user(server.port, &agent(host)).of_agent(&HostToken::of(host));
    runtime().block_on(async {
        let broker = connect::connect(&as_agent("web-2"))
            .await
            .expect("a broker");
        assert!(
            may_publish(
                &broker,
                &names::events_subject(Partition(3), &HostToken::of("web-2"))
            )
            .await
        );
        assert!(may_publish(&broker, "$KV.retrans_agents.web-2").await);
        for subject in [
            "retrans.v1.ev.3.web-1=2Eexample=2Ecom",
            "retrans.v1.tick.3",
            "retrans.v1.out.3",
            "$KV.retrans_agents.web-1=2Eexample=2Ecom",
            "$KV.retrans_settings.fleet",
            "$KV.retrans_leases.p.1",
            "$KV.retrans_state.p.1",
        ] {
            assert!(!may_publish(&broker, subject).await, "{subject}");
        }
        // It can neither delete the stream nor read it.
        let mut context = broker.jetstream().clone();
        context.set_timeout(Duration::from_millis(500));
        assert!(context.delete_stream(names::STREAM).await.is_err());
        assert!(context.get_stream(names::STREAM).await.is_err());
        assert!(setup::read_settings(&broker).await.is_ok());

        let broker = connect::connect(&as_user(server.port, "consumer"))
            .await
            .expect("a broker");
        for subject in [
            "retrans.v1.tick.3",
            "retrans.v1.out.3",
            "$KV.retrans_leases.p.1",
            "$KV.retrans_state.p.1",
        ] {
            assert!(may_publish(&broker, subject).await, "{subject}");
        }
        for subject in [
            "retrans.v1.ev.3.web-2",
            "$KV.retrans_settings.fleet",
            "$KV.retrans_agents.web-2",
        ] {
            assert!(!may_publish(&broker, subject).await, "{subject}");
        }
        let mut context = broker.jetstream().clone();
        context.set_timeout(Duration::from_millis(500));
        assert!(context.delete_stream(names::STREAM).await.is_err());
        let stream = context.get_stream(names::STREAM).await.expect("a stream");
        read_as_a_consumer(&broker, stream).await;
        assert!(setup::read_settings(&broker).await.is_ok());
    });
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
