//! Write plugins for `retrans-host` in Rust.
//!
//! A plugin processes every TCP retransmit of a machine, one event at a time. It may drop, change or label
//! an event, write lines, and raise alerts. The shortest plugin is one line:
//!
//! ```
//! use retrans_plugin_sdk::prelude::*;
//!
//! filter!(|event| event.peer().port() == 443);
//! ```
//!
//! A larger one is a type that implements [`Plugin`]:
//!
//! ```
//! use retrans_plugin_sdk::prelude::*;
//!
//! settings! {
//!     struct Settings {
//!         /// Retransmits of one peer within the window.
//!         threshold: u64 = 10,
//!         /// Length of the window.
//!         #[serde(with = "duration")]
//!         window: Duration = Duration::from_secs(10),
//!     }
//! }
//!
//! struct Burst {
//!     seen: SlidingCounter<IpAddr>,
//!     alarm: Alarm<IpAddr>,
//! }
//!
//! impl Plugin for Burst {
//!     type Settings = Settings;
//!
//!     fn new(settings: Settings) -> Result<Self> {
//!         ensure!(settings.threshold > 0, "threshold: expected at least 1");
//!         Ok(Burst {
//!             seen: SlidingCounter::new(settings.window, settings.threshold),
//!             alarm: Alarm::new("retransmit-burst").warning_at(settings.threshold).hold(settings.window),
//!         })
//!     }
//!
//!     fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
//!         let (peer, now) = (event.peer().ip(), event.time());
//!         let count = self.seen.add(peer, now);
//!         out.alerts(self.alarm.update(peer, count, now, |alert| alert.label("peer", peer)));
//!         Ok(Verdict::Keep)
//!     }
//!
//!     fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
//!         self.seen.remove_idle(now);
//!         out.alerts(self.alarm.tick(now, |_, alert| alert));
//!         Ok(())
//!     }
//! }
//!
//! export_plugin!(Burst);
//! ```
//!
//! A plugin that implements [`Stateful`] keeps its state over a fault and over a new version.
//!
//! Tests run natively: see [`testing`]. Built with `--target wasm32-wasip2`, a plugin's crate is a
//! component that the host loads.
//!
//! The contract with the host, for all languages, is `wit/plugin.wit`.

// The macros refer to this crate by the name that plugins use.
extern crate self as retrans_plugin_sdk;

mod alarm;
mod alert;
mod bucketed_counter;
mod cbor;
mod census;
mod cidr;
mod column;
mod event;
mod ewma;
#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod exported;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
mod histogram;
mod host;
mod human_duration;
mod labels;
mod lru_map;
mod one_or_many;
mod output;
mod packed;
mod plugin;
mod prefix_map;
#[cfg(test)]
mod random;
mod repeats;
mod result;
mod run;
mod runner;
mod settings;
mod sliding_counter;
mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod timer;
mod top_k;
mod window;

pub use anyhow;
pub use log;
pub use retrans_event;
pub use schemars;
pub use serde;
pub use serde_json;

pub use alarm::Alarm;
pub use alert::Alert;
pub use alert::AlertState;
pub use alert::Severity;
pub use bucketed_counter::BucketedCounter;
pub use census::Census;
pub use census::CensusUse;
pub use cidr::Cidr;
pub use cidr::CidrError;
pub use event::Event;
pub use ewma::Ewma;
pub use histogram::Histogram;
pub use human_duration::duration;
pub use lru_map::LruMap;
pub use one_or_many::OneOrMany;
pub use output::Output;
pub use plugin::Plugin;
pub use plugin::Verdict;
pub use prefix_map::PrefixMap;
pub use result::Result;
pub use run::Run;
pub use settings::NoSettings;
pub use sliding_counter::MAX_KEYS;
pub use sliding_counter::SlidingCounter;
pub use state::SavedState;
pub use state::Stateful;
pub use timer::Every;
pub use timer::every;
pub use top_k::Heavy;
pub use top_k::TopK;
pub use window::SlidingWindow;
pub use window::WindowCount;

/// Everything that most plugins need: `use retrans_plugin_sdk::prelude::*;`.
pub mod prelude {
    pub use std::net::IpAddr;
    pub use std::net::SocketAddr;
    pub use std::time::Duration;

    pub use anyhow::Context;
    pub use anyhow::anyhow;
    pub use anyhow::bail;
    pub use anyhow::ensure;
    pub use log;
    pub use retrans_event::CaState;
    pub use retrans_event::CensusRow;
    pub use retrans_event::Kind;
    pub use retrans_event::LineWriter;
    pub use retrans_event::Owner;
    pub use retrans_event::OwnerStatus;
    pub use retrans_event::Process;
    pub use retrans_event::Record;
    pub use retrans_event::TcpFlags;
    pub use retrans_event::TcpState;
    pub use retrans_event::Tracepoint;
    // The code that schemars derives for a default of a `with` field names `serde::Serialize`, and cannot
    // be told another path: with this export, plugins need no dependency on serde.
    pub use schemars;
    pub use schemars::JsonSchema;
    pub use serde;
    pub use serde::Deserialize;
    pub use serde::Serialize;

    pub use crate::Alarm;
    pub use crate::Alert;
    pub use crate::AlertState;
    pub use crate::BucketedCounter;
    pub use crate::Census;
    pub use crate::CensusUse;
    pub use crate::Cidr;
    pub use crate::Event;
    pub use crate::Every;
    pub use crate::Ewma;
    pub use crate::Heavy;
    pub use crate::Histogram;
    pub use crate::LruMap;
    pub use crate::NoSettings;
    pub use crate::OneOrMany;
    pub use crate::Output;
    pub use crate::Plugin;
    pub use crate::PrefixMap;
    pub use crate::Result;
    pub use crate::Run;
    pub use crate::SavedState;
    pub use crate::Severity;
    pub use crate::SlidingCounter;
    pub use crate::SlidingWindow;
    pub use crate::Stateful;
    pub use crate::TopK;
    pub use crate::Verdict;
    pub use crate::WindowCount;
    pub use crate::alert;
    pub use crate::duration;
    pub use crate::every;
    pub use crate::export_plugin;
    pub use crate::filter;
    pub use crate::settings;
    pub use crate::transform;
}
