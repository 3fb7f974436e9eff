//! Raises an alert when a peer has many retransmits within a sliding window, and resolves it when it has few again.

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

#[derive(Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Burst {
    seen: SlidingCounter<IpAddr>,
    alarm: Alarm<IpAddr>,
}

impl Plugin for Burst {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        let Settings { threshold, window } = settings;
        ensure!(threshold > 0, "threshold: expected at least 1");
        Ok(Burst {
            seen: SlidingCounter::new(window, threshold),
            alarm: Alarm::new("retransmit-burst")
                .warning_at(threshold)
                .hold(window),
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let (peer, now) = (event.peer().ip(), event.time());
        let count = self.seen.add(peer, now);
        let raised = self
            .alarm
            .update(peer, count, now, |alert| alert.label("peer", peer));
        out.alerts(raised);
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.seen.remove_idle(now);
        out.alerts(self.alarm.tick(now, |_, alert| alert));
        Ok(())
    }
}

impl Stateful for Burst {
    type State = Self;

    fn state(&self) -> &Self {
        self
    }

    fn restore(&mut self, saved: Self) -> Result<()> {
        self.seen.restore(saved.seen);
        self.alarm.restore(saved.alarm);
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
    fn an_alert_rises_once_and_ends() -> Result<()> {
        let first = Synth::new(7).next().context("the stream has no end")?;
        let end = first.time() + Duration::from_secs(10);
        let outcome = Scenario::new()
            .setting("threshold", 30)
            .events(vec![first; 100])
            .tick(end)
            .run::<Burst>()?;
        assert_eq!(outcome.kept.len(), 100);
        assert_eq!(outcome.alerts.len(), 2);
        assert_eq!(outcome.alerts[0].name, "retransmit-burst");
        assert_eq!(outcome.alerts[0].event, Some(29));
        assert_eq!(outcome.alerts[1].state, AlertState::Resolved);
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
