//! Reads the sums of what the probe's filters leave out.

use std::mem::offset_of;

use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;

use crate::source::bpf::retrans::types::retrans_left_out;
use crate::stats::reconcile::LeftOut;
use crate::stats::reconcile::LeftOutSums;

/// The probe's map of sums, by the inode of the network namespace.
pub struct LeftOutMap(MapHandle);

impl LeftOutMap {
    /// The sums in `map`.
    pub fn new(map: MapHandle) -> LeftOutMap {
        LeftOutMap(map)
    }
}

impl LeftOutSums for LeftOutMap {
    fn of(&self, inode: u32) -> LeftOut {
        let value = self.0.lookup(&inode.to_ne_bytes(), MapFlags::ANY);
        // A namespace of which nothing was left out has no entry.
        let value = value.ok().flatten().unwrap_or_default();
        let sum = |offset: usize| {
            let bytes = value.get(offset..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
        };
        LeftOut {
            segments: sum(offset_of!(retrans_left_out, segments)),
            failed: sum(offset_of!(retrans_left_out, failed)),
            syn: sum(offset_of!(retrans_left_out, syn)),
        }
    }

    fn namespaces(&self) -> Vec<u32> {
        let inode = |key: Vec<u8>| Some(u32::from_ne_bytes(key.try_into().ok()?));
        self.0.keys().filter_map(inode).collect()
    }
}
