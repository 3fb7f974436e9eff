//! The log against a model: whatever is done with it, frames leave it in order, and are counted once.

use std::path::Path;

use bytes::Bytes;

use super::Outgoing;
use super::Spool;
use super::SpoolConfig;
use crate::names::AgentRun;
use crate::partition::Partition;

const MAX_BYTES: u64 = 8_000;

/// Numbers that are the same for a seed: a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn open(start: u64, directory: Option<&Path>) -> Spool {
    let run = AgentRun {
        boot: "boot".to_owned(),
        start,
    };
    let config = SpoolConfig {
        directory: directory.map(Path::to_owned),
        max_bytes: MAX_BYTES,
    };
    Spool::open(run, b"head".to_vec(), &config).expect("a spool")
}

fn append(spool: &mut Spool, partition: u16, length: usize) {
    let frame = Bytes::from(vec![partition as u8; length]);
    spool.append(Partition(partition), frame, length as u64 % 7);
}

fn check(spool: &Spool) {
    let counts = spool.counts();
    assert!(counts.balances(), "{counts:?}");
    assert!(counts.spool_bytes <= MAX_BYTES, "{counts:?}");
    let bytes: u64 = spool.segments.iter().map(|segment| segment.bytes).sum();
    assert_eq!(counts.spool_bytes, bytes);
    let live: usize = spool.segments.iter().map(|segment| segment.live).sum();
    assert_eq!(counts.queued.frames, live as u64);
}

/// The size of the files.
fn size(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).expect("a directory");
    let files = files.map(|file| file.expect("a file"));
    let frames = files.filter(|file| file.path().extension().is_some_and(|name| name == "frames"));
    frames
        .map(|file| file.metadata().expect("a file").len())
        .sum()
}

/// Does what a caller and a sender may do, in an order that the seed decides.
fn run(seed: u64, directory: Option<&Path>) {
    let mut random = Random(seed);
    let mut start = 0;
    let mut spool = open(start, directory);
    let mut out: Vec<Outgoing> = Vec::new();
    // The next number that may be sent: of each run and partition.
    let mut next = [[0; 3]; 4];
    for step in 0..400 {
        match random.below(10) {
            0..4 => append(
                &mut spool,
                random.below(3) as u16,
                random.below(600) as usize,
            ),
            4..7 => {
                let Some(outgoing) = spool.next() else {
                    continue;
                };
                let (partition, frame) = (outgoing.id.partition, outgoing.frame());
                let frame = frame.expect("a frame");
                assert!(frame.iter().all(|byte| u16::from(*byte) == partition.0));
                assert_eq!(frame.len() as u64 % 7, outgoing.events);
                let next = &mut next[outgoing.id.run.start as usize][usize::from(partition.0)];
                assert!(
                    outgoing.id.number >= *next,
                    "seed {seed}, step {step}: {outgoing:?}"
                );
                *next = outgoing.id.number;
                assert!(out.iter().all(|other| other.id.partition != partition));
                out.push(outgoing);
            }
            7..9 if !out.is_empty() => {
                let outgoing = out.swap_remove(random.below(out.len() as u64) as usize);
                match random.below(8) {
                    0 => drop(spool.lose(&outgoing, "a cause")),
                    1..3 => spool.give_back(&outgoing),
                    _ => {
                        spool.acknowledge(&outgoing, false);
                        next[outgoing.id.run.start as usize]
                            [usize::from(outgoing.id.partition.0)] += 1;
                    }
                }
            }
            // A new run finds what the one before left.
            9 if random.below(10) == 0 && directory.is_some() && start < 3 => {
                let queued = spool.counts().queued;
                start += 1;
                drop(spool);
                out.clear();
                spool = open(start, directory);
                let found = spool.counts().inherited;
                // Acknowledged frames of a segment that was not finished are found as well, and sent again.
                assert!(found.frames >= queued.frames, "seed {seed}, step {step}");
                next = [[0; 3]; 4];
            }
            _ => {}
        }
        check(&spool);
        if let Some(directory) = directory {
            assert_eq!(size(directory), spool.counts().spool_bytes);
        }
    }
    // All that is left can be sent.
    out.iter().for_each(|outgoing| spool.give_back(outgoing));
    while let Some(outgoing) = spool.next() {
        spool.acknowledge(&outgoing, false);
    }
    check(&spool);
    assert!(spool.is_empty());
    spool.end();
    check(&spool);
    assert_eq!(directory.map_or(0, size), 0);
}

#[test]
fn whatever_is_done_frames_leave_in_order_and_are_counted_once() {
    for seed in 0..200 {
        run(seed, None);
    }
    for seed in 0..40 {
        let directory = tempfile::tempdir().expect("a directory");
        run(seed, Some(directory.path()));
    }
}

#[test]
fn a_frame_that_is_dropped_while_it_is_sent_and_arrives_is_counted_as_acknowledged() {
    let mut spool = open(0, None);
    append(&mut spool, 0, 100);
    let outgoing = spool.next().expect("a frame");
    (0..20).for_each(|_| append(&mut spool, 1, 900));
    assert!(spool.counts().dropped.frames > 10);
    let dropped = spool.counts().dropped.frames;
    spool.acknowledge(&outgoing, false);
    assert_eq!(
        (
            spool.counts().acknowledged.frames,
            spool.counts().dropped.frames
        ),
        (1, dropped - 1)
    );
    check(&spool);
}

#[test]
fn a_frame_that_is_dropped_while_it_is_sent_and_does_not_arrive_is_not_sent_again() {
    let mut spool = open(0, None);
    append(&mut spool, 0, 100);
    let outgoing = spool.next().expect("a frame");
    (0..20).for_each(|_| append(&mut spool, 0, 900));
    spool.give_back(&outgoing);
    let later = spool.next().expect("a frame");
    // The numbers before it were dropped.
    assert_eq!(later.id.number, spool.counts().dropped.frames);
    check(&spool);
}

#[test]
fn a_frame_that_is_larger_than_the_spool_is_dropped_and_what_is_there_stays() {
    let mut spool = open(0, None);
    append(&mut spool, 0, 100);
    append(&mut spool, 0, MAX_BYTES as usize);
    assert_eq!(
        (spool.counts().queued.frames, spool.counts().dropped.frames),
        (1, 1)
    );
    let cause = &spool.counts().last_error.as_ref().expect("an error").cause;
    assert!(cause.ends_with("is larger than the spool"), "{cause}");
    check(&spool);
}

#[test]
fn the_spool_of_a_quiet_host_does_not_grow() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut spool = open(0, Some(directory.path()));
    for _ in 0..1_000 {
        append(&mut spool, 0, 100);
        let outgoing = spool.next().expect("a frame");
        spool.acknowledge(&outgoing, false);
        assert_eq!(size(directory.path()), 16);
    }
    check(&spool);
}
