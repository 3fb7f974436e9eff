//! What a plugin is.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::event::Event;
use crate::output::Output;
use crate::result::Result;

/// Does an event go on to the next plugin?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Keep,
    /// It does not.
    Drop,
}

impl Verdict {
    /// Keeps what fulfils a condition.
    pub const fn keep_if(condition: bool) -> Verdict {
        if condition {
            Verdict::Keep
        } else {
            Verdict::Drop
        }
    }
}

/// A plugin: one value that sees every event of the stream in turn.
///
/// The host hands events over in calls of 1 to 256. How the stream was cut must make no
/// difference, which [`Scenario`](crate::testing::Scenario) tests. There is no other time than
/// that of the stream, and no input or output but [`Output`] and [`log`].
///
/// A plugin that returns an error, panics or takes too long is at fault: nothing of what it said
/// during that call is seen, and the host decides what becomes of the plugin.
pub trait Plugin: Sized {
    /// What can be set from outside: [`NoSettings`](crate::NoSettings), or a struct made with
    /// [`settings!`](crate::settings).
    type Settings: DeserializeOwned + JsonSchema;

    /// Starts the plugin, before any event.
    ///
    /// # Errors
    ///
    /// Where the settings make no sense together; the message is what the user sees, and should
    /// name the setting.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Looks at an event, may change it, and says whether it goes on.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot go on.
    fn on_event(&mut self, event: &mut Event<'_>, out: &mut Output) -> Result<Verdict>;

    /// Hears that the host lost so many events. It hears so before the ones that follow, which may be
    /// older: they have waited in the kernel's full ring.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot go on.
    fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
        let _ = (events, out);
        Ok(())
    }

    /// Hears the time, every second of the stream, also while there are no events. `now` is the
    /// time since boot, as in [`Event::time`](retrans_event::Event::time). Events that follow may be
    /// up to 100 ms older.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot go on.
    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let _ = (now, out);
        Ok(())
    }

    /// Hears that the stream has ended: the last chance to say something.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot go on.
    fn on_finish(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let _ = (now, out);
        Ok(())
    }
}
