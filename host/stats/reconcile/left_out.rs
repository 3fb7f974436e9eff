//! What the filters of the probe leave out, as the kernel counts it: the probe sums it up for each network namespace.

use std::ops::Sub;

/// Sums of attempts that were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Segments, as RetransSegs counts them.
    pub segments: u64,
    /// Of these, segments whose sending failed.
    pub failed: u64,
    /// SYNs and SYN-ACKs, one for each attempt.
    pub syn: u64,
}

/// The sums of a running probe.
pub trait LeftOutSums: Send {
    /// The sums of the network namespace with this inode so far.
    fn of(&self, inode: u32) -> LeftOut;

    /// The inodes of the namespaces that have any.
    fn namespaces(&self) -> Vec<u32>;
}

/// No probe, or one without filters.
impl LeftOutSums for () {
    fn of(&self, _: u32) -> LeftOut {
        LeftOut::default()
    }

    fn namespaces(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// The growth since an earlier reading of the same sums, which never decrease.
impl Sub for LeftOut {
    type Output = LeftOut;

    fn sub(self, earlier: LeftOut) -> LeftOut {
        LeftOut {
            segments: self.segments.saturating_sub(earlier.segments),
            failed: self.failed.saturating_sub(earlier.failed),
            syn: self.syn.saturating_sub(earlier.syn),
        }
    }
}
