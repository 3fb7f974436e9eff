//! The configuration of a server: it is valid, and gives each role what it needs and no more.

mod support;

#[path = "../../deliver/tests/support/tls.rs"]
#[allow(dead_code, reason = "another test program uses the rest")]
mod tls;

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt as _;
use retrans_fleet::connect;
use retrans_fleet::connect::Broker;
use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::Secret;
use retrans_fleet::setup::ServerOptions;
use support::PATIENCE;
use support::eventually;
use support::fleet::HEAD;
use support::fleet::as_user;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::options;
use support::fleet::prepared;
use support::fleet::publish;
use support::fleet::runtime;
use support::server;
use support::server::Options;
use support::server::Server;
use tokio::io::AsyncReadExt as _;

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
