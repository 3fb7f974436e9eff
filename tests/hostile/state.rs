//! Plugins that fail in `save` and `restore`, or save unusable state.

use crate::plugins::Hostile;
use crate::survival::SHORT_TIME;
use crate::survival::assert_counters;
use crate::survival::assert_fails_in_ticks;
use crate::survival::assert_said;
use crate::survival::assert_survived;

#[test]
fn a_plugin_that_traps_in_save_is_left_out() {
    assert_fails_in_ticks(&Hostile::from_folder("traps_in_save"), "trap");
}

#[test]
fn a_plugin_that_loops_in_save_is_left_out() {
    let hostile = Hostile::from_folder("loops_in_save").within(SHORT_TIME);
    assert_fails_in_ticks(&hostile, "deadline");
}

#[test]
fn a_plugin_that_saves_more_than_it_may_is_left_out() {
    let hostile = Hostile::from_folder("saves_sixty_megabytes");
    assert_fails_in_ticks(&hostile, "contract");
}

#[test]
fn a_plugin_that_refuses_to_save_is_left_out() {
    let survived = assert_fails_in_ticks(&Hostile::from_folder("refuses_to_save"), "error");
    assert_said(&survived, "plugin hostile failed in save: not today!");
}

#[test]
fn a_plugin_that_does_not_take_its_state_is_started_without() {
    let looped = "took more than 250ms of CPU time";
    // One fault in `tick`, and one in `restore`.
    for (name, why, faults) in [
        (
            "refuses_to_restore",
            "not today!",
            &[("trap", 1), ("error", 1)][..],
        ),
        (
            "traps_in_restore",
            "wasm trap: wasm `unreachable`",
            &[("trap", 2)],
        ),
        ("loops_in_restore", looped, &[("trap", 1), ("deadline", 1)]),
    ] {
        let survived = assert_survived(&Hostile::from_folder(name));
        // The restart follows a tick, between two calls with events.
        let counters = "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0";
        assert_counters(&survived, counters, &[faults, &[("restarts", 1)]].concat());
        let without = "plugin hostile starts without its state: plugin hostile failed in restore";
        assert_said(&survived, &format!("{without}: {why}"));
        if why.starts_with("wasm trap") {
            assert_said(&survived, "\n    in <function ");
        }
    }
}

#[test]
fn a_plugin_that_never_takes_back_what_it_saves_is_left_out_in_few_words() {
    let hostile = Hostile::from_folder("saves_what_it_does_not_take_back").within("log=0");
    let survived = assert_survived(&hostile);
    let counters = "dropped=0 in=3000 kept=16 lost=0 passed_unseen=2984";
    assert_counters(
        &survived,
        counters,
        &[("error", 9), ("trap", 25), ("restarts", 29)],
    );
    // Five faults until quarantine, and one each time that it is tried again.
    let told = survived.stderr.matches("starts without its state");
    assert_eq!(told.count(), 9);
}

#[test]
fn a_plugin_that_fails_in_two_ways_at_once_is_in_quarantine_once() {
    let survived = assert_survived(&Hostile::from_folder("traps_on_three_events_and_in_save"));
    let counters = "dropped=0 in=3000 kept=16 lost=0 passed_unseen=2984";
    assert_counters(&survived, counters, &[("trap", 22), ("restarts", 26)]);
    let lines = survived.stderr.lines();
    let back_offs = lines.filter_map(|line| line.split_once("quarantine; it is tried again in "));
    let back_offs: Vec<&str> = back_offs.map(|(_, back_off)| back_off).collect();
    assert_eq!(back_offs, ["10s", "20s", "40s", "80s", "160s"]);
}
