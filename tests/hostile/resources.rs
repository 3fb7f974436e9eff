//! Plugins that exhaust memory and stack, or panic.

use crate::host::run;
use crate::plugins::Hostile;
use crate::survival::assert_counters;
use crate::survival::assert_fails_in_ticks;
use crate::survival::assert_fails_on_all;
use crate::survival::assert_keeps_all;
use crate::survival::assert_memory;
use crate::survival::assert_said;
use crate::survival::assert_survived;
use crate::survival::assert_undisturbed;

#[test]
fn a_plugin_that_panics_at_one_event_misses_that_event_and_no_other() {
    let survived = assert_survived(&Hostile::liar("panics_at 1234"));
    // The search by halves: 10 events, 5, 3, 2, and 1.
    let counters = "dropped=0 in=3000 kept=2999 lost=0 passed_unseen=1";
    assert_counters(&survived, counters, &[("trap", 5), ("restarts", 5)]);
    assert_said(&survived, "instruction executed [event 1234 (");
}

#[test]
fn a_plugin_that_panics_now_and_then_for_ever_leaves_no_memory_behind() {
    // It panics every 15 s of the stream: four faults a minute are below the limit. The event is the
    // first of its call, and is found in calls of 10 events, 5, 2, and 1.
    let survived = assert_survived(&Hostile::liar("panics_every 150"));
    let counters = "dropped=0 in=3000 kept=2980 lost=0 passed_unseen=20";
    assert_counters(&survived, counters, &[("trap", 80), ("restarts", 80)]);
}

#[test]
fn a_plugin_that_panics_always_is_left_out() {
    let survived = assert_fails_on_all(&Hostile::liar("panics"), "trap");
    assert_said(&survived, "hostile failed too often and is in quarantine");
}

#[test]
fn a_plugin_that_panics_always_in_ticks_is_left_out() {
    assert_fails_in_ticks(&Hostile::liar("tick_panics"), "trap");
}

#[test]
fn a_plugin_that_exits_does_not_end_the_host() {
    let survived = assert_fails_on_all(&Hostile::liar("exits"), "contract");
    assert_said(&survived, "failed in process: the plugin called exit [");
}

#[test]
fn a_plugin_that_takes_a_gigabyte_at_once_does_not_get_it() {
    assert_fails_on_all(&Hostile::liar("takes_memory"), "memory");
}

#[test]
fn a_plugin_that_takes_memory_bit_by_bit_without_end_gets_no_more_than_its_limit() {
    let survived = assert_fails_on_all(&Hostile::liar("hoards").within("memory=32MiB"), "memory");
    assert_said(&survived, "it ran out of memory: limit memory=32MiB");
    let most = survived.ledger.usage["hostile"].get("memory_max");
    assert!((31 << 20..=32 << 20).contains(&most), "{most}");
}

#[test]
fn a_plugin_that_leaks_is_started_anew_and_still_sees_every_event() {
    // A megabyte a call, with room for 62. The parts of a call that failed succeed in a new instance: a
    // fault is counted, and no event is to blame.
    let survived = assert_survived(&Hostile::liar("leaks"));
    let counters = "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0";
    assert_counters(&survived, counters, &[("memory", 4), ("restarts", 4)]);
}

#[test]
fn a_plugin_that_overflows_its_call_stack_is_left_out() {
    let hostile = Hostile::from_folder("overflows_its_call_stack");
    let survived = assert_fails_on_all(&hostile, "trap");
    assert_said(&survived, "wasm trap: call stack exhausted [");
    assert_fails_on_all(&Hostile::liar("recurses"), "trap");
}

#[test]
fn a_plugin_that_overflows_the_largest_stack_that_there_is_does_not_overflow_the_hosts() {
    let hostile = Hostile::from_folder("overflows_its_call_stack");
    let survived = run(&hostile.within("stack=8MiB"));
    assert_undisturbed(&survived);
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[("trap", 26), ("restarts", 30)]);
    // The stack's pages, 8 MiB, stay with the thread. Wasmtime collects all frames before it shows the
    // last ones: 8 MiB more, and sometimes the 4 MiB that the list had before, which the allocator
    // keeps.
    assert_memory(&survived, 20 << 10);
}

#[test]
fn a_plugin_that_overflows_its_shadow_stack_is_left_out() {
    let hostile = Hostile::from_folder("overflows_its_shadow_stack");
    let survived = assert_fails_on_all(&hostile, "trap");
    assert_said(&survived, "wasm trap: out of bounds memory access [");
    assert_fails_on_all(&Hostile::liar("recurses_with_arrays"), "trap");
}

#[test]
fn a_plugin_that_overwrites_itself_with_its_shadow_stack_harms_nobody_else() {
    let hostile = Hostile::from_folder("overwrites_itself_with_its_shadow_stack");
    assert_fails_on_all(&hostile, "contract");
}

#[test]
fn a_plugin_that_writes_a_gigabyte_gets_none_of_it_out() {
    let survived = run(&Hostile::liar("writes_without_end"));
    assert_undisturbed(&survived);
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[("contract", 26), ("restarts", 30)]);
    // After a block of 8 MiB was freed, glibc's allocator (M_MMAP_THRESHOLD is dynamic) keeps as much
    // for the next one, and the 4 MiB that it grew out of. It is no more however often that happens:
    // with GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072 it is nothing.
    assert_memory(&survived, 12 << 10);
}

#[test]
fn a_plugin_that_raises_more_alerts_than_anybody_can_remember_is_left_alone() {
    let survived = run(&Hostile::liar("emit_ever_more 100"));
    assert_undisturbed(&survived);
    assert_keeps_all(&survived);
    assert_eq!(survived.stderr.matches(" INFO alert_").count(), 30_000);
    // The host keeps 10,000 active alerts, in case that it has to resolve them.
    assert_memory(&survived, 3 << 10);
}

#[test]
fn alerts_as_long_as_may_be_are_not_remembered_until_memory_is_full() {
    let survived = run(&Hostile::liar("emit_at_length 1000000").told("--limit", "log=0"));
    assert_undisturbed(&survived);
    assert_keeps_all(&survived);
    // 300 such alerts would be 300 MB.
    assert_memory(&survived, 8 << 10);
}
