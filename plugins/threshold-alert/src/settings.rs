//! The settings of the plugin.

use retrans_plugin_sdk::prelude::*;

use crate::key::KeyPart;

settings! {
    /// What can be set.
    pub struct Settings {
        /// Count at which the alert fires.
        #[schemars(range(min = 1, max = 524_288))]
        pub threshold: u32 = 10,
        /// Length of the sliding window. An event may come 100 ms late, and not be counted where the window
        /// is shorter.
        #[serde(with = "duration")]
        pub window: Duration = Duration::from_secs(10),
        /// What to count. Attempts that failed are never counted.
        pub count: Count = Count::Segments,
        /// What to count by: one of the words, or a list of them.
        pub key: OneOrMany<KeyPart> = OneOrMany(vec![KeyPart::Peer]),
        /// Severity of the alert.
        pub severity: Severity = Severity::Warning,
        /// The most keys to count at a time. The one unused for longest makes room for another,
        /// which the plugin's counter `keys_evicted` counts.
        #[schemars(range(min = 1))]
        pub max_keys: u32 = 65_536,
    }

    /// What is counted.
    pub enum Count {
        /// Segments: a retransmit may cover several.
        Segments,
        /// Retransmits.
        Events,
    }
}
