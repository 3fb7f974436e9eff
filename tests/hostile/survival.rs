//! What must hold after every plugin, and the books of those that fail in the same way each time.

use crate::host::Survived;
use crate::host::peace;
use crate::host::run;
use crate::plugins::Hostile;

/// The CPU time that those may take who would take for ever: five faults take so long five times.
pub const SOON: &str = "time=20ms";

/// KiB by which the host's memory may differ from run to run: the pages of a native stack that was
/// used to its end (0.5 MiB), and what the allocator has freed, but not given back.
const TOLERANCE: u64 = 2 << 10;

/// KiB that the host may have more at any time: a plugin's memory (64 MiB), what one call may say in
/// all (8 MiB) while it is moved to a larger place, and what is lifted meanwhile.
const WORST: u64 = (64 + 3 * 8) << 10;

/// All that the plugin does changes nothing for the next one, and memory is back where it was.
#[track_caller]
pub fn assert_survived(hostile: &Hostile) -> Survived {
    let survived = run(hostile);
    assert_undisturbed(&survived);
    assert_memory(&survived, 0);
    survived
}

/// The printer has printed, byte for byte, what it prints where nobody is hostile.
#[track_caller]
pub fn assert_undisturbed(survived: &Survived) {
    let (printed, expected) = (&survived.printed, &peace().printed);
    let differs = printed.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert!(
        printed == expected,
        "{} instead of {} lines; {differs:#?}\n{}",
        printed.lines().count(),
        expected.lines().count(),
        survived.stderr
    );
    let page = survived.ledger.plugin("json-print").show();
    assert_eq!(page, "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0");
}

/// Memory is back where it was, but for so many KiB.
#[track_caller]
pub fn assert_memory(survived: &Survived, kept: u64) {
    // What plugins that run still have is theirs.
    let linear = |survived: &Survived, plugin| survived.ledger.usage[plugin].get("memory") / 1024;
    let theirs = ["hostile", "json-print"].map(|plugin| {
        let before = linear(peace(), plugin);
        linear(survived, plugin).saturating_sub(before)
    });
    let most = peace().memory.now + theirs.iter().sum::<u64>() + kept + TOLERANCE;
    let (now, before) = (survived.memory, peace().memory);
    assert!(now.now <= most, "{now:?}, not {most} KiB; {before:?}");
    assert!(now.most <= before.most + WORST, "{now:?}; {before:?}");
}

/// It fails on every event, and not for want of time.
///
/// The first call has ten events; by halves it fails on 10, 5, 2, 1, 1, 3, 1, 2, 1 and 1. The fifth
/// event on which it fails puts it in quarantine. It is tried again after 10, 20, 40 and 80 s, and
/// fails on 10, 5, 2 and 1.
#[track_caller]
pub fn assert_fails_on_all(hostile: &Hostile, cause: &str) -> Survived {
    let survived = assert_survived(hostile);
    let page = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_books(&survived, page, &[(cause, 26), ("restarts", 30)]);
    survived
}

/// It never comes to an end with any event.
///
/// Who takes too long is not tried again by halves: five calls, and four more.
#[track_caller]
pub fn assert_never_ends(hostile: Hostile) {
    let survived = assert_survived(&hostile.within(SOON));
    let page = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_books(&survived, page, &[("deadline", 9), ("restarts", 13)]);
}

/// It fails in every tick: it has seen the events of five seconds before five of them, and none before
/// the four with which it is tried again.
#[track_caller]
pub fn assert_fails_in_ticks(hostile: &Hostile, cause: &str) -> Survived {
    let survived = assert_survived(hostile);
    let page = "dropped=0 in=3000 kept=50 lost=0 passed_unseen=2950";
    assert_books(&survived, page, &[(cause, 9), ("restarts", 13)]);
    survived
}

/// It does no harm that would be a fault: it sees and keeps every event.
#[track_caller]
pub fn assert_harmless(hostile: &Hostile) -> Survived {
    let survived = assert_survived(hostile);
    assert_keeps_all(&survived);
    survived
}

/// It has seen and kept every event, and has not failed.
#[track_caller]
pub fn assert_keeps_all(survived: &Survived) {
    let page = "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0";
    assert_books(survived, page, &[]);
}

/// Its page of the ledger, and how often it has failed for which causes and was started anew.
#[track_caller]
pub fn assert_books(survived: &Survived, page: &str, faults: &[(&str, u64)]) {
    let ledger = &survived.ledger;
    assert_eq!(ledger.plugin("hostile").show(), page, "{}", survived.stderr);
    let found = ledger.faults.get("hostile").map(|faults| faults.show());
    let mut expected: Vec<(&str, u64)> = faults.to_vec();
    let expected = (!faults.is_empty()).then(|| {
        expected.push(("reloads", 0));
        expected.sort_unstable();
        let counts = expected.iter().map(|(key, count)| format!("{key}={count}"));
        counts.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(found, expected, "{}", survived.stderr);
    assert!(
        !ledger.faults.contains_key("json-print"),
        "{}",
        survived.stderr
    );
}

/// The host has said this.
#[track_caller]
pub fn assert_said(survived: &Survived, words: &str) {
    let stderr = &survived.stderr;
    assert!(stderr.contains(words), "{words:?} is not in:\n{stderr}");
}
