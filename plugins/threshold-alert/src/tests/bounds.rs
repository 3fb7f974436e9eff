//! Bounds of the plugin's memory.

use retrans_plugin_sdk::retrans_event::RECORD_SIZE;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::NativePlugin;

use super::*;

#[test]
fn the_least_recently_used_key_is_evicted_and_counted() {
    let peers = [
        "10.0.0.2:1",
        "10.0.0.3:1",
        "10.0.0.2:1",
        "10.0.0.4:1",
        "10.0.0.2:1",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let outcome = run(&three_in_ten_seconds()
        .setting("max_keys", 2)
        .events(records));
    assert_eq!(outcome.counts["keys_evicted"], 1, "10.0.0.3");
    assert_eq!(outcome.alerts.len(), 1);
    assert_eq!(outcome.alerts[0].label_value("peer"), Some("10.0.0.2"));
}

#[test]
fn the_alert_of_an_evicted_key_is_resolved() {
    let scenario = three_in_ten_seconds().setting("max_keys", 1);
    let scenario = at(scenario, [0, 1, 2]).event(retransmit(3, "10.0.0.9:443"));
    let outcome = run(&scenario);
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    let resolved = &outcome.alerts[1];
    assert_eq!(resolved.label_value("peer"), Some("10.0.0.2"));
    assert_eq!(
        resolved.summary,
        "retransmits to 10.0.0.2 are no longer counted: there are too many keys"
    );
}

/// The plugin with a maximum of 16 entries.
struct Cramped(ThresholdAlert);

impl Plugin for Cramped {
    type Settings = crate::Settings;

    fn new(settings: crate::Settings) -> Result<Self> {
        let mut plugin = ThresholdAlert::new(settings)?;
        plugin.rule.max_entries = 16;
        Ok(Cramped(plugin))
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let verdict = self.0.on_event(event, out);
        assert!(self.0.entries <= 16, "{} entries", self.0.entries);
        verdict
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.0.on_tick(now, out)
    }
}

impl Stateful for Cramped {
    type State = crate::State;

    fn state(&self) -> &crate::State {
        self.0.state()
    }

    fn restore(&mut self, state: crate::State) -> Result<()> {
        self.0.restore(state)
    }
}

#[test]
fn memory_is_bounded_over_all_keys_however_high_the_threshold() {
    let scenario = Scenario::new().setting("threshold", 12);
    let peers = (0..100).map(|number| format!("10.0.0.{}:443", number % 10));
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, &peer));
    let crowded = scenario.clone().events(records);
    let outcome = crowded.run::<Cramped>().expect("the scenario is sound");
    assert!(outcome.counts["keys_evicted"] > 5);
    assert_eq!(outcome.alerts, [], "nobody stayed for long enough");

    let alone = at(scenario, 0..12).tick(seconds(9));
    let outcome = at(alone, 9_000..9_003)
        .run::<Cramped>()
        .expect("the scenario is sound");
    assert_eq!(
        outcome.alerts.len(),
        1,
        "one key has room for as many as it needs"
    );
    assert!(outcome.counts.is_empty());
}

#[test]
fn a_state_with_more_entries_than_the_maximum_is_cut_to_it() -> Result<()> {
    let settings = json!({"threshold": 12});
    let mut roomy = NativePlugin::<ThresholdAlert>::configure(&settings)?;
    let peers = (0..60).map(|number| retransmit(number, &format!("10.0.0.{}:443", number % 10)));
    let mut records: Vec<u8> = peers
        .flat_map(|record| record.as_bytes().to_vec())
        .collect();
    roomy.process(&mut records, RECORD_SIZE as u32)?;
    let (version, state) = roomy.save()?;
    let mut cramped = NativePlugin::<Cramped>::configure(&settings)?;
    cramped.restore(version, &state)?;
    cramped.process(
        &mut retransmit(100, PEER).as_bytes().to_vec(),
        RECORD_SIZE as u32,
    )?;
    Ok(())
}

#[test]
fn idle_keys_are_removed_and_not_evicted() {
    let scenario = three_in_ten_seconds().setting("max_keys", 1);
    let scenario = at(scenario, [0]).tick(seconds(10));
    let outcome = run(&scenario.event(retransmit(10_001, "10.0.0.9:443")));
    assert!(outcome.counts.is_empty(), "{:?}", outcome.counts);
}
