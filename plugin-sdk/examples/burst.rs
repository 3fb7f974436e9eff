//! Raises an alert when a peer has many retransmits within a sliding window.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Retransmits to one peer within the window.
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
        ensure!(settings.threshold > 0, "threshold: expected at least 1");
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
    fn reaching_the_threshold_raises_one_alert() -> Result<()> {
        let first = Synth::new(7).next().context("the stream has no end")?;
        let outcome = Scenario::new()
            .setting("threshold", 30)
            .events(vec![first; 100])
            .run::<Burst>()?;
        assert_eq!(outcome.kept.len(), 100);
        assert_eq!(outcome.alerts.len(), 1);
        assert_eq!(outcome.alerts[0].name, "retransmit-burst");
        assert_eq!(outcome.alerts[0].event, Some(29));
        Ok(())
    }

    #[test]
    fn a_new_instance_counts_on() -> Result<()> {
        let first = Synth::new(7).next().context("the stream has no end")?;
        let outcome = Scenario::new()
            .setting("threshold", 30)
            .events(vec![first.clone(); 20])
            .reload()
            .events(vec![first; 20])
            .run_stateful::<Burst>()?;
        assert_eq!(outcome.alerts.len(), 1);
        assert_eq!(outcome.alerts[0].event, Some(29));
        Ok(())
    }
}
