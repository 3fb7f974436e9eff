//! Checks after every plugin, and the expected statistics of plugins that fail in the same way each
//! time.

use crate::host::Survived;
use crate::host::peace;
use crate::host::run;
use crate::plugins::Hostile;

/// The limit of CPU time for plugins that never return: short, since every fault takes all of it.
pub const SHORT_TIME: &str = "time=20ms";

/// KiB by which the host's memory may differ from run to run: the pages of a native stack that was used
/// to its end (0.5 MiB), and memory that the allocator has freed, but not returned.
const TOLERANCE: u64 = 2 << 10;

/// KiB by which the peak may be higher: a plugin's memory (64 MiB), the data of one call (8 MiB) while
/// it is copied to a larger buffer, and values that are lifted meanwhile.
const WORST: u64 = (64 + 3 * 8) << 10;

/// Runs the plugin, and checks that the next plugin's output and the host's memory are undisturbed.
#[track_caller]
pub fn assert_survived(hostile: &Hostile) -> Survived {
    let survived = run(hostile);
    assert_undisturbed(&survived);
    assert_memory(&survived, 0);
    survived
}

/// Checks that the output is that of a run with a well-behaved plugin, byte for byte.
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
    let counters = survived.ledger.plugin("json-print").show();
    assert_eq!(
        counters,
        "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0"
    );
}

/// Checks that memory is as before, except for `kept` KiB.
#[track_caller]
pub fn assert_memory(survived: &Survived, kept: u64) {
    // The memory of plugins that still run is not counted.
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

/// Runs a plugin that fails on every event for another cause than time.
///
/// The first call has ten events. The search by halves fails on 10, 5, 2, 1, 1, 3, 1, 2, 1 and 1
/// events. The fifth event on which the plugin fails puts it in quarantine. It is tried again after 10,
/// 20, 40 and 80 s, and fails on 10, 5, 2 and 1 events.
#[track_caller]
pub fn assert_fails_on_all(hostile: &Hostile, cause: &str) -> Survived {
    let survived = assert_survived(hostile);
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[(cause, 26), ("restarts", 30)]);
    survived
}

/// Runs a plugin that never returns from a call with events.
///
/// A call that takes too long is not retried by halves: five calls, and four more.
#[track_caller]
pub fn assert_never_ends(hostile: Hostile) {
    let survived = assert_survived(&hostile.within(SHORT_TIME));
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[("deadline", 9), ("restarts", 13)]);
}

/// Runs a plugin that fails in every tick: it has seen the events of five seconds, each before a failed
/// tick, and none before the four ticks with which it is tried again.
#[track_caller]
pub fn assert_fails_in_ticks(hostile: &Hostile, cause: &str) -> Survived {
    let survived = assert_survived(hostile);
    let counters = "dropped=0 in=3000 kept=50 lost=0 passed_unseen=2950";
    assert_counters(&survived, counters, &[(cause, 9), ("restarts", 13)]);
    survived
}

/// Runs a plugin without a fault: it sees and keeps every event.
#[track_caller]
pub fn assert_harmless(hostile: &Hostile) -> Survived {
    let survived = assert_survived(hostile);
    assert_keeps_all(&survived);
    survived
}

/// Checks that it has seen and kept every event, and has no fault.
#[track_caller]
pub fn assert_keeps_all(survived: &Survived) {
    let counters = "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0";
    assert_counters(survived, counters, &[]);
}

/// Checks the hostile plugin's counters in the ledger, and its faults by cause with its restarts.
#[track_caller]
pub fn assert_counters(survived: &Survived, counters: &str, faults: &[(&str, u64)]) {
    let ledger = &survived.ledger;
    assert_eq!(
        ledger.plugin("hostile").show(),
        counters,
        "{}",
        survived.stderr
    );
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

/// Checks that standard error has these words.
#[track_caller]
pub fn assert_said(survived: &Survived, words: &str) {
    let stderr = &survived.stderr;
    assert!(stderr.contains(words), "{words:?} is not in:\n{stderr}");
}
