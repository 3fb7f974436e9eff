//! The macros that make a crate a plugin.

use crate::event::Event;
use crate::plugin::Plugin;

/// What [`export_plugin!`](crate::export_plugin) says about a plugin.
#[doc(hidden)]
pub trait Exported {
    /// The plugin.
    type Plugin: Plugin;
    /// Its name.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// What it does, in a line.
    const SUMMARY: &'static str;
}

/// The name of a package, or that of its target where it is another, as for an example.
#[doc(hidden)]
pub const fn plugin_name(package: &'static str, target: &'static str) -> &'static str {
    let (a, b) = (package.as_bytes(), target.as_bytes());
    if a.len() != b.len() {
        return target;
    }
    let mut i = 0;
    while i < a.len() {
        let same = a[i] == b[i] || (a[i] == b'-' && b[i] == b'_');
        if !same {
            return target;
        }
        i += 1;
    }
    package
}

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

/// Makes a type the plugin that this crate is.
///
/// Name, version and summary are those of the package: `name`, `version` and `description` in
/// `Cargo.toml`. A crate has one plugin, and `crate-type = ["cdylib"]`.
///
/// Built for anything but WebAssembly, as for tests, this only checks that the type is a
/// [`Plugin`].
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        const _: () = {
            struct Exported;

            impl $crate::export::Exported for Exported {
                type Plugin = $plugin;
                const NAME: &'static str = $crate::export::plugin_name(
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_CRATE_NAME"),
                );
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const SUMMARY: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");
            }

            #[cfg(target_family = "wasm")]
            type Component = $crate::guest::Component<Exported>;

            #[cfg(target_family = "wasm")]
            $crate::guest::bindings::export_component!(
                Component with_types_in $crate::guest::bindings
            );
        };
    };
}

/// A plugin that keeps the events for which the closure returns true. A whole crate is:
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
        /// Keeps the events that fulfil a condition.
        struct Filter;

        impl $crate::Plugin for Filter {
            type Settings = $crate::NoSettings;

            fn new(_: $crate::NoSettings) -> $crate::Result<Self> {
                $crate::Result::Ok(Filter)
            }

            #[inline]
            fn on_event(
                &mut self,
                event: &mut $crate::Event<'_>,
                _: &mut $crate::Output,
            ) -> $crate::Result<$crate::Verdict> {
                let keeps = $crate::export::keeps(event, $keep);
                $crate::Result::Ok($crate::Verdict::keep_if(keeps))
            }
        }

        $crate::export_plugin!(Filter);
    };
}

/// A plugin that changes events or labels them, and keeps them all. A whole crate is:
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
        /// Changes or labels every event.
        struct Transform;

        impl $crate::Plugin for Transform {
            type Settings = $crate::NoSettings;

            fn new(_: $crate::NoSettings) -> $crate::Result<Self> {
                $crate::Result::Ok(Transform)
            }

            #[inline]
            fn on_event(
                &mut self,
                event: &mut $crate::Event<'_>,
                _: &mut $crate::Output,
            ) -> $crate::Result<$crate::Verdict> {
                $crate::export::transforms(event, $transform);
                $crate::Result::Ok($crate::Verdict::Keep)
            }
        }

        $crate::export_plugin!(Transform);
    };
}
