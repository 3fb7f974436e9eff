//! The settings of the plugin.

use retrans_plugin_sdk::prelude::*;

use crate::key::KeyPart;

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Percentage of the segments that are sent again at which the alert fires.
        #[schemars(range(min = 0.0001, max = 100.0))]
        pub percent: f64 = 1.0,
        /// Percentage at which the alert is critical. Without it, it is a warning.
        #[schemars(range(min = 0.0001, max = 100.0))]
        pub critical: Option<f64> = None,
        /// Percentage below which the alert is resolved. By default it is half of `percent`.
        #[schemars(range(min = 0.0, max = 100.0))]
        pub resolve_percent: Option<f64> = None,
        /// Length of the window over which segments are summed up.
        #[serde(with = "duration")]
        pub window: Duration = Duration::from_secs(60),
        /// Segments that must have been sent within the window: with fewer, a percentage says little.
        #[schemars(range(min = 1))]
        pub min_segments: u64 = 1_000,
        /// What to judge separately: one of the words, or a list of them.
        pub key: OneOrMany<KeyPart> = OneOrMany(vec![KeyPart::Peer]),
        /// Bits of an IPv4 network, for the key `network`.
        #[schemars(range(max = 32))]
        pub prefix4: u8 = 24,
        /// Bits of an IPv6 network, for the key `network`.
        #[schemars(range(max = 128))]
        pub prefix6: u8 = 64,
        /// Also alerts when the percentage of a key is this many times its own usual one. It is judged after a sixth of
        /// `history`.
        #[schemars(range(min = 1.0))]
        pub baseline: Option<f64> = None,
        /// The time over which the usual percentage is averaged: a value weighs half as much after this time.
        #[serde(with = "duration")]
        pub history: Duration = Duration::from_secs(3_600),
    }
}
