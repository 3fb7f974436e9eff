//! Saved bytes that no plugin has written: they are refused, or harmless.

use retrans_plugin_sdk::testing::NativePlugin;

use super::*;
use crate::ranking::Detail;

/// Writes a summary before each event.
struct Writer(FlowSummary);

impl Plugin for Writer {
    type Settings = crate::Settings;

    fn new(settings: crate::Settings) -> Result<Self> {
        FlowSummary::new(settings).map(Writer)
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        self.0.on_tick(event.time(), out)?;
        self.0.on_finish(event.time(), out)?;
        self.0.on_event(event, out)
    }
}

impl Stateful for Writer {
    type State = crate::State;

    fn state(&self) -> &crate::State {
        self.0.state()
    }

    fn restore(&mut self, state: crate::State) -> Result<()> {
        self.0.restore(state)
    }
}

fn native<P: Plugin>() -> NativePlugin<P> {
    NativePlugin::configure(&json!({"top": 2})).expect("it is sound")
}

/// Processes synthetic events, and an attempt that failed.
fn process<P: Plugin>(plugin: &mut NativePlugin<P>, seed: u64, count: usize) {
    let failed = Record::new().with(|event| event.set_sent(Some(false)));
    let records = Synth::new(seed).take(count).chain([failed]);
    let mut bytes: Vec<u8> = records
        .flat_map(|record| record.as_bytes().to_vec())
        .collect();
    let size = Record::new().as_bytes().len() as u32;
    plugin
        .process(&mut bytes, size)
        .expect("nothing of an event is an error");
}

#[test]
fn restored_sums_may_be_of_any_size() {
    let mut sound = native::<FlowSummary>();
    process(&mut sound, 1, 12);
    let (version, state) = sound.save().expect("it is writable");
    for key in [
        &b"\x66events"[..],
        b"\x68segments",
        b"\x66failed",
        b"\x64lost",
    ] {
        let place = state.windows(key.len()).position(|bytes| bytes == key);
        let place = place.expect("it has the key") + key.len();
        assert!(state[place] < 24, "a number of one byte");
        let mut largest = state.clone();
        largest.splice(place..=place, [&[0x1b][..], &[0xff; 8]].concat());
        let mut plugin = native::<Writer>();
        plugin.restore(version, &largest).expect("it is a number");
        process(&mut plugin, 2, 40);
        let mut plugin = native::<FlowSummary>();
        plugin.restore(version, &largest).expect("it is a number");
        process(&mut plugin, 2, 40);
    }
    let many = json!({"k": vec![1; 300], "h": null, "m": false});
    let many: Detail = serde_json::from_value(many).expect("it is a list");
    assert_eq!(many.kinds().len(), 256, "a kind has one byte");
}

#[test]
fn untrusted_bytes_are_refused_or_harmless() {
    let mut sound = native::<FlowSummary>();
    process(&mut sound, 1, 12);
    let (version, state) = sound.save().expect("it is writable");
    let mut refused = 0;
    for place in 0..state.len() {
        assert!(
            native::<FlowSummary>()
                .restore(version, &state[..place])
                .is_err(),
            "cut at {place}"
        );
        for byte in [0x00, 0x01, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xfb, 0xff] {
            let mut other = state.clone();
            other[place] = byte;
            let mut plugin = native::<FlowSummary>();
            refused += u32::from(plugin.restore(version, &other).is_err());
            process(&mut plugin, 2, 4);
            let mut writer = native::<Writer>();
            if writer.restore(version, &other).is_ok() {
                process(&mut writer, 2, 2);
            }
            let (version, again) = plugin.save().expect("it is writable");
            plugin
                .restore(version, &again)
                .expect("what the plugin has made of it is sound");
        }
    }
    assert!(refused > 100, "{refused}");
}
