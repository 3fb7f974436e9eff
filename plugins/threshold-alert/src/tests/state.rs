//! State that survives a fault, a new version and new settings.

use retrans_plugin_sdk::retrans_event::RECORD_SIZE;
use retrans_plugin_sdk::serde_json::Value;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::NativePlugin;

use super::*;

/// A threshold of three within 10 s, and one alert that is active at 2 s.
fn firing() -> Scenario {
    at(three_in_ten_seconds(), [0, 1_000, 2_000])
}

#[test]
fn an_alert_that_has_fired_does_not_fire_again_after_a_reload() {
    let outcome = run(&at(firing().reload(), [2_001, 2_002, 5_000]));
    assert_eq!(states(&outcome), [AlertState::Firing]);
}

#[test]
fn an_alert_that_has_fired_is_resolved_after_a_reload_when_it_would_have_been() {
    // As without the reload: the count falls below 3 at 10 s.
    let outcome = run(&firing().reload().tick(seconds(19)));
    assert_eq!(states(&outcome), [AlertState::Firing]);
    let outcome = run(&firing().tick(seconds(19)).reload().tick(seconds(20)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn an_alert_of_another_boot_ends_and_counts_begin_anew() {
    const BOOT: u64 = 1_000_000_000;
    let before = at(three_in_ten_seconds(), [BOOT, BOOT, BOOT]);
    let outcome = run(&at(before.clone(), [5_000, 5_000]).tick(seconds(14)));
    assert_eq!(states(&outcome), [AlertState::Firing]);
    let outcome = run(&at(before.clone(), [5_000, 5_000])
        .tick(seconds(6))
        .tick(seconds(15)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    let silent = before.reload().tick(seconds(5));
    let outcome = run(&silent.clone().tick(seconds(14)));
    assert_eq!(states(&outcome), [AlertState::Firing]);
    let outcome = run(&silent.clone().tick(seconds(15)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    // Below the threshold, and at it.
    let outcome = run(&at(silent.clone(), [5_000, 5_000]).tick(seconds(15)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    let again = at(silent, [5_000, 5_000, 6_000]).tick(seconds(24));
    assert_eq!(states(&run(&again)), [AlertState::Firing]);
    let outcome = run(&again.tick(seconds(25)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    // Without an alert.
    let few = at(three_in_ten_seconds(), [BOOT, BOOT]);
    assert_eq!(run(&at(few.clone(), [5_000, 5_000])).alerts, []);
    let outcome = run(&at(few, [5_000, 5_000, 5_000]));
    assert_eq!(states(&outcome), [AlertState::Firing]);
}

#[test]
fn counts_go_on_where_they_were() {
    let scenario = at(three_in_ten_seconds(), [0, 5_000]).reload();
    assert_eq!(run(&at(scenario.clone(), [9_999])).alerts.len(), 1);
    assert_eq!(run(&at(scenario, [10_000])).alerts, []);
}

#[test]
fn a_stream_of_all_kinds_has_the_same_alerts_however_often_the_plugin_is_reloaded() {
    let mut records = Synth::new(3);
    let mut last = Duration::ZERO;
    let mut scenario = Scenario::new()
        .setting("threshold", 3)
        .setting("window", "30ms")
        .setting("max_keys", 20)
        .setting("key", json!(["connection", "container"]));
    for _ in 0..40 {
        for mut record in records.by_ref().take(20) {
            let peer = [10, 0, 0, (record.sequence() % 23 / 2) as u8];
            record.set_peer_address(peer.into());
            record.set_local_address([10, 0, 1, 1].into());
            record.set_local_port(1);
            record.set_peer_port(1);
            last = last.max(record.time());
            scenario = scenario.event(record);
        }
        scenario = scenario.tick(last);
    }
    let outcome = run(&scenario);
    assert!(outcome.alerts.len() > 20, "{}", outcome.alerts.len());
    assert!(outcome.counts["keys_evicted"] > 20, "{:?}", outcome.counts);
}

#[test]
fn the_least_recently_used_key_is_the_same_after_a_reload() {
    let peers = ["10.0.0.2:1", "10.0.0.3:1", "10.0.0.2:1"];
    let records = (0..).zip(peers);
    let records = records.map(|(millis, peer)| retransmit(millis, peer));
    let scenario = three_in_ten_seconds().setting("max_keys", 2);
    let scenario = scenario.events(records).reload();
    let outcome = run(&at(scenario.event(retransmit(3, "10.0.0.4:1")), [4]));
    assert_eq!(outcome.counts["keys_evicted"], 1, "10.0.0.3");
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn with_a_smaller_maximum_the_least_recently_used_keys_are_evicted_and_resolved() {
    let scenario = firing().event(retransmit(2_001, "10.0.0.3:1"));
    let scenario = scenario.event(retransmit(2_002, "10.0.0.4:1"));
    let fewer = scenario.reload().setting("max_keys", 1);
    let outcome = run(&fewer.event(retransmit(2_003, "10.0.0.4:1")));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    assert_eq!(outcome.alerts[1].label_value("peer"), Some("10.0.0.2"));
    assert_eq!(outcome.counts["keys_evicted"], 2);
}

#[test]
fn a_lower_threshold_fires_at_the_next_retransmit() {
    let scenario = at(three_in_ten_seconds(), [0, 1_000]).reload();
    let lower = scenario.setting("threshold", 2).tick(seconds(2));
    assert_eq!(run(&lower).alerts, [], "nothing was sent again since");
    let outcome = run(&at(lower, [3_000]));
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted to 10.0.0.2 within 10s"
    );
}

#[test]
fn under_a_higher_threshold_an_alert_ends_a_window_after_the_change() {
    let higher = firing().reload().setting("threshold", 4).tick(seconds(11));
    assert_eq!(states(&run(&higher)), [AlertState::Firing]);
    let outcome = run(&higher.tick(seconds(12)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn in_another_window_an_alert_ends_by_the_new_one() {
    // With a window of 3 s, the threshold is reached until 3 s.
    let shorter = firing().reload().setting("window", "3s").tick(seconds(5));
    assert_eq!(states(&run(&shorter)), [AlertState::Firing]);
    let outcome = run(&shorter.tick(seconds(6)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);

    let longer = firing().reload().setting("window", "1m");
    let outcome = run(&longer.clone().tick(seconds(119)));
    assert_eq!(states(&outcome), [AlertState::Firing]);
    let outcome = run(&longer.tick(seconds(120)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn counts_of_something_else_are_refused_by_the_name_of_the_setting() {
    for (key, value, expected) in [
        (
            "key",
            json!(["peer", "netns"]),
            r#"key: the saved state is counted by "peer", the setting is ["peer","netns"]"#,
        ),
        (
            "key",
            json!("local"),
            r#"key: the saved state is counted by "peer", the setting is "local""#,
        ),
        (
            "count",
            json!("events"),
            r#"count: the saved state counts "segments", the setting is "events""#,
        ),
    ] {
        let scenario = firing().reload().setting(key, value);
        let error = scenario
            .run_stateful::<ThresholdAlert>()
            .expect_err(expected);
        assert_eq!(
            format!("{error:#}"),
            format!("the saved state is refused: {expected}")
        );
    }
}

#[test]
fn the_order_in_which_keys_are_listed_makes_no_difference_to_the_state() {
    let scenario = three_in_ten_seconds().setting("key", json!(["peer", "netns"]));
    let scenario = at(scenario, [0, 1]).reload();
    let outcome = run(&at(scenario.setting("key", json!(["netns", "peer"])), [2]));
    assert_eq!(outcome.alerts.len(), 1);
}

/// Runs the plugin natively.
fn native(settings: Value) -> NativePlugin<ThresholdAlert> {
    NativePlugin::configure(&settings).expect("the settings are sound")
}

fn process(plugin: &mut NativePlugin<ThresholdAlert>, records: impl IntoIterator<Item = Record>) {
    let records = records.into_iter();
    let mut bytes: Vec<u8> = records
        .flat_map(|record| record.as_bytes().to_vec())
        .collect();
    let processed = plugin.process(&mut bytes, RECORD_SIZE as u32);
    processed.expect("nothing of an event is an error");
}

fn save(plugin: &mut NativePlugin<ThresholdAlert>) -> (u32, Vec<u8>) {
    plugin.save().expect("nothing of the state is unwritable")
}

#[test]
fn a_key_takes_few_bytes() {
    let mut plugin = native(json!({}));
    let empty = save(&mut plugin).1.len();
    let peer = |number| format!("10.0.{}.{}:443", number / 256, number % 256);
    let records = (0..1_000).map(|number| retransmit(90_000_000 + number, &peer(number)));
    process(&mut plugin, records);
    let bytes = save(&mut plugin).1.len() - empty;
    assert!(bytes <= 26 * 1_000, "{bytes}");
}

#[test]
fn a_state_of_another_version_is_refused() {
    let mut plugin = native(json!({}));
    let (version, state) = save(&mut plugin);
    let error = plugin
        .restore(version + 1, &state)
        .expect_err("it is newer");
    assert_eq!(
        error.to_string(),
        "a state of version 2; this plugin reads version 1"
    );
}

#[test]
fn untrusted_bytes_are_refused_or_bounded_and_never_break_the_plugin() {
    let settings = || json!({"threshold": 3, "max_keys": 3, "key": ["connection", "process"]});
    let mut sound = native(settings());
    process(&mut sound, Synth::new(1).take(20));
    process(&mut sound, (0..4).map(|millis| retransmit(millis, PEER)));
    let (version, state) = save(&mut sound);
    let mut refused = 0;
    for place in 0..state.len() {
        let cut = native(settings()).restore(version, &state[..place]);
        assert!(cut.is_err(), "cut at {place}");
        for byte in [0x00, 0x01, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xfb, 0xff] {
            let mut other = state.clone();
            other[place] = byte;
            let mut plugin = native(settings());
            refused += u32::from(plugin.restore(version, &other).is_err());
            process(&mut plugin, Synth::new(2).take(4));
            let (version, again) = save(&mut plugin);
            let restored = plugin.restore(version, &again);
            restored.expect("what the plugin has made of it is sound");
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn bytes_that_are_not_a_state_are_refused_with_the_reason() {
    for (bytes, expected) in [
        (&b""[..], "the bytes end within a value"),
        (b"retransmits", "invalid type: string, expected map"),
        (b"\xa0", "missing field `key`"),
        (
            b"\xa1\x65count\x64many",
            "count: unknown variant `many`, expected `segments` or `events`",
        ),
    ] {
        let error = native(json!({})).restore(1, bytes).expect_err(expected);
        assert_eq!(
            format!("{error:#}"),
            format!("cannot read the state of version 1: {expected}")
        );
    }
}

/// A state that version 0.1.0 saved before it counted links separately: two retransmits each to fe80::72 and
/// to 10.0.0.2.
const WITHOUT_LINKS: &[u8] = b"\xa3ckeydpeerecounthsegmentsdkeys\x83\x1a\x00\x01\x00\x00\x00\
    \xa2\xa1ap\xc2P\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00r\xa1a\
    cI\xc0\x84=\x00\x01\xc0\x84=\x01\xa1ap\x1b\x00\x00\xff\xff\x0a\x00\x00\x02\xa1acI\xc0\x84=\x00\x01\xc0\x84=\x01";

#[test]
fn a_state_from_before_links_were_counted_separately_is_restored() {
    let mut plugin = native(json!({"threshold": 3, "window": "10s"}));
    plugin.restore(1, WITHOUT_LINKS).expect("as it was saved");
    let mut link_local = retransmit(2, "[fe80::72]:443");
    link_local.set_interface(Some(2));
    process(&mut plugin, [link_local]);
    // An active alert has a time in the state, named u.
    let fires = |state: &[u8]| state.windows(2).any(|bytes| bytes == b"\x61u");
    assert!(
        !fires(&save(&mut plugin).1),
        "it is counted anew, by its link"
    );
    process(&mut plugin, [retransmit(2, PEER)]);
    assert!(fires(&save(&mut plugin).1), "the third within 10 s");
}
