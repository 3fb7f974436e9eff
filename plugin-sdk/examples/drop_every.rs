//! Drops every n-th event.

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Which events to drop: 3 drops the third, the sixth and so on.
        n: u64 = 2,
    }
}

struct DropEvery {
    n: u64,
    seen: u64,
}

impl Plugin for DropEvery {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(settings.n > 0, "n: expected at least 1");
        Ok(DropEvery {
            n: settings.n,
            seen: 0,
        })
    }

    fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
        self.seen += 1;
        Ok(Verdict::keep_if(!self.seen.is_multiple_of(self.n)))
    }
}

export_plugin!(DropEvery);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn every_third_event_is_dropped() -> Result<()> {
        let outcome = Scenario::new()
            .setting("n", 3)
            .events(Synth::new(1).take(300))
            .run::<DropEvery>()?;
        assert_eq!(outcome.kept.len(), 200);
        assert!(
            outcome
                .kept
                .iter()
                .all(|kept| kept.record.sequence() % 3 != 2)
        );
        Ok(())
    }

    #[test]
    fn zero_is_refused() {
        let error = Scenario::new()
            .setting("n", 0)
            .run::<DropEvery>()
            .expect_err("0 is refused");
        assert_eq!(error.to_string(), "n: expected at least 1");
    }
}
