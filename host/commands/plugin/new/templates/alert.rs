//! Raises an alert for each peer whose retransmission timeout is long, and resolves it when it has been short again.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Timeout from which a peer gets a warning.
        #[serde(with = "duration")]
        warning: Duration = Duration::from_secs(2),
        /// Timeout from which the warning is critical.
        #[serde(with = "duration")]
        critical: Duration = Duration::from_secs(10),
        /// How long a peer's timeouts must have been short before its alert is resolved.
        #[serde(with = "duration")]
        hold: Duration = Duration::from_secs(60),
    }
}

struct SlowPeers {
    alarm: Alarm<IpAddr>,
}

impl Plugin for SlowPeers {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(
            settings.critical >= settings.warning,
            "critical: expected at least as much as warning"
        );
        let alarm = Alarm::new("slow-peer")
            .warning_at(millis(settings.warning))
            .critical_at(millis(settings.critical))
            .hold(settings.hold);
        Ok(SlowPeers { alarm })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        // Unknown for attempts without a connection.
        if let Some(timeout) = event.rto() {
            let peer = event.peer().ip();
            let raised = self
                .alarm
                .update(peer, millis(timeout), event.time(), |alert| {
                    let shown = duration::display(timeout);
                    alert
                        .label("peer", peer)
                        .summary(format_args!("retransmission timeout of {shown}"))
                });
            out.alerts(raised);
        }
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let ended = self.alarm.tick(now, |_, alert| {
            alert.summary("its timeouts are short again")
        });
        out.alerts(ended);
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

export_plugin!(SlowPeers);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    /// An event of one peer with this timeout, at this second.
    fn event(timeout: u64, second: u64) -> Record {
        let mut event = Synth::new(1).next().expect("the stream has no end");
        event.set_rto(Some(Duration::from_secs(timeout)));
        event.set_time(Duration::from_secs(second));
        event
    }

    #[test]
    fn an_alert_rises_and_ends() -> Result<()> {
        let outcome = Scenario::new()
            .events([event(1, 100), event(3, 101), event(12, 102)])
            .tick(Duration::from_secs(200))
            .run::<SlowPeers>()?;
        let alerts: Vec<_> = outcome
            .alerts
            .iter()
            .map(|alert| (alert.severity, alert.state))
            .collect();
        assert_eq!(
            alerts,
            [
                (Severity::Warning, AlertState::Firing),
                (Severity::Critical, AlertState::Firing),
                (Severity::Critical, AlertState::Resolved),
            ]
        );
        Ok(())
    }
}
