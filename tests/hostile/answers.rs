//! Plugins with answers that break the contract.

use serde_json::Value;

use crate::host::run;
use crate::plugins::Hostile;
use crate::stream::EVENTS;
use crate::survival::assert_counters;
use crate::survival::assert_fails_in_ticks;
use crate::survival::assert_fails_on_all;
use crate::survival::assert_harmless;
use crate::survival::assert_keeps_all;
use crate::survival::assert_memory;
use crate::survival::assert_said;
use crate::survival::assert_survived;

#[test]
fn a_plugin_that_always_answers_with_an_error_is_left_out() {
    assert_fails_on_all(&Hostile::liar("refuses"), "error");
    assert_fails_in_ticks(&Hostile::liar("tick_refuses"), "error");
}

#[test]
fn a_plugin_with_the_wrong_number_of_bits_is_left_out() {
    assert_fails_on_all(&Hostile::liar("keep_too_few"), "contract");
    assert_fails_on_all(&Hostile::liar("keep_too_many"), "contract");
}

#[test]
fn a_plugin_with_bits_beyond_the_count_is_left_out() {
    assert_fails_on_all(&Hostile::liar("keep_beyond_the_last"), "contract");
}

#[test]
fn a_plugin_that_changes_events_that_are_not_there_or_out_of_order_is_left_out() {
    for act in ["change_unknown", "change_repeated", "change_descending"] {
        assert_fails_on_all(&Hostile::liar(act), "contract");
    }
}

#[test]
fn a_plugin_whose_records_are_too_long_or_too_short_is_left_out() {
    assert_fails_on_all(&Hostile::liar("change_too_long"), "contract");
    assert_fails_on_all(&Hostile::liar("change_too_short"), "contract");
}

#[test]
fn a_plugin_that_changes_what_it_does_not_keep_is_left_out() {
    assert_fails_on_all(&Hostile::liar("change_dropped"), "contract");
}

#[test]
fn a_plugin_that_changes_all_that_it_can_leaves_the_next_one_every_event_in_order() {
    let peace = lines(&assert_harmless(&Hostile::liar("burns 0")).printed);
    for act in ["change_every_byte", "change_to_noise"] {
        let survived = run(&Hostile::liar(act));
        assert_keeps_all(&survived);
        assert_memory(&survived, 0);
        assert_eq!(survived.ledger.usage["hostile"].get("changed"), EVENTS);
        let changed = lines(&survived.printed);
        assert_eq!(changed.len(), peace.len(), "{act}");
        for (changed, event) in changed.iter().zip(&peace) {
            assert_ne!(changed, event, "{act}");
            // Fields that a plugin cannot change: they still identify the event.
            for hosts in ["sequence", "timestamp", "boot_time_ns", "cpu"] {
                assert_eq!(changed[hosts], event[hosts], "{act}: {hosts} in {changed}");
            }
        }
    }
}

#[test]
fn a_hundred_strings_on_one_buffer_are_not_taken() {
    for act in ["alias_bomb", "keep_bomb", "refuse_bomb"] {
        let survived = assert_fails_on_all(&Hostile::liar(act), "contract");
        assert_said(&survived, "process: too much data is being copied between");
    }
}

#[test]
fn what_is_not_utf8_is_not_taken() {
    assert_fails_on_all(&Hostile::liar("write_no_text"), "contract");
    for name in ["logs_no_utf8", "refuses_in_no_utf8"] {
        let survived = assert_fails_on_all(&Hostile::from_folder(name), "contract");
        assert_said(&survived, "process: invalid utf-8 sequence of 1 bytes");
    }
}

#[test]
fn what_lies_outside_of_its_memory_is_not_taken() {
    for name in [
        "answers_four_billion_bits",
        "answers_outside_of_its_memory",
        "logs_four_gibibytes",
        "wants_events_where_no_memory_is",
    ] {
        assert_fails_on_all(&Hostile::from_folder(name), "contract");
    }
}

#[test]
fn what_no_type_has_is_not_taken() {
    for name in [
        "answers_between_two_words",
        "answers_what_is_no_choice",
        "logs_at_a_level_that_is_none",
    ] {
        assert_fails_on_all(&Hostile::from_folder(name), "contract");
    }
}

#[test]
fn a_plugin_that_calls_the_host_while_it_is_handed_events_is_left_out() {
    let hostile = Hostile::from_folder("calls_the_host_while_it_is_handed_events");
    assert_fails_on_all(&hostile, "trap");
}

#[test]
fn a_million_alerts_are_not_raised() {
    let survived = assert_fails_on_all(&Hostile::liar("emit_a_million_times"), "contract");
    assert_said(&survived, "emit: more than 10000 times in one call [");
    assert!(!survived.stderr.contains(" [hostile]"), "not one of them");
}

#[test]
fn labels_and_counters_without_end_are_not_taken() {
    for act in ["annotate_a_million_times", "count_a_million_times"] {
        let survived = assert_fails_on_all(&Hostile::liar(act), "contract");
        assert_said(&survived, "more than 256 times in one call [");
    }
}

#[test]
fn labels_as_long_as_may_be_are_no_trouble_for_the_plugin_that_prints_them() {
    let length = (128 << 10) - "key".len();
    let hostile = Hostile::liar(&format!("annotate_event_1000_at_length {length}"));
    let survived = run(&hostile);
    assert_eq!(lines(&survived.printed).len() as u64, EVENTS);
    assert_keeps_all(&survived);
    assert_memory(&survived, 0);

    // The first event of its call: 10 events, 5, 2, and 1.
    let hostile = Hostile::liar(&format!("annotate_event_1000_at_length {}", length + 1));
    let survived = assert_survived(&hostile);
    let counters = "dropped=0 in=3000 kept=2999 lost=0 passed_unseen=1";
    assert_counters(&survived, counters, &[("contract", 4), ("restarts", 4)]);
    assert_said(
        &survived,
        "annotate: more than 131072 bytes of labels on a batch [event 1000 (",
    );
}

/// The printed lines as JSON.
#[track_caller]
fn lines(printed: &str) -> Vec<Value> {
    let events = printed.lines().filter(|line| line.starts_with('{'));
    let values = events.map(|line| serde_json::from_str(line).expect("a line of JSON"));
    values.collect()
}

#[test]
fn the_labels_of_all_parts_of_a_batch_are_no_more_than_those_of_a_batch() {
    let survived = run(&Hostile::from_folder("labels_every_part_of_a_batch"));
    let counters = "dropped=0 in=3000 kept=10 lost=0 passed_unseen=2990";
    let faults = [("contract", 11), ("trap", 16), ("restarts", 31)];
    assert_counters(&survived, counters, &faults);
    let next = survived.ledger.plugin("json-print").show();
    assert_eq!(next, "dropped=0 in=3000 kept=3000 lost=0 passed_unseen=0");
    assert_eq!(lines(&survived.printed).len() as u64, EVENTS);
    assert_memory(&survived, 0);
}
