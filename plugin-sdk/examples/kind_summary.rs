//! Prints how many retransmits of each kind there were, once in a while.

use std::collections::BTreeMap;

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Time between two lines.
        #[serde(with = "duration")]
        every: Duration = Duration::from_secs(10),
    }
}

struct KindSummary {
    every: Duration,
    state: State,
}

/// What a new version goes on with.
#[derive(Default, Serialize, Deserialize)]
struct State {
    kinds: BTreeMap<String, u64>,
    lost: u64,
    /// When the next line is due; `None` before the first tick.
    next: Option<Duration>,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    boot_time_ns: u128,
    events: u64,
    lost: u64,
    kinds: &'a BTreeMap<String, u64>,
}

impl Plugin for KindSummary {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(
            settings.every >= Duration::from_secs(1),
            "every: expected at least 1s"
        );
        Ok(KindSummary {
            every: settings.every,
            state: State::default(),
        })
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        *self
            .state
            .kinds
            .entry(event.kind().to_string())
            .or_default() += 1;
        Ok(Verdict::Keep)
    }

    fn on_lost(&mut self, count: u64, _: &mut Output) -> Result<()> {
        self.state.lost += count;
        Ok(())
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        // A time too far ahead is that of an earlier boot: a replay may have several.
        let latest = now + self.every;
        let mut next = self.state.next.map_or(latest, |next| next.min(latest));
        if now >= next {
            self.print(now, out)?;
            while next <= now {
                next += self.every;
            }
        }
        self.state.next = Some(next);
        Ok(())
    }

    fn on_finish(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.print(now, out)
    }
}

impl KindSummary {
    /// Prints what was counted, if anything, and begins anew.
    fn print(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let State { kinds, lost, .. } = &mut self.state;
        if kinds.is_empty() && *lost == 0 {
            return Ok(());
        }
        let line = Line {
            r#type: "kind_summary",
            boot_time_ns: now.as_nanos(),
            events: kinds.values().sum(),
            lost: *lost,
            kinds,
        };
        out.line(serde_json::to_string(&line)?);
        out.count("summaries", 1);
        kinds.clear();
        *lost = 0;
        Ok(())
    }
}

impl Stateful for KindSummary {
    type State = State;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) -> Result<()> {
        self.state = state;
        Ok(())
    }
}

export_plugin!(KindSummary: Stateful);
