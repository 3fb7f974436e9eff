//! What is known of owners, second by second.

use retrans_event::Record;

use super::*;
use crate::source::owner::holder_table::MIN_HOLD;

const SCANNED: Duration = Duration::from_secs(100);
const SOON: Duration = Duration::from_millis(100_010);
const INODE: u64 = 7_000;

/// One scan, which found one process that holds one socket.
fn registry() -> Registry {
    let mut registry = Registry::new(Clock::default());
    let holder = Holder {
        inode: INODE,
        pid: u32::MAX, // no process of this machine: it has no cgroup
        parent: 1,
        uid: 33,
        begun: Duration::ZERO,
        comm: name("nginx"),
    };
    registry.update(HolderTable::of(SCANNED, vec![holder]));
    registry
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn nginx() -> Process {
    Process {
        pid: u32::MAX,
        comm: name("nginx"),
        uid: Some(33),
        container: None,
    }
}

fn event(status: OwnerStatus, inode: Option<u64>, time: Duration) -> Record {
    let mut event = Record::new();
    event.set_owner_status(Some(status));
    event.set_socket_cookie(Some(1));
    match status {
        OwnerStatus::NotAccepted => event.set_listener_inode(inode),
        _ => event.set_socket_inode(inode),
    }
    event.set_time(time);
    event
}

fn known(owner: Owner) -> Answer {
    let container = None;
    Answer::Known(Found { owner, container })
}

#[test]
fn who_held_the_inode_is_the_owner_for_a_second() {
    let mut registry = registry();
    let held = Owner::Held {
        process: nginx(),
        holders: 1,
    };
    let mut answer = |time| registry.answer(&event(OwnerStatus::Unknown, Some(INODE), time));
    assert_eq!(answer(SOON), known(held));
    assert_eq!(answer(SCANNED + MIN_HOLD), known(held));
    let later = SCANNED + MIN_HOLD + Duration::from_nanos(1);
    assert_eq!(answer(later), Answer::Later);
    // However long the source took to come to it.
    assert_eq!(answer(SCANNED - MIN_HOLD), known(held));
}

#[test]
fn where_scans_are_slow_an_answer_holds_until_the_next_one() {
    let mut registry = registry();
    registry.snapshot.holds = 20 * MIN_HOLD;
    let held = Owner::Held {
        process: nginx(),
        holders: 1,
    };
    let mut answer = |time| registry.answer(&event(OwnerStatus::Unknown, Some(INODE), time));
    assert_eq!(answer(SCANNED + 20 * MIN_HOLD), known(held));
    let later = SCANNED + 20 * MIN_HOLD + Duration::from_nanos(1);
    assert_eq!(answer(later), Answer::Later);
    assert!(!registry.is_aging(SCANNED + 10 * MIN_HOLD));
    assert!(registry.is_aging(SCANNED + 11 * MIN_HOLD));
}

#[test]
fn the_next_scan_is_asked_for_the_sockets_of_events_and_no_more_than_the_limit() {
    let mut registry = registry();
    for inode in [INODE, INODE + 1, INODE] {
        registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    registry.answer(&event(OwnerStatus::NotAccepted, Some(INODE + 2), SOON));
    registry.answer(&event(OwnerStatus::Kernel, Some(INODE + 3), SOON));
    let asked = HashSet::from([INODE, INODE + 1, INODE + 2]);
    assert_eq!(registry.take_asked(), asked);
    for inode in 0..2 * MAX_WANTED as u64 {
        registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    assert_eq!(registry.take_asked().len(), MAX_WANTED);
    assert!(registry.take_asked().is_empty());
}

#[test]
fn sockets_that_were_not_found_are_remembered_up_to_the_limit() {
    let mut registry = registry();
    let of = |inode, time| event(OwnerStatus::Unknown, Some(inode), time);
    let earlier = SCANNED - Duration::from_millis(10);
    let (first, last) = (INODE + 1, INODE + 2 + MAX_ABSENT as u64);
    for inode in first..=last {
        let answer = registry.answer(&of(inode, earlier));
        assert_eq!(answer, known(Owner::Unknown));
    }
    assert_eq!(registry.absent.len(), MAX_ABSENT);
    assert_eq!(registry.answer(&of(first, SOON)), known(Owner::Unknown));
    assert_eq!(registry.answer(&of(last, SOON)), Answer::Later);
}

#[test]
fn containers_are_remembered_up_to_the_limit() {
    let mut registry = registry();
    let holder = |number| Holder {
        inode: number,
        pid: u32::MAX - number as u32,
        parent: 1,
        uid: 0,
        begun: Duration::ZERO,
        comm: name("a"),
    };
    let count = MAX_CONTAINERS as u64 + 10;
    registry.update(HolderTable::of(SCANNED, (0..count).map(holder).collect()));
    for inode in 0..count {
        registry.answer(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    assert_eq!(registry.containers.len(), 10);
}

#[test]
fn an_inode_that_a_scan_before_the_event_did_not_find_is_looked_for_again() {
    let mut registry = registry();
    let event = event(OwnerStatus::Unknown, Some(INODE + 1), SOON);
    assert_eq!(registry.answer(&event), Answer::Later);
}

#[test]
fn an_inode_that_a_scan_after_the_event_did_not_find_is_nobodys_for_a_second() {
    let mut registry = registry();
    let of = |time| event(OwnerStatus::Unknown, Some(INODE + 1), time);
    let earlier = SCANNED - Duration::from_millis(10);
    assert_eq!(registry.answer(&of(earlier)), known(Owner::Unknown));
    // The next one does not wait for another scan.
    assert_eq!(registry.answer(&of(SOON)), known(Owner::Unknown));
    let later = SCANNED + MIN_HOLD + Duration::from_nanos(1);
    registry.update(HolderTable::of(later, Vec::new()));
    assert_eq!(registry.answer(&of(later)), Answer::Later);
}

#[test]
fn an_orphan_says_who_was_last_confirmed_to_hold_that_very_socket() {
    let mut registry = registry();
    let orphan = event(OwnerStatus::Orphaned, None, SOON);
    let orphaned = Owner::Orphaned { last: None };
    assert_eq!(registry.answer(&orphan), known(orphaned));
    registry.answer(&event(OwnerStatus::Unknown, Some(INODE), SOON));
    let last = Some(nginx());
    assert_eq!(registry.answer(&orphan), known(Owner::Orphaned { last }));
    let mut another = event(OwnerStatus::Orphaned, None, SOON);
    another.set_socket_cookie(Some(2));
    assert_eq!(registry.answer(&another), known(orphaned));
    another.set_socket_cookie(None);
    assert_eq!(registry.answer(&another), known(orphaned));
}

#[test]
fn a_connection_that_was_not_accepted_says_who_listens_and_nobody_holds_it() {
    let mut registry = registry();
    let synack = event(OwnerStatus::NotAccepted, Some(INODE), SOON);
    let listener = Some(nginx());
    assert_eq!(
        registry.answer(&synack),
        known(Owner::NotAccepted { listener })
    );
    let closed = event(OwnerStatus::NotAccepted, None, SOON);
    let listener = None;
    assert_eq!(
        registry.answer(&closed),
        known(Owner::NotAccepted { listener })
    );
    // The listener's process never held this socket.
    let orphan = event(OwnerStatus::Orphaned, None, SOON);
    let last = None;
    assert_eq!(registry.answer(&orphan), known(Owner::Orphaned { last }));
}

#[test]
fn the_kernels_own_sockets_and_those_without_an_inode_wait_for_nobody() {
    let mut registry = registry();
    let kernel = event(OwnerStatus::Kernel, Some(INODE + 1), SOON);
    assert_eq!(registry.answer(&kernel), known(Owner::Kernel));
    let unknown = event(OwnerStatus::Unknown, None, SOON);
    assert_eq!(registry.answer(&unknown), known(Owner::Unknown));
}

#[test]
fn the_most_recent_half_at_least_is_remembered() {
    let mut recent = Recent::new(4);
    for key in 0..7 {
        recent.insert(key, key);
    }
    let known: Vec<u64> = (0..7).filter(|key| recent.get(*key).is_some()).collect();
    assert!(known.ends_with(&[5, 6]) && known.len() <= 4, "{known:?}");
}

#[test]
fn what_a_scan_that_was_cut_off_was_not_asked_for_is_looked_for_again() {
    let mut registry = registry();
    let begun = SCANNED + MIN_HOLD;
    let mut snapshot = HolderTable::of(begun, Vec::new());
    snapshot.is_cut = true;
    snapshot.not_found = HashSet::from([INODE + 1]);
    registry.update(snapshot);
    let before = begun - Duration::from_millis(10);
    let of = |inode| event(OwnerStatus::Unknown, Some(inode), before);
    assert_eq!(registry.answer(&of(INODE + 1)), known(Owner::Unknown));
    // It may be among the holders that were not kept.
    assert_eq!(registry.answer(&of(INODE + 2)), Answer::Later);
}
