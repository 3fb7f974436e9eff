//! Counts the retransmits of each peer, and alerts when there are many within a window. The counts survive a fault and a
//! new version of the plugin.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Retransmits of one peer within the window.
        #[schemars(range(min = 1))]
        threshold: u64 = 10,
        /// Length of the window.
        #[serde(with = "duration")]
        window: Duration = Duration::from_secs(10),
    }
}

struct Burst {
    threshold: u64,
    seen: SlidingCounter<IpAddr>,
}

impl Plugin for Burst {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Burst {
            threshold: settings.threshold,
            seen: SlidingCounter::new(settings.window, settings.threshold),
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let peer = event.peer().ip();
        if self.seen.add(peer, event.time()) == self.threshold {
            out.alert(Alert::warning("retransmit-burst").label("peer", peer));
        }
        Ok(Verdict::Keep)
    }
}

impl Stateful for Burst {
    type State = SlidingCounter<IpAddr>;

    fn state(&self) -> &Self::State {
        &self.seen
    }

    fn restore(&mut self, seen: Self::State) -> Result<()> {
        self.seen.restore(seen);
        Ok(())
    }
}

export_plugin!(Burst: Stateful);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn a_new_instance_counts_on() -> Result<()> {
        let event = Synth::new(7).next().context("the stream has no end")?;
        let outcome = Scenario::new()
            .setting("threshold", 30)
            .events(vec![event.clone(); 20])
            .reload()
            .events(vec![event; 20])
            .run_stateful::<Burst>()?;
        assert_eq!(outcome.alerts.len(), 1);
        assert_eq!(outcome.alerts[0].event, Some(29));
        Ok(())
    }
}
