//! Macros that make a plugin of a crate.

use crate::alert::Alert;
use crate::event::Event;
use crate::plugin::Plugin;
use crate::result::Result;
use crate::state::Stateful;

pub use crate::repeats::Repeats;

/// Type of [`Plugin::new`].
#[doc(hidden)]
pub type New<P> = fn(<P as Plugin>::Settings) -> Result<P>;

/// Type of [`Stateful::restore`].
#[doc(hidden)]
pub type Restore<P> = fn(&mut P, <P as Stateful>::State) -> Result<()>;

/// Gives the closure of [`filter!`](crate::filter) its type.
#[doc(hidden)]
#[inline]
pub fn keeps(event: &Event<'_>, keep: impl FnOnce(&Event<'_>) -> bool) -> bool {
    keep(event)
}

/// Gives the closure of [`transform!`](crate::transform) its type.
#[doc(hidden)]
#[inline]
pub fn transforms(event: &mut Event<'_>, transform: impl FnOnce(&mut Event<'_>)) {
    transform(event);
}

/// Gives the closure of [`alert!`](crate::alert) its type.
#[doc(hidden)]
#[inline]
pub fn alerts(event: &Event<'_>, alert: impl FnOnce(&Event<'_>) -> Option<Alert>) -> Option<Alert> {
    alert(event)
}

/// Exports a type as the plugin of this crate: `export_plugin!(Type);`, or
/// `export_plugin!(Type: Stateful);` for a type whose [state survives](crate::Stateful).
///
/// The plugin has the name, version and summary of the package: `name`, `version` and `description` in
/// `Cargo.toml`. A crate exports one plugin, and needs `crate-type = ["cdylib"]`.
///
/// For other targets than WebAssembly, as in tests, this only checks that the type is a [`Plugin`], and
/// [`Stateful`].
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty $(: $stateful:ident)?) => {
        const _: () = {
            struct Exported;

            impl $crate::exported::Exported for Exported {
                type Plugin = $plugin;
                const NAME: &'static str = $crate::exported::plugin_name(
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_CRATE_NAME"),
                );
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const SUMMARY: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");
            }

            // On other targets than WebAssembly nothing else uses the plugin: without this, the compiler
            // warns of dead code.
            const _: $crate::export::New<$plugin> = <$plugin as $crate::Plugin>::new;

            #[cfg(target_family = "wasm")]
            type Component = $crate::guest::Component<Exported>;

            #[cfg(target_family = "wasm")]
            $crate::guest::bindings::export_component!(
                Component with_types_in $crate::guest::bindings
            );

            $($crate::export_state!($stateful, $plugin, Component);)?
        };
    };
}

/// Additional exports of a plugin with state, by which the host knows that it has state.
#[doc(hidden)]
#[macro_export]
macro_rules! export_state {
    (Stateful, $plugin:ty, $component:ident) => {
        const _: $crate::export::Restore<$plugin> = <$plugin as $crate::Stateful>::restore;

        #[cfg(target_family = "wasm")]
        $crate::guest::state_bindings::export_state_component!(
            $component with_types_in $crate::guest::state_bindings
        );
    };
}

/// A plugin that keeps the events for which the closure returns `true`. A whole crate is:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// filter!(|event| event.peer().port() == 443);
/// ```
///
/// It declares the plugin `Filter`, which [`Scenario`](crate::testing::Scenario) can test.
#[macro_export]
macro_rules! filter {
    ($keep:expr) => {
        $crate::closure_plugin! {
            /// Keeps the events that meet a condition.
            Filter, event, _out => {
                $crate::Verdict::keep_if($crate::export::keeps(event, $keep))
            }
        }
    };
}

/// A plugin that changes or labels events, and keeps all of them. A whole crate is:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// transform!(|event| {
///     if event.peer().ip().is_loopback() {
///         event.set_label("network", "loopback");
///     }
/// });
/// ```
///
/// It declares the plugin `Transform`, which [`Scenario`](crate::testing::Scenario) can test.
#[macro_export]
macro_rules! transform {
    ($transform:expr) => {
        $crate::closure_plugin! {
            /// Changes or labels every event.
            Transform, event, _out => {
                $crate::export::transforms(event, $transform);
                $crate::Verdict::Keep
            }
        }
    };
}

/// A plugin that raises the alert that the closure returns, if any, and keeps all events. A whole crate
/// is:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// alert!(|event| {
///     let timed_out = event.kind() == Kind::Timeout;
///     timed_out.then(|| Alert::warning("timeout").label("peer", event.peer().ip()))
/// });
/// ```
///
/// This raises an alert for each such event, thousands in a burst. With a period, an alert that was raised within it, with
/// the same name, labels and severity, is not raised again:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
///
/// alert!(every = Duration::from_secs(60), |event| {
///     let timed_out = event.kind() == Kind::Timeout;
///     timed_out.then(|| Alert::warning("timeout").label("peer", event.peer().ip()))
/// });
/// ```
///
/// The last 10,000 alerts are remembered, not over a fault or a new version. Nothing ends these alerts: for that use
/// [`Alarm`](crate::Alarm) in a plugin of your own.
///
/// It declares the plugin `Alerter`, which [`Scenario`](crate::testing::Scenario) can test.
#[macro_export]
macro_rules! alert {
    (every = $period:expr, $alert:expr $(,)?) => {
        /// Raises an alert for some events, each alert once in a period.
        struct Alerter($crate::export::Repeats);

        impl $crate::Plugin for Alerter {
            type Settings = $crate::NoSettings;

            fn new(_: $crate::NoSettings) -> $crate::Result<Self> {
                $crate::Result::Ok(Alerter($crate::export::Repeats::new($period)))
            }

            fn on_event(
                &mut self,
                event: &mut $crate::Event<'_>,
                out: &mut $crate::Output,
            ) -> $crate::Result<$crate::Verdict> {
                if let ::core::option::Option::Some(alert) = $crate::export::alerts(event, $alert)
                    && self.0.admit(&alert, event.time())
                {
                    out.alert(alert);
                }
                $crate::Result::Ok($crate::Verdict::Keep)
            }
        }

        $crate::export_plugin!(Alerter);
    };
    ($alert:expr) => {
        $crate::closure_plugin! {
            /// Raises an alert for some events.
            Alerter, event, out => {
                if let ::core::option::Option::Some(alert) = $crate::export::alerts(event, $alert) {
                    out.alert(alert);
                }
                $crate::Verdict::Keep
            }
        }
    };
}

/// A plugin without settings or state, from the body of its `on_event`.
#[doc(hidden)]
#[macro_export]
macro_rules! closure_plugin {
    ($(#[$doc:meta])* $name:ident, $event:ident, $out:ident => $verdict:block) => {
        $(#[$doc])*
        struct $name;

        impl $crate::Plugin for $name {
            type Settings = $crate::NoSettings;

            fn new(_: $crate::NoSettings) -> $crate::Result<Self> {
                $crate::Result::Ok($name)
            }

            #[inline]
            fn on_event(
                &mut self,
                $event: &mut $crate::Event<'_>,
                $out: &mut $crate::Output,
            ) -> $crate::Result<$crate::Verdict> {
                $crate::Result::Ok($verdict)
            }
        }

        $crate::export_plugin!($name);
    };
}
