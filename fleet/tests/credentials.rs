//! Users whom a credentials file proves, at a server in operator mode: they may do what their JWTs allow, until these
//! expire.

#![allow(clippy::duplicate_mod, reason = "both supports use the server")]

mod consume_support;
mod support;

use std::time::Instant;

use consume_support::chains::Recorder;
use consume_support::frames::saved;
use retrans_fleet::connect;
use retrans_fleet::connect::Broker;
use retrans_fleet::connect::ConnectError;
use retrans_fleet::connect::Prepared;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::names::HostToken;
use retrans_fleet::partition::Partition;
use retrans_fleet::publish::Publisher;
use retrans_fleet::setup;
use retrans_fleet::setup::Secret;
use retrans_fleet::setup::ServerOptions;
use support::PATIENCE;
use support::eventually;
use support::fleet::config;
use support::fleet::finish;
use support::fleet::options;
use support::fleet::partitions;
use support::fleet::publish;
use support::fleet::runtime;
use support::fleet::wait_for_acknowledged;
use support::jwt::Operated;
use support::jwt::Rights;
use support::jwt::now;

/// The host of the agent.
const HOST: &str = "web-1.example.com";

/// The subjects that the configuration of a server with passwords gives to a user. They are what a JWT has to allow.
fn rights(user: &str) -> Rights {
    let secret = || Secret::Password("secret".to_owned());
    let text = setup::server_configuration(&ServerOptions {
        listen: "127.0.0.1:4222".to_owned(),
        store: "store".into(),
        certificate: None,
        admin: secret(),
        consumer: secret(),
        agents: vec![(HostToken::of(HOST), secret())],
    });
    let begin = text.find(&format!("user: \"{user}\"")).expect("a user");
    let subjects = |what: &str| {
        let (_, list) = text[begin..]
            .split_once(&format!("{what}: ["))
            .expect("a list");
        let (list, _) = list.split_once(']').expect("an end");
        let lines = list.lines().map(|line| line.trim().trim_matches('"'));
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    Rights {
        publish: subjects("publish"),
        subscribe: subjects("subscribe"),
    }
}

/// A server that its administrator has set up, and a connection of the administrator.
fn fleet() -> (Operated, tokio::runtime::Runtime, Broker) {
    let operated = Operated::start();
    let runtime = runtime();
    let broker = runtime.block_on(async {
        let broker = connect::connect(&operated.admin()).await.expect("a broker");
        setup::init(&broker, &options()).await.expect("a fleet");
        broker
    });
    (operated, runtime, broker)
}

/// A publisher with this access.
fn publisher(operated: &Operated, access: Prepared, start: u64) -> Publisher {
    let mut config = config(&operated.server.url(), start);
    config.broker = access;
    Publisher::start(config).expect("a publisher")
}

/// Access as the agent of the host.
fn agent(operated: &Operated, expires: Option<u64>) -> Prepared {
    let rights = rights("agent-web-1=2Eexample=2Ecom");
    operated.access(operated.credentials("agent", &rights, expires))
}

fn member(access: Prepared, recorder: &Recorder) -> Member {
    let config = MemberConfig {
        broker: access,
        name: "one".to_owned(),
        choice: Choice::All,
        partitions: Some(partitions()),
        fresh: StartAt::Beginning,
    };
    Member::start(config, recorder.clone()).expect("a member")
}

#[test]
fn a_fleet_is_set_up_published_to_and_consumed_with_credentials_files() {
    let (operated, runtime, broker) = fleet();
    let publisher = publisher(&operated, agent(&operated, Some(now() + 3_600)), 1);
    publish(&publisher, 0..400);
    let counted = finish(publisher);
    assert_eq!(
        (counted.acknowledged.frames, counted.last_error),
        (400, None)
    );
    let credentials = operated.credentials("consumer", &rights("consumer"), None);
    let member = member(operated.access(credentials), &Recorder::new(10));
    eventually("all frames in the states", || {
        let is_counted = |partition| {
            let state = runtime.block_on(saved(&broker, partition))?;
            (state.frames == 100 && state.bytes == 100_000).then_some(())
        };
        partitions().all().try_for_each(is_counted)
    });
    member.stop(PATIENCE).expect("an end in order");
}

#[test]
fn a_credentials_file_may_end_with_the_seed_and_have_lines_of_windows() {
    let (operated, runtime, _) = fleet();
    let path = operated.credentials("admin", &Rights::default(), None);
    let text = std::fs::read_to_string(&path).expect("a file");
    let end = "------END USER NKEY SEED------";
    let (begin, _) = text.split_once(end).expect("a seed");
    for text in [
        format!("{begin}{end}\n"),
        format!("{begin}{end}"),
        text.replace('\n', "\r\n"),
    ] {
        std::fs::write(&path, &text).expect("a file");
        let connected = runtime.block_on(connect::connect(&operated.access(path.clone())));
        connected.unwrap_or_else(|error| panic!("{error}: {text:?}"));
    }
}

#[test]
fn a_jwt_that_allows_one_host_is_refused_the_subject_of_another() {
    let (operated, _, _) = fleet();
    let mut rights = rights("agent-web-1=2Eexample=2Ecom");
    // Its own inbox would be refused before.
    rights.subscribe = vec!["_INBOX_web-2.>".to_owned()];
    rights.publish.push("$JS.API.DIRECT.GET.>".to_owned());
    let credentials = operated.credentials("agent", &rights, None);
    let mut config = config(&operated.server.url(), 1);
    config.host = HostToken::of("web-2");
    config.broker = operated.access(credentials);
    let publisher = Publisher::start(config).expect("a publisher");
    publisher.publish(Partition(0), b"frame".to_vec(), 5);
    let cause = eventually("a refusal", || publisher.counted().last_error).cause;
    let expected = "the broker does not permit to publish as web-2: \
                    Permissions Violation for Publish to \"retrans.v1.ev.0.web-2\"";
    assert_eq!(cause, expected);
    let counted = publisher.finish(PATIENCE);
    assert_eq!(
        (counted.acknowledged.frames, counted.dropped.events),
        (0, 5)
    );
}

/// The words about credentials that expired.
fn expired_words(operated: &Operated) -> String {
    format!(
        "the broker {} refuses the connection (authorization violation",
        operated.server.url()
    )
}

#[test]
fn a_jwt_that_has_expired_is_refused_and_the_error_says_when_it_expired() {
    let (operated, runtime, _) = fleet();
    let credentials = operated.credentials("old", &Rights::default(), Some(1_700_000_000));
    let refused = runtime.block_on(connect::connect(&operated.access(credentials)));
    let error = refused.expect_err("an error");
    assert!(matches!(error, ConnectError::Expired { .. }), "{error}");
    assert!(!error.may_pass());
    let error = error.to_string();
    assert!(error.starts_with(&expired_words(&operated)), "{error}");
    let end = "the JWT of the credentials file expired at 2023-11-14 22:13:20 UTC; make a new file, and start again";
    assert!(error.ends_with(end), "{error}");

    // One of an account that the server does not know has not expired.
    let other = Operated::start();
    let unknown = other.credentials("unknown", &Rights::default(), Some(now() + 3_600));
    let refused = runtime.block_on(connect::connect(&operated.access(unknown)));
    let error = refused.expect_err("an error");
    assert!(matches!(error, ConnectError::Credentials { .. }), "{error}");
}

#[test]
fn a_jwt_that_expires_while_it_is_used_is_told_and_the_next_run_sends_what_was_kept() {
    let (operated, _, _) = fleet();
    let expires = now() + 10;
    let consumer = operated.credentials("consumer", &rights("consumer"), Some(expires));
    let member = member(operated.access(consumer), &Recorder::new(10));
    let directory = tempfile::tempdir().expect("a directory");
    let with_spool = |start: u64, access: Prepared| {
        let mut config = config(&operated.server.url(), start);
        config.broker = access;
        config.spool.directory = Some(directory.path().to_owned());
        Publisher::start(config).expect("a publisher")
    };
    let publisher = with_spool(1, agent(&operated, Some(expires)));
    publish(&publisher, 0..4);
    wait_for_acknowledged(&publisher, 4);
    // Nothing can be sent once both have expired.
    eventually("a consumer that is refused", || {
        let problem = member.status().problem?;
        problem.starts_with(&expired_words(&operated)).then_some(())
    });
    publish(&publisher, 4..40);
    let cause = eventually("a refusal", || {
        let cause = publisher.counted().last_error?.cause;
        cause
            .contains("the JWT of the credentials file expired at")
            .then_some(cause)
    });
    assert!(cause.starts_with(&expired_words(&operated)), "{cause}");
    // What a person has to change is not waited for.
    let begin = Instant::now();
    let counted = publisher.finish(PATIENCE);
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(
        (counted.acknowledged.frames, counted.queued.frames),
        (4, 36)
    );
    let publisher = with_spool(2, agent(&operated, None));
    let counted = finish(publisher);
    assert_eq!(
        (counted.inherited.frames, counted.acknowledged.frames),
        (36, 36)
    );
    member.stop(PATIENCE).expect("an end in order");
}
