//! What a plugin knows, so that it survives a fault and a new version.

use anyhow::Context;
use anyhow::bail;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cbor;
use crate::plugin::Plugin;
use crate::result::Result;

/// A plugin whose state survives: a fault, and a new version.
///
/// The host saves the state after every tick, and before another instance takes over. It hands it to
/// a new instance before that sees any event. What a plugin learnt since the last tick is lost when
/// it fails.
///
/// Exported with [`export_plugin!(Type: Stateful)`](crate::export_plugin):
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// struct CountAll {
///     seen: u64,
/// }
///
/// impl Plugin for CountAll {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(CountAll { seen: 0 })
///     }
///
///     fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
///         self.seen += 1;
///         Ok(Verdict::Keep)
///     }
/// }
///
/// impl Stateful for CountAll {
///     type State = u64;
///
///     fn state(&self) -> &u64 {
///         &self.seen
///     }
///
///     fn restore(&mut self, seen: u64) -> Result<()> {
///         self.seen = seen;
///         Ok(())
///     }
/// }
///
/// export_plugin!(CountAll: Stateful);
/// ```
pub trait Stateful: Plugin {
    /// What survives. Of a struct, fields are told apart by their names: one that is added needs no
    /// new version if it has `#[serde(default)]`, and one that is gone is passed over.
    type State: Serialize + DeserializeOwned;

    /// To be raised when older bytes mean something else, or can no longer be read.
    const STATE_VERSION: u32 = 1;

    /// What is saved, every second: that should take few bytes, and far less time than a tick may.
    fn state(&self) -> &Self::State;

    /// Goes on with a saved state, after [`Plugin::new`] and before any event. Settings may be others
    /// than it was saved with.
    ///
    /// # Errors
    ///
    /// Where the state makes no sense, or not with these settings; the message is what the user sees.
    /// This instance is dropped then, and another one starts without a state.
    fn restore(&mut self, state: Self::State) -> Result<()>;

    /// The same for a state of another version than [`STATE_VERSION`](Stateful::STATE_VERSION),
    /// mostly an older one. It is refused unless a plugin knows better:
    ///
    /// ```
    /// # use retrans_plugin_sdk::prelude::*;
    /// # struct Slow { longest: Duration }
    /// # impl Plugin for Slow {
    /// #     type Settings = NoSettings;
    /// #     fn new(_: NoSettings) -> Result<Self> { Ok(Slow { longest: Duration::ZERO }) }
    /// #     fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
    /// #         Ok(Verdict::Keep)
    /// #     }
    /// # }
    /// impl Stateful for Slow {
    ///     type State = Duration;
    ///     const STATE_VERSION: u32 = 2;
    /// #
    /// #   fn state(&self) -> &Duration {
    /// #       &self.longest
    /// #   }
    /// #
    /// #   fn restore(&mut self, longest: Duration) -> Result<()> {
    /// #       self.longest = longest;
    /// #       Ok(())
    /// #   }
    ///
    ///     // …
    ///
    ///     fn migrate(&mut self, saved: SavedState) -> Result<()> {
    ///         match saved.version() {
    ///             // In version 1 it was a number of milliseconds.
    ///             1 => self.restore(Duration::from_millis(saved.read()?)),
    ///             _ => saved.refuse::<Self>(),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`restore`](Stateful::restore).
    fn migrate(&mut self, saved: SavedState<'_>) -> Result<()> {
        saved.refuse::<Self>()
    }
}

/// A state as it was saved: in which version of its format, and bytes.
#[derive(Debug, Clone, Copy)]
pub struct SavedState<'a> {
    version: u32,
    bytes: &'a [u8],
}

impl<'a> SavedState<'a> {
    pub(crate) fn new(version: u32, bytes: &'a [u8]) -> SavedState<'a> {
        SavedState { version, bytes }
    }

    /// The [`STATE_VERSION`](Stateful::STATE_VERSION) of the plugin that saved it.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Reads it as this type.
    ///
    /// # Errors
    ///
    /// Where it is something else, with the name of the field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let version = self.version;
        cbor::decode(self.bytes)
            .with_context(|| format!("cannot read the state of version {version}"))
    }

    /// Says that the plugin cannot read this version.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn refuse<P: Stateful>(&self) -> Result<()> {
        let (version, own) = (self.version, P::STATE_VERSION);
        bail!("a state of version {version}; this plugin reads version {own}")
    }
}
