//! Chains that fail, hang or are slow; and the rights that a consumer needs.

mod consume_support;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use consume_support::HEAD;
use consume_support::chains::Recorder;
use consume_support::chains::start;
use consume_support::eventually;
use consume_support::fleet;
use consume_support::frame_id;
use consume_support::publish;
use consume_support::server::Options;
use consume_support::server::Server;
use retrans_fleet::connect;
use retrans_fleet::connect::Access;
use retrans_fleet::consume::ChainEnds;
use retrans_fleet::consume::Chains;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::Work;
use retrans_fleet::head::HeadDigest;
use retrans_fleet::names;
use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;
use retrans_fleet::setup;
use retrans_fleet::setup::InitOptions;
use retrans_fleet::setup::Secret;
use retrans_fleet::setup::ServerOptions;
use retrans_fleet::setup::server_configuration;
use tokio::sync::mpsc;

fn config(server: &Server) -> MemberConfig {
    MemberConfig {
        broker: consume_support::prepared(server),
        name: "one".to_owned(),
        choice: Choice::All,
        partitions: None,
        fresh: StartAt::Beginning,
    }
}

struct Refusing;

impl Chains for Refusing {
    fn begin(&mut self, _: Partition, _: Option<Snapshot>) -> Result<ChainEnds, String> {
        Err("no plugin".to_owned())
    }
}

#[tokio::test]
async fn a_partition_whose_chain_does_not_begin_is_left_to_others() {
    let (server, _broker) = fleet(2).await;
    let refusing = Member::start(config(&server), Refusing).expect("a member");
    eventually("an error", async || {
        let error = refusing.status().last_error?;
        error.contains("is given up: no plugin").then_some(())
    })
    .await;
    let recorder = Recorder::new(10);
    let begin = Instant::now();
    let other = start(&server, "other", Choice::All, &recorder);
    eventually("both partitions", async || {
        (other.status().partitions.len() == 2).then_some(())
    })
    .await;
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    assert!(refusing.status().partitions.is_empty());
    other
        .stop(Duration::from_secs(10))
        .expect("an end in order");
    refusing
        .stop(Duration::from_secs(10))
        .expect("an end in order");
}

/// Takes nothing, or takes slowly what it is given.
struct Slow {
    pause: Option<Duration>,
    taken: Arc<Mutex<Vec<u64>>>,
    ends: Vec<(mpsc::Receiver<Work>, mpsc::Sender<Snapshot>)>,
}

impl Chains for Slow {
    fn begin(&mut self, _: Partition, _: Option<Snapshot>) -> Result<ChainEnds, String> {
        let (work, mut works) = mpsc::channel(1);
        let (snapshot_sender, snapshots) = mpsc::channel(1);
        let (_, lines) = mpsc::channel(1);
        match self.pause {
            None => self.ends.push((works, snapshot_sender)),
            Some(pause) => {
                let taken = Arc::clone(&self.taken);
                std::thread::spawn(move || {
                    while let Some(work) = works.blocking_recv() {
                        if let Work::Message(message) = work
                            && let Content::Frame(frame) = message.content
                        {
                            std::thread::sleep(pause);
                            taken.lock().expect("a lock").push(frame.id.number);
                        }
                    }
                    drop(snapshot_sender);
                });
            }
        }
        Ok(ChainEnds {
            work,
            snapshots,
            lines,
        })
    }
}

#[tokio::test]
async fn a_chain_that_hangs_does_not_hold_up_the_end() {
    let (server, broker) = fleet(2).await;
    let hanging = Slow {
        pause: None,
        taken: Arc::default(),
        ends: Vec::new(),
    };
    let member = Member::start(config(&server), hanging).expect("a member");
    for number in 0..10 {
        let id = frame_id("web-1", 1_700_000_000, 0, number);
        publish(&broker, "web-1", &id, Bytes::new()).await;
    }
    eventually("a message", async || {
        member.status().partitions.get(&Partition(0))?.delivered
    })
    .await;
    let begin = Instant::now();
    let error = member
        .stop(Duration::from_secs(1))
        .expect_err("partitions that hang");
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(error.partitions, [Partition(0), Partition(1)]);
    let text = error.to_string();
    assert!(
        text.starts_with("partitions 0, 1 were not released within 1s"),
        "{text}"
    );
}

#[tokio::test]
async fn a_slow_chain_is_given_all_messages_and_others_go_on() {
    const FRAMES: u64 = 400;
    let (server, broker) = fleet(1).await;
    let payload = Bytes::from(vec![0; 100_000]);
    for number in 0..FRAMES {
        let id = frame_id("web-1", 1_700_000_000, 0, number);
        publish(&broker, "web-1", &id, payload.clone()).await;
    }
    let taken = Arc::new(Mutex::new(Vec::new()));
    let slow = Slow {
        // 40 MB, of which about 2 MB are on their way at a time.
        pause: Some(Duration::from_millis(20)),
        taken: Arc::clone(&taken),
        ends: Vec::new(),
    };
    let member = Member::start(config(&server), slow).expect("a member");
    eventually("all frames", async || {
        (taken.lock().expect("a lock").len() as u64 == FRAMES).then_some(())
    })
    .await;
    assert!(taken.lock().expect("a lock").iter().copied().eq(0..FRAMES));
    assert_eq!(member.status().lost, 0);
}

/// The configuration that `fleet init` prints permits all that a consumer does.
#[tokio::test]
async fn a_consumer_needs_no_more_rights_than_it_is_given() {
    let options = ServerOptions {
        listen: "127.0.0.1:PORT".to_owned(),
        store: "STORE".into(),
        certificate: None,
        admin: Secret::Password("one".to_owned()),
        consumer: Secret::Password("two".to_owned()),
        agents: Vec::new(),
    };
    let server = Server::with(&Options {
        configuration: Some(server_configuration(&options)),
        ..Options::default()
    });
    let prepared = |user: &str| {
        let url = server.url().replace("nats://", &format!("nats://{user}@"));
        let address = url.parse().expect("an address");
        connect::prepare(address, &Access::default(), "test").expect("nothing to read")
    };
    let admin = connect::connect(&prepared("admin:one"))
        .await
        .expect("a connection");
    let init = InitOptions {
        partitions: Partitions::new(2).expect("a number"),
        ..InitOptions::default()
    };
    setup::init(&admin, &init).await.expect("a fleet");
    let digest = HeadDigest::of(HEAD).to_string();
    consume_support::put(&admin, names::HEADS_BUCKET, &digest, HEAD).await;
    for number in 0..25 {
        let id = frame_id("web-1", 1_700_000_000, 0, number);
        publish(&admin, "web-1", &id, Bytes::from_static(b"frame")).await;
    }
    for padding in [0, 3_000_000, 3_000_000, 0] {
        let recorder = Recorder {
            prints: true,
            padding,
            ..Recorder::new(10)
        };
        let config = MemberConfig {
            broker: prepared("consumer:two"),
            ..config(&server)
        };
        let member = Member::start(config, recorder.clone()).expect("a member");
        eventually("ticks that were read", async || {
            let status = member.status();
            let is_read = |partition| status.partitions.get(&Partition(partition))?.delivered;
            is_read(0).and(is_read(1))
        })
        .await;
        let broker = connect::connect(&prepared("consumer:two"))
            .await
            .expect("a connection");
        let status = retrans_fleet::status::read_status(&broker)
            .await
            .expect("a status");
        assert_eq!(status.consumers.len(), 1);
        let error = member.status().last_error;
        member
            .stop(Duration::from_secs(20))
            .expect("an end in order");
        assert_eq!(error, None);
    }
    // Objects of snapshots that were replaced could be deleted.
    let objects = admin
        .jetstream()
        .get_stream(format!("OBJ_{}", names::LARGE_BUCKET))
        .await;
    assert_eq!(
        objects
            .expect("an object store")
            .cached_info()
            .state
            .messages,
        0
    );
}
