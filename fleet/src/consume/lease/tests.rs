//! Several consumers, one broker and one clock, all made here.

use super::*;

/// Time between two looks at the broker.
const STEP: Duration = Duration::from_millis(500);

/// The broker.
#[derive(Default)]
struct World {
    revision: u64,
    leases: BTreeMap<Partition, Revised<Lease>>,
    peers: BTreeMap<String, Revised<Presence>>,
}

/// A consumer.
struct Consumer {
    leases: Leases,
    id: String,
    /// It does nothing before this time.
    paused_until: Option<Instant>,
    announced: Option<Instant>,
    /// What was lost, with the reason.
    lost: Vec<(Partition, String)>,
}

impl World {
    fn next(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// Writes by compare-and-set. None: refused.
    fn write(
        &mut self,
        partition: Partition,
        owner: &str,
        released: bool,
        before: u64,
    ) -> Option<u64> {
        let there = self
            .leases
            .get(&partition)
            .map_or(0, |lease| lease.revision);
        if there != before {
            return None;
        }
        let lease = Lease {
            owner: owner.to_owned(),
            name: owner.to_owned(),
            since: 0,
            released,
        };
        let revision = self.next();
        let value = Some(lease);
        self.leases.insert(partition, Revised { revision, value });
        Some(revision)
    }

    fn owners(&self) -> BTreeMap<Partition, String> {
        let owner = |lease: &Revised<Lease>| lease.value.clone().filter(|lease| !lease.released);
        let owners = self.leases.iter();
        owners
            .filter_map(|(partition, lease)| Some((*partition, owner(lease)?.owner)))
            .collect()
    }
}

impl Consumer {
    fn new(id: &str, choice: Choice, partitions: u16) -> Consumer {
        let partitions = Partitions::new(partitions).expect("a number");
        Consumer {
            leases: Leases::new(id.to_owned(), choice, partitions),
            id: id.to_owned(),
            paused_until: None,
            announced: None,
            lost: Vec::new(),
        }
    }

    fn auto(id: &str) -> Consumer {
        Consumer::new(id, Choice::Auto, 8)
    }

    fn announce(&mut self, world: &mut World, now: Instant) {
        if self
            .announced
            .is_some_and(|last| now < last + RENEW_INTERVAL)
        {
            return;
        }
        self.announced = Some(now);
        let revision = world.next();
        let value = Some(Presence {
            name: self.id.clone(),
            since: 0,
            left: false,
            chosen: self.leases.chosen(),
        });
        world
            .peers
            .insert(self.id.clone(), Revised { revision, value });
    }

    fn step(&mut self, world: &mut World, now: Instant) {
        if self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.announce(world, now);
        self.leases
            .observe(now, world.leases.clone(), world.peers.clone());
        for action in self.leases.decide(now) {
            match action {
                Action::Claim {
                    partition,
                    revision,
                } => {
                    if let Some(revision) = world.write(partition, &self.id, false, revision) {
                        self.leases.claimed(partition, revision, now);
                    }
                }
                Action::Renew {
                    partition,
                    revision,
                } => {
                    if let Some(revision) = world.write(partition, &self.id, false, revision) {
                        self.leases.renewed(partition, revision, now);
                    }
                }
                Action::Release { partition } => {
                    let revision = self.leases.revision(partition).expect("a value");
                    world
                        .write(partition, &self.id, true, revision)
                        .expect("a value");
                    self.leases.released(partition);
                }
                Action::Lost { partition, reason } => self.lost.push((partition, reason)),
            }
        }
    }

    fn held(&self) -> Vec<Partition> {
        self.leases.held.keys().copied().collect()
    }
}

/// Lets time pass. Returns the time.
fn run(world: &mut World, consumers: &mut [Consumer], from: Instant, time: Duration) -> Instant {
    let mut now = from;
    while now < from + time {
        for consumer in consumers.iter_mut() {
            consumer.step(world, now);
        }
        assert_disjoint(consumers, now);
        now += STEP;
    }
    now
}

/// Two consumers never hold one partition at a time, unless one of them does not know that it has lost it: it is
/// paused.
fn assert_disjoint(consumers: &[Consumer], now: Instant) {
    let mut seen = BTreeSet::new();
    for consumer in consumers {
        if consumer.paused_until.is_some_and(|until| now < until) {
            continue;
        }
        for partition in consumer.held() {
            let is_valid = consumer.leases.held[&partition].renewed + LEASE_TIMEOUT > now;
            assert!(!is_valid || seen.insert(partition), "two have {partition}");
        }
    }
}

fn counts(consumers: &[Consumer]) -> Vec<usize> {
    consumers
        .iter()
        .map(|consumer| consumer.held().len())
        .collect()
}

#[test]
fn one_consumer_takes_all_at_once() {
    let mut world = World::default();
    let mut consumers = [Consumer::auto("a")];
    run(&mut world, &mut consumers, Instant::now(), STEP);
    assert_eq!(counts(&consumers), [8]);
}

#[test]
fn nothing_is_claimed_before_the_broker_was_read() {
    let mut leases = Consumer::auto("a").leases;
    assert_eq!(leases.decide(Instant::now()), []);
}

#[test]
fn two_that_start_together_have_half_each() {
    let mut world = World::default();
    let mut consumers = [Consumer::auto("a"), Consumer::auto("b")];
    let begin = Instant::now();
    run(&mut world, &mut consumers, begin, Duration::from_secs(5));
    assert_eq!(counts(&consumers), [4, 4]);
}

#[test]
fn a_third_one_gets_its_share_and_one_partition_is_released_at_a_time() {
    let mut world = World::default();
    let mut consumers = vec![Consumer::auto("a")];
    let mut now = run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(4),
    );
    consumers.push(Consumer::auto("b"));
    let mut before = 8;
    for _ in 0..20 {
        now = run(&mut world, &mut consumers, now, STEP);
        let held = consumers[0].held().len();
        assert!(held + 1 >= before, "{held} after {before}");
        before = held;
    }
    assert_eq!(counts(&consumers), [4, 4]);
    consumers.push(Consumer::auto("c"));
    run(&mut world, &mut consumers, now, Duration::from_secs(10));
    let mut found = counts(&consumers);
    found.sort_unstable();
    assert_eq!(found, [2, 3, 3]);
    assert!(consumers.iter().all(|consumer| consumer.lost.is_empty()));
}

#[test]
fn the_partitions_of_one_that_dies_are_taken_within_8_seconds() {
    let mut world = World::default();
    let mut consumers = vec![
        Consumer::auto("a"),
        Consumer::auto("b"),
        Consumer::auto("c"),
    ];
    let now = run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(11),
    );
    consumers.pop();
    let dead = now - STEP;
    let now = run(&mut world, &mut consumers, now, Duration::from_secs(3));
    assert!(counts(&consumers).iter().sum::<usize>() < 8);
    run(
        &mut world,
        &mut consumers,
        now,
        dead + Duration::from_secs(8) - now,
    );
    assert_eq!(counts(&consumers), [4, 4]);
}

#[test]
fn what_is_released_is_taken_at_the_next_look() {
    let mut world = World::default();
    let mut consumers = vec![
        Consumer::new("a", Choice::All, 8),
        Consumer::new("b", Choice::All, 8),
    ];
    let now = run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(3),
    );
    assert_eq!(counts(&consumers), [8, 0]);
    let gone = consumers.remove(0);
    for partition in gone.held() {
        let revision = gone.leases.revision(partition).expect("a value");
        world
            .write(partition, "a", true, revision)
            .expect("a value");
    }
    run(&mut world, &mut consumers, now, STEP);
    assert_eq!(counts(&consumers), [8]);
}

#[test]
fn one_that_is_slow_keeps_its_partitions_for_6_seconds_and_no_longer() {
    for (pause, expected_lost) in [(Duration::from_secs(3), 0), (Duration::from_secs(20), 4)] {
        let mut world = World::default();
        let mut consumers = [Consumer::auto("a"), Consumer::auto("b")];
        let now = run(
            &mut world,
            &mut consumers,
            Instant::now(),
            Duration::from_secs(5),
        );
        consumers[0].paused_until = Some(now + pause);
        let now = run(&mut world, &mut consumers, now, pause);
        consumers[0].paused_until = None;
        assert_eq!(counts(&consumers), [4, 4 + expected_lost]);
        let now = run(&mut world, &mut consumers, now, STEP);
        assert_eq!(
            consumers[0].lost.len(),
            expected_lost,
            "{:?}",
            consumers[0].lost
        );
        // It is there again, and gets its share again.
        run(&mut world, &mut consumers, now, Duration::from_secs(10));
        assert_eq!(counts(&consumers), [4, 4]);
        assert_eq!(consumers[1].lost, []);
    }
}

#[test]
fn after_an_outage_of_the_broker_each_one_has_what_it_had() {
    let mut world = World::default();
    let mut consumers = [Consumer::auto("a"), Consumer::auto("b")];
    let now = run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(5),
    );
    let before = world.owners();
    // Nothing can be read or written for 30 s, and what was held is lost meanwhile.
    let after = now + Duration::from_secs(30);
    for consumer in &mut consumers {
        consumer.leases.decide(after - Duration::from_secs(10));
        assert_eq!(consumer.held(), []);
    }
    let now = run(&mut world, &mut consumers, after, STEP);
    assert_eq!(world.owners(), before);
    run(&mut world, &mut consumers, now, Duration::from_secs(10));
    assert_eq!(world.owners(), before);
}

#[test]
fn a_renewal_whose_answer_was_lost_is_found() {
    let mut world = World::default();
    let mut consumers = [Consumer::new("a", Choice::All, 1)];
    let begin = Instant::now();
    let now = run(&mut world, &mut consumers, begin, STEP);
    let partition = Partition(0);
    let revision = consumers[0].leases.revision(partition).expect("a value");
    let unknown = world
        .write(partition, "a", false, revision)
        .expect("a value");
    let now = run(&mut world, &mut consumers, now, STEP);
    assert_eq!(consumers[0].leases.revision(partition), Some(unknown));
    // It has not extended the lease.
    assert_eq!(consumers[0].leases.held[&partition].renewed, begin);
    run(&mut world, &mut consumers, now, Duration::from_secs(10));
    assert_eq!(consumers[0].lost, []);
}

#[test]
fn a_set_is_taken_and_nothing_else() {
    let set = BTreeSet::from([Partition(1), Partition(5), Partition(99)]);
    let mut world = World::default();
    let mut consumers = [
        Consumer::new("a", Choice::Some(set), 8),
        Consumer::auto("b"),
    ];
    run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(3),
    );
    assert_eq!(consumers[0].held(), [Partition(1), Partition(5)]);
    assert_eq!(consumers[1].held().len(), 6);
}

#[test]
fn what_another_one_was_told_to_take_is_left_to_it() {
    let mut world = World::default();
    let mut consumers = vec![Consumer::auto("a"), Consumer::auto("b")];
    let now = run(
        &mut world,
        &mut consumers,
        Instant::now(),
        Duration::from_secs(5),
    );
    let set = BTreeSet::from([0, 1, 2, 3].map(Partition));
    consumers.push(Consumer::new("c", Choice::Some(set.clone()), 8));
    let now = run(&mut world, &mut consumers, now, Duration::from_secs(10));
    assert_eq!(counts(&consumers), [2, 2, 4]);
    assert_eq!(consumers[2].held(), Vec::from_iter(set));
    // When it dies, the others take them.
    consumers.pop();
    run(&mut world, &mut consumers, now, Duration::from_secs(10));
    assert_eq!(counts(&consumers), [4, 4]);
}

#[test]
fn a_partition_whose_chain_failed_is_left_to_others_for_some_time() {
    let mut world = World::default();
    let mut consumers = [Consumer::new("a", Choice::All, 1)];
    let mut now = run(&mut world, &mut consumers, Instant::now(), STEP);
    let revision = consumers[0].leases.revision(Partition(0)).expect("a value");
    consumers[0].leases.avoid(Partition(0), now);
    world
        .write(Partition(0), "a", true, revision)
        .expect("a value");
    consumers[0].leases.released(Partition(0));
    now = run(&mut world, &mut consumers, now, AVOID_TIME);
    assert_eq!(counts(&consumers), [0]);
    run(&mut world, &mut consumers, now, STEP);
    assert_eq!(counts(&consumers), [1]);
}

#[test]
fn a_server_that_is_behind_takes_nothing_away() {
    let mut world = World::default();
    let mut consumers = [Consumer::new("a", Choice::All, 1)];
    let now = run(&mut world, &mut consumers, Instant::now(), STEP);
    let old = world.leases.clone();
    let now = run(&mut world, &mut consumers, now, Duration::from_secs(3));
    consumers[0].leases.observe(now, old, BTreeMap::new());
    let actions = consumers[0].leases.decide(now);
    let is_renewal = |action: &Action| matches!(action, Action::Renew { .. });
    assert!(actions.iter().all(is_renewal), "{actions:?}");
    assert_eq!(counts(&consumers), [1]);
}
