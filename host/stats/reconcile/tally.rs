//! Counts of the recorded events of a network namespace.

/// Counts of recorded events. All except `syn` count segments, as RetransSegs does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentTally {
    /// Between the two readings.
    pub segments: u64,
    /// Of these, segments whose sending failed.
    pub failed: u64,
    /// SYNs and SYN-ACKs between the two readings, one for each event, as TCPSynRetrans counts them.
    pub syn: u64,
    /// Before the first reading, after the last one, or without a reading.
    pub outside: u64,
    /// So close to a reading that the kernel may have counted them on its other side.
    pub uncertain: u64,
}

impl SegmentTally {
    /// Number of all recorded segments.
    pub fn recorded(&self) -> u64 {
        self.segments + self.outside
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &SegmentTally) {
        let SegmentTally {
            segments,
            failed,
            syn,
            outside,
            uncertain,
        } = other;
        self.segments += segments;
        self.failed += failed;
        self.syn += syn;
        self.outside += outside;
        self.uncertain += uncertain;
    }
}
