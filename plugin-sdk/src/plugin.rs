//! The trait of plugins.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::census::Census;
use crate::census::CensusUse;
use crate::event::Event;
use crate::output::Output;
use crate::result::Result;

/// Events may be older than the last tick by as much, and by more while the host is behind.
pub(crate) const MAX_STEP_BACK: Duration = Duration::from_secs(1);

/// Whether an event goes on to the next plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The event goes on.
    Keep,
    /// The event ends here.
    Drop,
}

impl Verdict {
    /// [`Keep`](Verdict::Keep) if the condition holds, else [`Drop`](Verdict::Drop).
    pub const fn keep_if(condition: bool) -> Verdict {
        if condition {
            Verdict::Keep
        } else {
            Verdict::Drop
        }
    }
}

/// A plugin: one value that processes every event of the stream in order.
///
/// The host passes events in calls of 1 to 256. The size of the calls must make no difference, which
/// [`Scenario`](crate::testing::Scenario) tests. The only time is that of the stream, and the only
/// output is through [`Output`] and [`log`].
///
/// An error, a panic or a missed deadline is a fault: the call has no effects, and the host replaces the
/// instance by a new one.
pub trait Plugin: Sized {
    /// The settings that a user can give: [`NoSettings`](crate::NoSettings), or a struct declared with
    /// [`settings!`](crate::settings).
    type Settings: DeserializeOwned + JsonSchema;

    /// Whether the plugin takes censuses, which [`on_census`](Plugin::on_census) gets.
    const CENSUS: CensusUse = CensusUse::None;

    /// Creates the plugin, before any event.
    ///
    /// # Errors
    ///
    /// Where a setting is not valid. The user sees the message, which should name the setting.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Processes an event: may change it, and returns whether it goes on to the next plugin.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot process the event. This is a fault.
    fn on_event(&mut self, event: &mut Event<'_>, out: &mut Output) -> Result<Verdict>;

    /// Called when `events` events were lost, before the events that follow. Those may be older than the
    /// lost ones: they waited in the kernel's ring, which was full.
    ///
    /// # Errors
    ///
    /// As for [`on_event`](Plugin::on_event).
    fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
        let _ = (events, out);
        Ok(())
    }

    /// Called with what connections have sent, once in an interval of the user's choice and at the end of the stream; right
    /// before [`on_tick`](Plugin::on_tick) or [`on_finish`](Plugin::on_finish). Never called unless
    /// [`CENSUS`](Plugin::CENSUS) asks for it.
    ///
    /// # Errors
    ///
    /// As for [`on_event`](Plugin::on_event).
    fn on_census(&mut self, census: &Census, out: &mut Output) -> Result<()> {
        let _ = (census, out);
        Ok(())
    }

    /// Called for every second of the stream, also while there are no events. `now` is the time since
    /// boot, as in [`Event::time`](retrans_event::Event::time). Events that follow may be up to 1 s
    /// older, and by more while the host is behind.
    ///
    /// # Errors
    ///
    /// As for [`on_event`](Plugin::on_event).
    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let _ = (now, out);
        Ok(())
    }

    /// Called once, at the end of the stream: the last call that can have effects. `now` is as for
    /// [`on_tick`](Plugin::on_tick).
    ///
    /// # Errors
    ///
    /// As for [`on_event`](Plugin::on_event).
    fn on_finish(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let _ = (now, out);
        Ok(())
    }
}
