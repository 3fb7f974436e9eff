//! Chains that record what they are given, and whose state shows whether each frame was counted once.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use retrans_fleet::consume::Accept;
use retrans_fleet::consume::Break;
use retrans_fleet::consume::ChainEnds;
use retrans_fleet::consume::Chains;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Cursors;
use retrans_fleet::consume::Line;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::Work;
use retrans_fleet::partition::Partition;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::mpsc;

use super::prepared;
use super::server::Server;

/// The state of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub frames: u64,
    pub bytes: u64,
    pub duplicates: u64,
    pub missing: u64,
    /// Over all identifiers in order.
    pub hash: u64,
}

/// What has happened to a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Begun {
        partition: Partition,
        snapshot: Option<u64>,
    },
    Frame {
        partition: Partition,
        sequence: u64,
    },
    Damaged {
        partition: Partition,
        reason: String,
    },
    Break(Break),
    /// It was to release: true. Its work has ended otherwise: false.
    Ended {
        partition: Partition,
        is_released: bool,
    },
}

/// How chains behave.
#[derive(Clone)]
pub struct Recorder {
    pub events: Arc<Mutex<Vec<Event>>>,
    /// A snapshot after this many frames.
    pub every: u64,
    /// A line for each frame.
    pub prints: bool,
    /// Bytes that are added to the state.
    pub padding: usize,
}

impl Recorder {
    pub fn new(every: u64) -> Recorder {
        Recorder {
            events: Arc::default(),
            every,
            prints: false,
            padding: 0,
        }
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("a lock").clone()
    }

    /// The sequences of frames of this partition, in the order in which they came.
    pub fn frames(&self, of: Partition) -> Vec<u64> {
        let sequence = |event: Event| match event {
            Event::Frame {
                partition,
                sequence,
            } if partition == of => Some(sequence),
            _ => None,
        };
        self.events().into_iter().filter_map(sequence).collect()
    }

    pub fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| is_it(event)).count()
    }

    fn record(&self, event: Event) {
        self.events.lock().expect("a lock").push(event);
    }
}

impl Chains for Recorder {
    fn begin(
        &mut self,
        partition: Partition,
        snapshot: Option<Snapshot>,
    ) -> Result<ChainEnds, String> {
        self.record(Event::Begun {
            partition,
            snapshot: snapshot.as_ref().map(|snapshot| snapshot.sequence),
        });
        let (work, works) = mpsc::channel(16);
        let (sender, snapshots) = mpsc::channel(4);
        let (line_sender, lines) = mpsc::channel(16);
        let recorder = self.clone();
        std::thread::spawn(move || {
            run(&recorder, partition, snapshot, works, &sender, &line_sender);
        });
        Ok(ChainEnds {
            work,
            snapshots,
            lines,
        })
    }
}

fn run(
    recorder: &Recorder,
    partition: Partition,
    snapshot: Option<Snapshot>,
    mut works: mpsc::Receiver<Work>,
    snapshots: &mpsc::Sender<Snapshot>,
    lines: &mpsc::Sender<Line>,
) {
    let mut cursors = Cursors::new(Duration::from_secs(86_400));
    let (mut state, mut sequence) = (State::default(), 0);
    if let Some(snapshot) = snapshot {
        state = serde_json::from_value(snapshot.counts).expect("a value");
        cursors = snapshot.cursors;
        sequence = snapshot.sequence;
    }
    let save = |state: &State, cursors: &Cursors, sequence: u64| {
        let _ = snapshots.blocking_send(Snapshot {
            sequence,
            chain: "chain".to_owned(),
            cursors: cursors.clone(),
            counts: serde_json::to_value(state).expect("a value"),
            body: vec![7; recorder.padding],
        });
    };
    let mut is_released = false;
    while let Some(work) = works.blocking_recv() {
        match work {
            Work::Release => {
                save(&state, &cursors, sequence);
                is_released = true;
            }
            Work::Break(found) => recorder.record(Event::Break(found)),
            Work::Message(message) => {
                sequence = message.sequence;
                match message.content {
                    Content::Tick => {}
                    Content::Damaged { reason, .. } => {
                        recorder.record(Event::Damaged { partition, reason });
                    }
                    Content::Frame(frame) => {
                        assert_eq!(frame.head.bytes(), super::HEAD);
                        match cursors.accept(&frame.id, message.stamped) {
                            Accept::Duplicate => state.duplicates += 1,
                            Accept::New { missing } => {
                                state.missing += missing;
                                state.frames += 1;
                                state.bytes += frame.payload.len() as u64;
                                state.hash = hash(state.hash, &frame.id.to_string());
                            }
                        }
                        recorder.record(Event::Frame {
                            partition,
                            sequence,
                        });
                        if recorder.prints {
                            let _ = lines.blocking_send(Line {
                                sequence,
                                plugin: "test".to_owned(),
                                index: 0,
                                text: Bytes::from(frame.id.to_string()),
                            });
                        }
                        if (state.frames + state.duplicates) % recorder.every == 0 {
                            save(&state, &cursors, sequence);
                        }
                    }
                }
            }
        }
    }
    recorder.record(Event::Ended {
        partition,
        is_released,
    });
}

pub fn hash(before: u64, text: &str) -> u64 {
    text.bytes().fold(before, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Starts a member.
pub fn start(server: &Server, name: &str, choice: Choice, recorder: &Recorder) -> Member {
    let config = MemberConfig {
        broker: prepared(server),
        name: name.to_owned(),
        choice,
        partitions: None,
        fresh: StartAt::Beginning,
    };
    Member::start(config, recorder.clone()).expect("a member")
}
