//! The run that a plugin is part of: the machine, and the time of day.

use std::collections::BTreeMap;
use std::time::Duration;

/// What is known of the run.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// # let out = &mut Output::default();
/// let host = Run::current().host.unwrap_or_else(|| "unknown".to_owned());
/// out.line(format_args!("summary of {host}"));
/// ```
///
/// All but the version may be unknown in [`Plugin::new`](crate::Plugin::new): ask in later calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The name of the machine whose events these are. In a replay it is the machine that recorded them.
    pub host: Option<String>,
    /// The release of its kernel.
    pub kernel: Option<String>,
    /// Whether the events come from the kernel now; `Some(false)` in a replay.
    pub is_live: Option<bool>,
    /// The version of the program that runs the plugin.
    pub version: Option<String>,
}

impl Run {
    /// What is known of this run. In a test it is what [`Scenario::host`](crate::testing::Scenario::host) says.
    pub fn current() -> Run {
        let mut values: BTreeMap<String, String> = source::run().into_iter().collect();
        Run {
            is_live: values.remove("source").map(|source| source == "live"),
            host: values.remove("host"),
            kernel: values.remove("kernel"),
            version: values.remove("version"),
        }
    }

    /// The time of day of the last tick, as the time since 1970 in UTC. Before the first tick it is the time at which the
    /// stream begins, that of its first event. In [`Plugin::new`](crate::Plugin::new), before any event, it means nothing:
    /// it is 1 ns. For an event's own time see [`Event::wall_time`](retrans_event::Event::wall_time).
    ///
    /// It is the time of the stream: in a replay that of the recording.
    pub fn wall_time() -> Duration {
        source::wall_time()
    }
}

#[cfg(target_family = "wasm")]
mod source {
    use std::time::Duration;
    use std::time::SystemTime;
    use std::time::UNIX_EPOCH;

    pub(super) fn run() -> Vec<(String, String)> {
        crate::guest::bindings::retrans::plugin::host::run()
    }

    /// The host's clocks show the time of the stream.
    pub(super) fn wall_time() -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or_default()
    }
}

/// A test's run.
#[cfg(not(target_family = "wasm"))]
pub(crate) mod source {
    use std::cell::Cell;
    use std::cell::RefCell;
    use std::time::Duration;

    thread_local! {
        /// Every test runs on its own thread.
        static RUN: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
        static WALL_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(crate) fn set_run(run: Vec<(String, String)>) {
        RUN.set(run);
    }

    pub(crate) fn set_wall_time(now: Duration) {
        WALL_TIME.set(now);
    }

    pub(super) fn run() -> Vec<(String, String)> {
        RUN.with_borrow(Vec::clone)
    }

    pub(super) fn wall_time() -> Duration {
        WALL_TIME.get()
    }
}
