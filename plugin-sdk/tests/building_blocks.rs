//! A plugin whose state has every building block: it goes on exactly after a reload, and no saved bytes break it.

#![allow(missing_docs)]

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::NativePlugin;
use retrans_plugin_sdk::testing::Record;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

struct Everything(State);

#[derive(Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct State {
    counts: BucketedCounter<IpAddr>,
    top: TopK<Cidr>,
    rtts: Histogram,
    average: Ewma,
    alarm: Alarm<IpAddr>,
    timer: Every,
    ports: PrefixMap<u16>,
    last: LruMap<SocketAddr, u64>,
}

impl Plugin for Everything {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        let alarm = Alarm::new("many").info_at(3).warning_at(6).critical_at(20);
        Ok(Everything(State {
            counts: BucketedCounter::with_max_keys(Duration::from_secs(2), 7, 30),
            top: TopK::new(9),
            rtts: Histogram::new(),
            average: Ewma::new(Duration::from_millis(700)),
            alarm: alarm
                .resolve_below(2)
                .hold(Duration::from_secs(1))
                .max_keys(12),
            timer: every(Duration::from_secs(2)),
            ports: PrefixMap::new(),
            last: LruMap::new(20),
        }))
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let state = &mut self.0;
        let (peer, now) = (event.peer().ip(), event.time());
        let count = state.counts.add(peer, now);
        out.alerts(
            state
                .alarm
                .update(peer, count, now, |alert| alert.label("peer", peer)),
        );
        state.top.add(
            Cidr::truncate(peer, 28),
            event.segments().unwrap_or(1).into(),
        );
        if let Some(srtt) = event.srtt() {
            state.rtts.add_duration(srtt);
            state.average.add(srtt.as_secs_f64(), now);
        }
        // Few networks: the state has no bound for those of the operator.
        state
            .ports
            .insert(Cidr::truncate(peer, 4), event.peer().port());
        state
            .last
            .touch(event.peer(), now, |sequence| *sequence = event.sequence());
        Ok(Verdict::keep_if(state.last.get(&event.local()).is_none()))
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let state = &mut self.0;
        state.counts.remove_idle(now);
        out.alerts(state.alarm.tick(now, |key, alert| alert.summary(key)));
        if state.timer.due(now) {
            out.line(format_args!(
                "{:?} {:?}",
                state.top.top(3),
                state.top.max_missing()
            ));
            out.line(format_args!(
                "{:?} {:?}",
                state.rtts.quantile(0.9),
                state.average.mean()
            ));
            out.line(format_args!(
                "{:?} {:?}",
                state.counts.evicted(),
                state.ports
            ));
            out.line(format_args!(
                "{:?}",
                state.counts.iter(now).collect::<Vec<_>>()
            ));
        }
        Ok(())
    }
}

impl Stateful for Everything {
    type State = State;

    fn state(&self) -> &State {
        &self.0
    }

    fn restore(&mut self, saved: State) -> Result<()> {
        self.0.counts.restore(saved.counts);
        self.0.top.restore(saved.top);
        self.0.average.restore(saved.average);
        self.0.alarm.restore(saved.alarm);
        self.0.timer.restore(saved.timer);
        self.0.rtts = saved.rtts;
        self.0.ports = saved.ports;
        self.0.last = saved.last;
        Ok(())
    }
}

export_plugin!(Everything: Stateful);

#[test]
fn a_reload_after_each_call_makes_no_difference() -> Result<()> {
    let mut records = Synth::with_connections(2, 40);
    let mut scenario = Scenario::new();
    for second in 1_000..1_010 {
        scenario = scenario.events(records.by_ref().take(60));
        scenario = scenario.tick(Duration::from_secs(second));
    }
    let outcome = scenario.run_stateful::<Everything>()?;
    assert!(outcome.alerts.len() > 10, "{}", outcome.alerts.len());
    assert!(outcome.lines.len() >= 16);
    Ok(())
}

fn native() -> NativePlugin<Everything> {
    NativePlugin::configure(&json!({})).expect("there are no settings")
}

fn process(plugin: &mut NativePlugin<Everything>, seed: u64, count: usize) {
    let records = Synth::with_connections(seed, 9).take(count);
    let mut bytes: Vec<u8> = records
        .flat_map(|record| record.as_bytes().to_vec())
        .collect();
    let size = Record::new().as_bytes().len() as u32;
    plugin
        .process(&mut bytes, size)
        .expect("nothing of an event is an error");
}

#[test]
fn untrusted_bytes_are_refused_or_harmless() {
    let mut sound = native();
    process(&mut sound, 1, 40);
    let (version, state) = sound.save().expect("it is writable");
    let (mut refused, mut accepted) = (0, 0);
    for place in 0..state.len() {
        assert!(
            native().restore(version, &state[..place]).is_err(),
            "cut at {place}"
        );
        for byte in [
            0x00, 0x01, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xf6, 0xfb, 0xff,
        ] {
            let mut other = state.clone();
            other[place] = byte;
            let mut plugin = native();
            match plugin.restore(version, &other) {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
            process(&mut plugin, 2, 3);
            let (version, again) = plugin.save().expect("it is writable");
            plugin
                .restore(version, &again)
                .expect("what the plugin has made of it is sound");
        }
    }
    assert!(refused > 1_000 && accepted > 1_000, "{refused} {accepted}");
}
