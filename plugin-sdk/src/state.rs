//! State of a plugin that survives a fault and a new version.

use anyhow::Context;
use anyhow::bail;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cbor;
use crate::plugin::Plugin;
use crate::result::Result;

/// A plugin whose state survives a fault and a new version.
///
/// The host saves the state after every tick, and before another instance takes over. It restores the state
/// in a new instance before the first event. After a fault, changes since the last tick are lost.
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
    /// The state. The fields of a struct are identified by their names: a field with `#[serde(default)]` can
    /// be added without a new version, and a field that was removed is ignored.
    type State: Serialize + DeserializeOwned;

    /// Version of the state's format. Must be raised when older bytes get another meaning, or can no longer
    /// be read.
    const STATE_VERSION: u32 = 1;

    /// The state to save. Saved every second, so it should be small, and saving must take much less time than
    /// the deadline of a tick.
    fn state(&self) -> &Self::State;

    /// Restores a saved state, after [`Plugin::new`] and before any event. The settings may differ from those
    /// with which it was saved.
    ///
    /// # Errors
    ///
    /// Where the state is not valid, or not with these settings. The user sees the message. The host drops
    /// this instance, and starts another one without a state.
    fn restore(&mut self, state: Self::State) -> Result<()>;

    /// Restores a state of another version than [`STATE_VERSION`](Stateful::STATE_VERSION), usually an older
    /// one. The default refuses it. A plugin that can read it overrides this:
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
    /// As for [`restore`](Stateful::restore).
    fn migrate(&mut self, saved: SavedState<'_>) -> Result<()> {
        saved.refuse::<Self>()
    }
}

/// A saved state: the version of its format, and the bytes.
#[derive(Debug, Clone, Copy)]
pub struct SavedState<'a> {
    version: u32,
    bytes: &'a [u8],
}

impl<'a> SavedState<'a> {
    pub(crate) fn new(version: u32, bytes: &'a [u8]) -> SavedState<'a> {
        SavedState { version, bytes }
    }

    /// The [`STATE_VERSION`](Stateful::STATE_VERSION) of the plugin that saved the state.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Reads the state as this type.
    ///
    /// # Errors
    ///
    /// Where the bytes do not have this type. The message names the field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let version = self.version;
        cbor::decode(self.bytes)
            .with_context(|| format!("cannot read the state of version {version}"))
    }

    /// Refuses the state, because the plugin cannot read its version.
    ///
    /// # Errors
    ///
    /// Always, with a message that names both versions.
    pub fn refuse<P: Stateful>(&self) -> Result<()> {
        let (version, own) = (self.version, P::STATE_VERSION);
        bail!("a state of version {version}; this plugin reads version {own}")
    }
}
