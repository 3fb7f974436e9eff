//! Plugins that never return, in each call, and one that is slow within its limit.

use crate::plugins::Hostile;
use crate::survival::SHORT_TIME;
use crate::survival::assert_counters;
use crate::survival::assert_fails_in_ticks;
use crate::survival::assert_harmless;
use crate::survival::assert_never_ends;
use crate::survival::assert_said;
use crate::survival::assert_survived;

#[test]
fn a_plugin_that_loops_for_ever_in_process_is_left_out_and_every_event_goes_on() {
    assert_never_ends(Hostile::liar("loops"));
}

#[test]
fn a_plugin_that_loops_at_one_event_misses_the_call_with_that_event_and_no_other() {
    let survived = assert_survived(&Hostile::liar("loops_at 1234"));
    let counters = "dropped=0 in=3000 kept=2990 lost=0 passed_unseen=10";
    assert_counters(&survived, counters, &[("deadline", 1), ("restarts", 1)]);
    assert_said(
        &survived,
        "plugin hostile failed in process: took more than 250ms of CPU time; it was stopped [10 \
         events, 1230 to 1239: 25ms for each event]",
    );
}

#[test]
fn a_plugin_that_loops_while_it_is_handed_events_is_left_out() {
    assert_never_ends(Hostile::from_folder("loops_while_it_is_handed_events"));
}

#[test]
fn a_plugin_that_loops_after_it_has_answered_is_left_out() {
    assert_never_ends(Hostile::from_folder("loops_after_it_has_answered"));
}

/// wasmtime interrupts code in loops and at the start of functions: within this call there is neither.
#[test]
fn a_plugin_that_does_nothing_but_call_the_host_without_a_loop_is_left_out() {
    let clock = "package wasi:clocks@0.2.0; interface monotonic-clock { now: func() -> u64; }";
    let import = "wasi:clocks/monotonic-clock@0.2.0";
    let calls = "(drop (call $now))".repeat(200_000);
    let text = format!(
        "(import \"{import}\" \"now\" (func $now (result i64)))
        (func (export \"retrans:plugin/processor@0.1.0#process\") (param i32 i32 i32 i32) (result i32)
            {calls} (i32.const 0))"
    );
    let hostile = Hostile::importing(&text, &[clock], &format!("import {import};"));
    // It takes some 5 ms.
    let survived = assert_survived(&hostile.within("time=1ms"));
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[("deadline", 9), ("restarts", 13)]);
}

/// One call of the host that takes longer than the limit.
#[test]
fn a_plugin_that_prints_more_at_once_than_can_be_logged_in_its_time_is_left_out() {
    let hostile = Hostile::liar("prints_millions_of_lines_at_once").within("log=5");
    let survived = assert_survived(&hostile.within("time=10ms"));
    let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
    assert_counters(&survived, counters, &[("deadline", 9), ("restarts", 13)]);
    assert_said(&survived, " log lines suppressed\n");
}

#[test]
fn a_plugin_that_loops_in_ticks_is_left_out() {
    assert_fails_in_ticks(&Hostile::liar("tick_loops").within(SHORT_TIME), "deadline");
}

#[test]
fn a_plugin_that_loops_at_the_end_does_not_keep_the_host_from_ending() {
    let survived = assert_survived(&Hostile::liar("finish_loops"));
    let counters = "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0";
    assert_counters(&survived, counters, &[("deadline", 1), ("restarts", 1)]);
}

#[test]
fn a_plugin_that_sleeps_holds_nobody_up() {
    // A sleep returns at once, and calling it uses CPU time until none is left.
    assert_never_ends(Hostile::liar("sleeps_for_ever"));
}

#[test]
fn a_plugin_that_prints_without_end_is_left_out_and_the_log_stays_short() {
    for act in ["prints_without_end", "logs_without_end"] {
        let survived = assert_survived(&Hostile::liar(act).within(SHORT_TIME).within("log=5"));
        let counters = "dropped=0 in=3000 kept=0 lost=0 passed_unseen=3000";
        assert_counters(&survived, counters, &[("deadline", 9), ("restarts", 13)]);
        // Nine times 20 ms of CPU time: a second or two of wall-clock time, more on a busy machine.
        let told = survived.stderr.matches("again").count();
        assert!((5..200).contains(&told), "{told} lines");
    }
}

#[test]
fn a_slow_plugin_that_stays_within_its_time_is_left_alone() {
    // A million rounds a call are some hundred microseconds.
    assert_harmless(&Hostile::liar("burns 100000"));
}
