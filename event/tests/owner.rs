//! The owner of a socket: one value from many fields.
#![allow(clippy::unwrap_used)]

use retrans_event::CORE_SIZE;
use retrans_event::Event;
use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::OwnerStatus;
use retrans_event::Process;
use retrans_event::Record;

fn bare(pid: u32) -> Process {
    Process {
        pid,
        comm: "nginx".parse().unwrap(),
        uid: None,
        container: None,
    }
}

fn full(pid: u32) -> Process {
    Process {
        uid: Some(0),
        container: Some("0123456789ab".parse().unwrap()),
        ..bare(pid)
    }
}

/// Every variant, with and without the values that may be unknown.
fn owners() -> Vec<Owner> {
    let mut owners = vec![
        Owner::Unknown,
        Owner::Orphaned { last: None },
        Owner::NotAccepted { listener: None },
        Owner::Kernel,
    ];
    for process in [bare(1), full(4_194_304)] {
        owners.extend([
            Owner::Held {
                process,
                holders: 1,
            },
            Owner::Held {
                process,
                holders: 1_000,
            },
            Owner::Orphaned {
                last: Some(process),
            },
            Owner::NotAccepted {
                listener: Some(process),
            },
        ]);
    }
    owners
}

fn owned_by(owner: &Owner) -> Record {
    let mut record = Record::new();
    record.set_owner(owner);
    record
}

fn cut(record: &Record, length: usize) -> &Event {
    Event::new(&record.as_bytes()[..length]).unwrap()
}

#[test]
fn every_owner_is_read_back() {
    for owner in owners() {
        let record = owned_by(&owner);
        assert_eq!(record.owner(), owner);
        assert_eq!(record.owner_status(), Some(owner.status()));
    }
}

#[test]
fn an_owner_leaves_nothing_of_the_one_before() {
    for before in owners() {
        for after in owners() {
            let mut record = owned_by(&before);
            record.set_owner(&after);
            assert_eq!(record, owned_by(&after), "{after:?} after {before:?}");
        }
    }
}

#[test]
fn nothing_but_the_status_is_known_of_an_unknown_owner() {
    let mut expected = Record::new();
    expected.set_owner_status(Some(OwnerStatus::Unknown));
    assert_eq!(owned_by(&Owner::Unknown), expected);
}

#[test]
fn the_process_holds_the_socket_or_its_listener_and_is_never_the_last_holder() {
    let process = full(7);
    let held = Owner::Held {
        process,
        holders: 2,
    };
    let listener = Owner::NotAccepted {
        listener: Some(process),
    };
    assert_eq!(held.process(), Some(&process));
    assert_eq!(listener.process(), Some(&process));
    for owner in [
        Owner::Unknown,
        Owner::Orphaned {
            last: Some(process),
        },
        Owner::NotAccepted { listener: None },
        Owner::Kernel,
    ] {
        assert_eq!(owner.process(), None, "{owner:?}");
    }
}

#[test]
fn a_record_that_does_not_say_has_an_unknown_owner() {
    assert_eq!(Record::new().owner(), Owner::Unknown);
    assert_eq!(Owner::default(), Owner::Unknown);
    // A process without a status that says that it holds the socket.
    let mut record = Record::new();
    record.set_owner_pid(Some(7));
    record.set_last_pid(Some(8));
    assert_eq!(record.owner(), Owner::Unknown);
    for status in [OwnerStatus::Unknown, OwnerStatus::Other(9)] {
        record.set_owner_status(Some(status));
        assert_eq!(record.owner(), Owner::Unknown, "{status}");
    }
}

#[test]
fn an_old_record_has_an_unknown_owner() {
    // The size of a record of 0.1.
    let mut old = [0; 288];
    let event = Event::new_mut(&mut old).unwrap();
    event.set_owner_pid(Some(7));
    assert_eq!(event.owner(), Owner::Unknown);
}

#[test]
fn a_short_record_has_the_owner_as_far_as_it_goes() {
    let whole = Owner::Held {
        process: full(7),
        holders: 3,
    };
    let record = owned_by(&whole);
    // Cut before the status, after the status, and then after user, holders and name.
    for length in CORE_SIZE..287 {
        assert_eq!(cut(&record, length).owner(), Owner::Unknown, "{length}");
    }
    let nameless = Process {
        comm: Name::default(),
        ..bare(7)
    };
    let held = |process, holders| Owner::Held { process, holders };
    assert_eq!(cut(&record, 287).owner(), held(nameless, 1));
    let named = Process {
        uid: Some(0),
        ..bare(7)
    };
    assert_eq!(cut(&record, 320).owner(), held(named, 3));
    assert_eq!(cut(&record, 336).owner(), whole);
}

#[test]
fn a_short_record_takes_no_owner() {
    for owner in owners() {
        let mut bytes = [0; CORE_SIZE];
        let event = Event::new_mut(&mut bytes).unwrap();
        event.set_owner(&owner);
        assert_eq!(event.owner(), Owner::Unknown);
        assert_eq!(bytes, [0; CORE_SIZE]);
    }
}

#[test]
fn a_holder_without_a_number_is_no_holder() {
    let mut record = owned_by(&Owner::Held {
        process: full(7),
        holders: 1,
    });
    record.set_owner_pid(None);
    assert_eq!(record.owner(), Owner::Unknown);
}
