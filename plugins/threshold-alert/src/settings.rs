//! The settings of the plugin.

use retrans_plugin_sdk::prelude::*;

use crate::key::KeyPart;

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Count at which the alert fires.
        #[schemars(range(min = 1, max = 524_288))]
        pub threshold: u32 = 10,
        /// Length of the sliding window. Events may arrive up to 1 s late: a shorter window does not count
        /// those.
        #[serde(with = "duration")]
        pub window: Duration = Duration::from_secs(10),
        /// What to count: segments or events. Attempts that failed are never counted.
        pub count: Count = Count::Segments,
        /// What to count separately: one of the words, or a list of them.
        pub key: OneOrMany<KeyPart> = OneOrMany(vec![KeyPart::Peer]),
        /// Severity of the alert.
        pub severity: Severity = Severity::Warning,
        /// Maximum number of keys, such as peers, at a time. Beyond it the least recently used key is evicted;
        /// the plugin's counter `keys_evicted` has the number of those.
        #[schemars(range(min = 1))]
        pub max_keys: u32 = 65_536,
    }

    /// The unit of the count.
    pub enum Count {
        /// Segments. One retransmit may cover several.
        Segments,
        /// Events: one for each retransmit.
        Events,
    }
}
