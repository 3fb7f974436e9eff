//! Look-ups of owners before and after scans, and their validity.

use retrans_event::Record;

use super::*;
use crate::source::owner::holder_table::MIN_VALIDITY;

const SCANNED: Duration = Duration::from_secs(100);
const SOON: Duration = Duration::from_millis(100_010);
const INODE: u64 = 7_000;

/// A registry after one scan, which found one process that holds one socket.
fn registry() -> Registry {
    let mut registry = Registry::new(Clock::default());
    let holder = Holder {
        pid: u32::MAX, // No process of this machine has this number, so that no cgroup is found.
        parent: 1,
        uid: 33,
        begun: Duration::ZERO,
        comm: name("nginx"),
    };
    registry.update(HolderTable::of(SCANNED, vec![(INODE, holder)]));
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

fn resolved(owner: Owner) -> Lookup {
    let container = None;
    Lookup::Resolved(ResolvedOwner { owner, container })
}

#[test]
fn the_holder_of_the_inode_is_the_owner_for_a_second() {
    let mut registry = registry();
    let held = Owner::Held {
        process: nginx(),
        holders: 1,
    };
    let mut lookup = |time| registry.look_up(&event(OwnerStatus::Unknown, Some(INODE), time));
    assert_eq!(lookup(SOON), resolved(held));
    assert_eq!(lookup(SCANNED + MIN_VALIDITY), resolved(held));
    let later = SCANNED + MIN_VALIDITY + Duration::from_nanos(1);
    assert_eq!(lookup(later), Lookup::NeedsScan);
    // The answer is also valid for events that are older than the scan, however late the source looks them up.
    assert_eq!(lookup(SCANNED - MIN_VALIDITY), resolved(held));
}

#[test]
fn where_scans_are_slow_an_answer_holds_until_the_next_one() {
    let mut registry = registry();
    registry.table.validity = 20 * MIN_VALIDITY;
    let held = Owner::Held {
        process: nginx(),
        holders: 1,
    };
    let mut lookup = |time| registry.look_up(&event(OwnerStatus::Unknown, Some(INODE), time));
    assert_eq!(lookup(SCANNED + 20 * MIN_VALIDITY), resolved(held));
    let later = SCANNED + 20 * MIN_VALIDITY + Duration::from_nanos(1);
    assert_eq!(lookup(later), Lookup::NeedsScan);
    assert!(!registry.is_aging(SCANNED + 10 * MIN_VALIDITY));
    assert!(registry.is_aging(SCANNED + 11 * MIN_VALIDITY));
}

#[test]
fn a_large_table_is_dropped_once_its_answers_have_expired() {
    let mut registry = registry();
    let holder = registry.table.holders(INODE).iter().next().cloned();
    let holder = holder.expect("the only one");
    for (count, kept) in [(LARGE_TABLE - 1, LARGE_TABLE - 1), (LARGE_TABLE, 0)] {
        let holders = (0..count as u64).map(|inode| (inode, holder.clone()));
        registry.update(HolderTable::of(SCANNED, holders.collect()));
        registry.drop_expired(SCANNED + MIN_VALIDITY);
        assert_eq!(registry.table.len(), count);
        registry.drop_expired(SCANNED + 2 * MIN_VALIDITY);
        assert_eq!(registry.table.len(), kept);
    }
}

#[test]
fn the_next_scan_is_asked_for_the_sockets_of_events_and_no_more_than_the_limit() {
    let mut registry = registry();
    for inode in [INODE, INODE + 1, INODE] {
        registry.look_up(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    registry.look_up(&event(OwnerStatus::NotAccepted, Some(INODE + 2), SOON));
    registry.look_up(&event(OwnerStatus::Kernel, Some(INODE + 3), SOON));
    let requested = HashSet::from([INODE, INODE + 1, INODE + 2]);
    assert_eq!(registry.take_requested(), requested);
    for inode in 0..2 * MAX_WANTED as u64 {
        registry.look_up(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    assert_eq!(registry.take_requested().len(), MAX_WANTED);
    assert!(registry.take_requested().is_empty());
}

#[test]
fn sockets_that_were_not_found_are_remembered_up_to_the_limit() {
    let mut registry = registry();
    let of = |inode, time| event(OwnerStatus::Unknown, Some(inode), time);
    let earlier = SCANNED - Duration::from_millis(10);
    let (first, last) = (INODE + 1, INODE + 2 + MAX_ABSENT as u64);
    for inode in first..=last {
        let lookup = registry.look_up(&of(inode, earlier));
        assert_eq!(lookup, resolved(Owner::Unknown));
    }
    assert_eq!(registry.absent.len(), MAX_ABSENT);
    assert_eq!(registry.look_up(&of(first, SOON)), resolved(Owner::Unknown));
    assert_eq!(registry.look_up(&of(last, SOON)), Lookup::NeedsScan);
}

#[test]
fn containers_are_remembered_up_to_the_limit() {
    let mut registry = registry();
    let holder = |number| {
        let holder = Holder {
            pid: u32::MAX - number as u32,
            parent: 1,
            uid: 0,
            begun: Duration::ZERO,
            comm: name("a"),
        };
        (number, holder)
    };
    let count = MAX_CONTAINERS as u64 + 10;
    registry.update(HolderTable::of(SCANNED, (0..count).map(holder).collect()));
    for inode in 0..count {
        registry.look_up(&event(OwnerStatus::Unknown, Some(inode), SOON));
    }
    assert_eq!(registry.containers.len(), 10);
}

#[test]
fn an_inode_that_a_scan_before_the_event_did_not_find_is_looked_for_again() {
    let mut registry = registry();
    let event = event(OwnerStatus::Unknown, Some(INODE + 1), SOON);
    assert_eq!(registry.look_up(&event), Lookup::NeedsScan);
}

#[test]
fn an_inode_that_a_scan_after_the_event_did_not_find_has_no_holder_for_a_second() {
    let mut registry = registry();
    let of = |time| event(OwnerStatus::Unknown, Some(INODE + 1), time);
    let earlier = SCANNED - Duration::from_millis(10);
    assert_eq!(registry.look_up(&of(earlier)), resolved(Owner::Unknown));
    // The next event does not wait for another scan.
    assert_eq!(registry.look_up(&of(SOON)), resolved(Owner::Unknown));
    let later = SCANNED + MIN_VALIDITY + Duration::from_nanos(1);
    registry.update(HolderTable::of(later, Vec::new()));
    assert_eq!(registry.look_up(&of(later)), Lookup::NeedsScan);
}

#[test]
fn an_orphan_names_the_last_confirmed_holder_of_that_very_socket() {
    let mut registry = registry();
    let orphan = event(OwnerStatus::Orphaned, None, SOON);
    let orphaned = Owner::Orphaned { last: None };
    assert_eq!(registry.look_up(&orphan), resolved(orphaned));
    registry.look_up(&event(OwnerStatus::Unknown, Some(INODE), SOON));
    let last = Some(nginx());
    assert_eq!(
        registry.look_up(&orphan),
        resolved(Owner::Orphaned { last })
    );
    let mut another = event(OwnerStatus::Orphaned, None, SOON);
    another.set_socket_cookie(Some(2));
    assert_eq!(registry.look_up(&another), resolved(orphaned));
    another.set_socket_cookie(None);
    assert_eq!(registry.look_up(&another), resolved(orphaned));
}

#[test]
fn a_connection_that_was_not_accepted_names_its_listener_and_has_no_holder() {
    let mut registry = registry();
    let synack = event(OwnerStatus::NotAccepted, Some(INODE), SOON);
    let listener = Some(nginx());
    assert_eq!(
        registry.look_up(&synack),
        resolved(Owner::NotAccepted { listener })
    );
    let closed = event(OwnerStatus::NotAccepted, None, SOON);
    let listener = None;
    assert_eq!(
        registry.look_up(&closed),
        resolved(Owner::NotAccepted { listener })
    );
    // The listener's process never held this socket.
    let orphan = event(OwnerStatus::Orphaned, None, SOON);
    let last = None;
    assert_eq!(
        registry.look_up(&orphan),
        resolved(Owner::Orphaned { last })
    );
}

#[test]
fn the_kernels_own_sockets_and_those_without_an_inode_do_not_wait_for_a_scan() {
    let mut registry = registry();
    let kernel = event(OwnerStatus::Kernel, Some(INODE + 1), SOON);
    assert_eq!(registry.look_up(&kernel), resolved(Owner::Kernel));
    let unknown = event(OwnerStatus::Unknown, None, SOON);
    assert_eq!(registry.look_up(&unknown), resolved(Owner::Unknown));
}

#[test]
fn the_most_recent_half_at_least_is_remembered() {
    let mut recent = RecentMap::new(4);
    for key in 0..7 {
        recent.insert(key, key);
    }
    let kept: Vec<u64> = (0..7).filter(|key| recent.get(*key).is_some()).collect();
    assert!(kept.ends_with(&[5, 6]) && kept.len() <= 4, "{kept:?}");
}

#[test]
fn what_a_scan_that_was_cut_off_was_not_asked_for_is_looked_for_again() {
    let mut registry = registry();
    let begun = SCANNED + MIN_VALIDITY;
    let mut table = HolderTable::of(begun, Vec::new());
    table.is_cut = true;
    table.not_found = HashSet::from([INODE + 1]);
    registry.update(table);
    let before = begun - Duration::from_millis(10);
    let of = |inode| event(OwnerStatus::Unknown, Some(inode), before);
    assert_eq!(registry.look_up(&of(INODE + 1)), resolved(Owner::Unknown));
    // A holder of this socket may be among those that were not kept.
    assert_eq!(registry.look_up(&of(INODE + 2)), Lookup::NeedsScan);
}
