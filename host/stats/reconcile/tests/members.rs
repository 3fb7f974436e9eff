//! The process through which the counters of a namespace are read.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::process;

use super::*;

/// Number of the process through which the first reading was made.
fn reader(reconciliation: &Reconciliation) -> Option<u32> {
    let account = reconciliation.accounts.get(&INODE)?;
    Some(account.baseline?.member.process.pid)
}

#[test]
fn this_process_is_preferred_and_then_the_one_with_the_lowest_number() -> Result<()> {
    let machine = Machine::new()?;
    for pid in [300, 100, 200] {
        machine.process(pid, INODE)?;
    }
    assert_eq!(reader(&machine.begin()), Some(100));
    let own = process::id();
    machine.process(own, INODE)?;
    machine.process(1, INODE)?;
    assert_eq!(reader(&machine.begin()), Some(own));
    Ok(())
}

#[test]
fn a_process_is_kept_although_one_with_a_lower_number_comes() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.process(50, INODE)?;
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    assert_eq!(tally(&reconciliation).segments, 1);
    machine.counters(100, [11, 0, 0])?;
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn two_scans_serve_the_readings_of_all_namespaces() -> Result<()> {
    let machine = Machine::new()?;
    for number in 0..10 {
        machine.process(100 + number, INODE + number)?;
    }
    let mut reconciliation = machine.begin();
    assert_eq!(machine.scans(), 2);
    // Three new namespaces, of which the first event comes before the next look is due.
    for number in 10..13 {
        machine.process(100 + number, INODE + number)?;
    }
    for time in [1_050, 1_150] {
        machine.set_time(time);
        for number in 0..13 {
            let mut event = event(time, 1);
            event.set_netns_inode(Some(INODE + number));
            reconciliation.note(&event);
        }
    }
    assert_eq!(machine.scans(), 4);
    let mut accounts = reconciliation.accounts.values();
    assert!(accounts.all(|account| account.baseline.is_some()));
    reconciliation.freeze();
    assert_eq!(machine.scans(), 5);
    // Where a process has ended, the end is read through another one.
    machine.process(200, INODE)?;
    machine.end_process(100)?;
    reconciliation.freeze();
    assert_eq!(machine.scans(), 7);
    Ok(())
}

#[test]
fn a_reading_during_which_the_process_went_elsewhere_does_not_count() -> Result<()> {
    let machine = Machine::with_process()?;
    let moves = || {
        machine.change(100, |member| member.inode = INODE + 1);
        Ok(())
    };
    let mut begun = None;
    while_netstat_is_read(&machine, moves, || begun = Some(machine.begin()))?;
    let begun = begun.context("it has begun")?;
    assert!(begun.accounts.is_empty());

    machine.change(100, |member| member.inode = INODE);
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    while_netstat_is_read(&machine, moves, || reconciliation.freeze())?;
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::NoProcessLeft))
    );
    Ok(())
}

#[test]
fn a_reading_during_which_the_number_of_the_process_was_used_again_does_not_count() -> Result<()> {
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    machine.process(100, INODE)?;
    machine.set_time(2_000);
    let is_reused = || {
        machine.change(100, |member| {
            member.process.begun += Duration::from_nanos(1);
        });
        Ok(())
    };
    while_netstat_is_read(&machine, is_reused, || {
        reconciliation.note(&event(2_000, 1))
    })?;
    assert_eq!(reader(&reconciliation), None);
    // It is read at the next look.
    machine.set_time(2_100);
    reconciliation.note(&event(2_100, 1));
    assert_eq!(reader(&reconciliation), Some(100));
    Ok(())
}

#[test]
fn counters_that_proc_hides_are_reported_as_unreadable() -> Result<()> {
    // From the beginning.
    let machine = Machine::with_process()?;
    machine.hide(100)?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    reconciliation.freeze();
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::Unreadable))
    );
    // At the end only, through the process of the first reading or through another one.
    for ends in [false, true] {
        let machine = Machine::with_process()?;
        let mut reconciliation = machine.begin();
        machine.set_time(1_500);
        reconciliation.note(&event(1_500, 1));
        if ends {
            machine.end_process(100)?;
            machine.process(200, INODE)?;
            machine.hide(200)?;
        } else {
            machine.hide(100)?;
        }
        reconciliation.freeze();
        assert_eq!(
            outcome(&reconciliation),
            Some(Err(Unreconciled::Unreadable))
        );
    }
    Ok(())
}

#[test]
fn a_list_that_breaks_off_confirms_no_reading() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    machine.processes().is_broken = true;
    reconciliation.freeze();
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::NoProcessLeft))
    );
    Ok(())
}

#[test]
fn a_namespace_with_events_is_found_among_more_than_the_limit() -> Result<()> {
    let machine = Machine::new()?;
    for number in 0..MAX_NAMESPACES as u32 + 10 {
        let process = Process {
            pid: 1_000_000 + number,
            begun: Duration::ZERO,
        };
        let member = Member {
            process,
            inode: number,
            cookie: None,
        };
        let members = &mut machine.processes().members;
        members.insert(process.pid, member);
    }
    let mut reconciliation = machine.begin();
    assert_eq!(reconciliation.namespaces.members().len(), MAX_NAMESPACES);
    // The last one in the list.
    machine.process(1, INODE)?;
    machine.set_time(2_000);
    reconciliation.note(&event(2_000, 1));
    assert_eq!(reader(&reconciliation), Some(1));
    Ok(())
}

/// A list with this process alone.
struct ThisProcess {
    inode: u32,
}

impl Members for ThisProcess {
    fn visit(&mut self, take: &mut dyn FnMut(Member)) -> io::Result<()> {
        take(Member {
            process: Process {
                pid: process::id(),
                begun: Duration::ZERO,
            },
            inode: self.inode,
            cookie: None,
        });
        Ok(())
    }
}

#[test]
fn the_namespace_of_this_very_process_can_always_be_read() -> Result<()> {
    let inode = fs::metadata("/proc/self/ns/net")?.ino().try_into()?;
    let list = Box::new(ThisProcess { inode });
    let mut reconciliation = Reconciliation::begin(Clock::default(), true, list, Box::new(()));
    reconciliation.freeze();
    let account = reconciliation.accounts.get(&inode);
    let outcome = account.map(|account| account.outcome());
    assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
    Ok(())
}
