//! State that survives: the guarantees for plugin authors, and the mistakes that their tests find.

#![allow(missing_docs)]

use std::collections::BTreeMap;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::NativePlugin;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

settings! {
    struct Settings {
        /// Keeps every n-th event of a peer.
        every: u64 = 3,
    }
}

/// Counts events of each peer, and of all.
struct EveryNth {
    every: u64,
    counts: Counts,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Counts {
    all: u64,
    peers: BTreeMap<IpAddr, u64>,
    #[serde(default)]
    ticks: u32,
}

impl Plugin for EveryNth {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let counts = Counts::default();
        let every = settings.every;
        Ok(EveryNth { every, counts })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        self.counts.all += 1;
        let peer = self.counts.peers.entry(event.peer().ip()).or_default();
        *peer += 1;
        Ok(Verdict::keep_if(peer.is_multiple_of(self.every)))
    }

    fn on_tick(&mut self, _: Duration, _: &mut Output) -> Result<()> {
        self.counts.ticks += 1;
        Ok(())
    }

    fn on_finish(&mut self, _: Duration, out: &mut Output) -> Result<()> {
        let Counts { all, peers, ticks } = &self.counts;
        out.line(format_args!("{all} of {} in {ticks}", peers.len()));
        Ok(())
    }
}

impl Stateful for EveryNth {
    type State = Counts;
    const STATE_VERSION: u32 = 3;

    fn state(&self) -> &Counts {
        &self.counts
    }

    fn restore(&mut self, counts: Counts) -> Result<()> {
        let sum: u64 = counts.peers.values().sum();
        let all = counts.all;
        self.counts = counts;
        ensure!(
            all == sum,
            "all: {all} events, but those of the peers are {sum}"
        );
        Ok(())
    }

    fn migrate(&mut self, saved: SavedState) -> Result<()> {
        match saved.version() {
            // In version 2 only the peers were counted.
            2 => {
                let peers: BTreeMap<IpAddr, u64> = saved.read()?;
                let all = peers.values().sum();
                self.restore(Counts {
                    all,
                    peers,
                    ticks: 0,
                })
            }
            _ => saved.refuse::<Self>(),
        }
    }
}

export_plugin!(EveryNth: Stateful);

fn few_peers() -> impl Iterator<Item = Record> {
    Synth::new(1).map(|mut record| {
        let peer = record.sequence() as u8 % 5;
        record.set_peer_address(IpAddr::from([10, 0, 0, peer]));
        record
    })
}

fn run(scenario: &Scenario) -> Outcome {
    scenario.run_stateful::<EveryNth>().expect("it is sound")
}

#[test]
fn a_reloaded_plugin_goes_on_where_the_one_before_was() {
    let records: Vec<Record> = few_peers().take(100).collect();
    let (earlier, later) = records.split_at(47);
    let scenario = Scenario::new().events(earlier.to_vec());
    let scenario = scenario.tick(Duration::from_secs(1));
    let whole = run(&scenario.clone().events(later.to_vec()));
    assert_eq!(whole.lines, ["100 of 5 in 1"]);
    assert_eq!(run(&scenario.reload().events(later.to_vec())), whole);
}

#[test]
fn settings_after_a_reload_are_those_of_the_new_instance() {
    let four = || vec![few_peers().next().expect("there is no end"); 4];
    let scenario = Scenario::new().setting("every", 2).events(four());
    let scenario = scenario.reload().setting("every", 4).events(four());
    let scenario = scenario.reload().events(four());
    let outcome = run(&scenario);
    let kept = outcome.kept.len();
    assert_eq!(kept, 2 + 1 + 1, "of the 2nd, 4th, 8th and 12th event");
}

#[test]
fn a_state_of_an_older_version_can_be_read_and_others_are_refused_by_number() -> Result<()> {
    let peers = BTreeMap::from([(IpAddr::from([10, 0, 0, 1]), 7)]);
    let mut older = Vec::new();
    ciborium::into_writer(&peers, &mut older)?;
    let mut plugin = NativePlugin::<EveryNth>::configure(&json!({}))?;
    plugin.restore(2, &older)?;
    let (version, saved) = plugin.save()?;
    let counts: Counts = ciborium::from_reader(&*saved)?;
    assert_eq!((version, counts.all, counts.peers), (3, 7, peers));

    let error = plugin.restore(1, &older).expect_err("it is too old");
    assert_eq!(
        error.to_string(),
        "a state of version 1; this plugin reads version 3"
    );
    let error = plugin.restore(2, &saved).expect_err("it is no version 2");
    assert_eq!(
        format!("{error:#}"),
        "cannot read the state of version 2: unknown variant `all`, expected `V4` or `V6`"
    );
    Ok(())
}

#[test]
fn a_plugin_refuses_a_state_with_its_own_message() -> Result<()> {
    let mut plugin = NativePlugin::<EveryNth>::configure(&json!({}))?;
    let mut wrong = Vec::new();
    let counts = Counts {
        all: 5,
        ..Counts::default()
    };
    ciborium::into_writer(&counts, &mut wrong)?;
    let error = plugin
        .restore(3, &wrong)
        .expect_err("it contradicts itself");
    assert_eq!(
        error.to_string(),
        "all: 5 events, but those of the peers are 0"
    );
    Ok(())
}

#[test]
fn bytes_that_are_not_a_state_are_refused_with_the_reason() -> Result<()> {
    let mut plugin = NativePlugin::<EveryNth>::configure(&json!({}))?;
    let (_, sound) = plugin.save()?;
    for (bytes, expected) in [
        (&sound[..sound.len() - 1], "the bytes end within a value"),
        (b"\xa0", "missing field `all`"),
        (b"\xa1\x63all\x20", "all: unexpected negative integer"),
    ] {
        let error = plugin.restore(3, bytes).expect_err(expected);
        let error = format!("{error:#}");
        assert!(
            error.starts_with("cannot read the state of version 3: "),
            "{error}"
        );
        assert!(error.ends_with(expected), "{error}");
    }
    Ok(())
}

/// Leaves a counter out of its state.
struct Forgetful {
    saved: u64,
    left_out: u64,
}

impl Plugin for Forgetful {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Forgetful {
            saved: 0,
            left_out: 0,
        })
    }

    fn on_event(&mut self, _: &mut Event, out: &mut Output) -> Result<Verdict> {
        self.saved += 1;
        self.left_out += 1;
        out.line(format_args!("{} {}", self.saved, self.left_out));
        Ok(Verdict::Keep)
    }
}

impl Stateful for Forgetful {
    type State = u64;

    fn state(&self) -> &u64 {
        &self.saved
    }

    fn restore(&mut self, saved: u64) -> Result<()> {
        self.saved = saved;
        Ok(())
    }
}

#[test]
#[should_panic(
    expected = "results without and with a reload after every call differ in line 1 (of 3 and 3):\n  \
                \"2 2\"\n  \"2 1\""
)]
fn a_plugin_that_leaves_something_out_of_its_state_is_found() {
    let scenario = Scenario::new().events(Synth::new(7).take(3));
    let _ = scenario.run_stateful::<Forgetful>();
}

#[test]
fn a_reload_needs_a_plugin_with_state() {
    let scenario = Scenario::new().reload();
    let error = scenario.run::<EveryNth>().expect_err("it is for others");
    assert_eq!(
        error.to_string(),
        "a scenario with a reload needs `run_stateful`"
    );
}
