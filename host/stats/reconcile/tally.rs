//! Counts of the recorded events of a network namespace.

use super::left_out::LeftOut;

/// Counts of recorded events. All except `syn` count segments, as RetransSegs does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentTally {
    /// Between the two readings.
    pub segments: u64,
    /// Segments that the filters left out between the two readings.
    pub left_out: u64,
    /// Of these and of `segments`, segments whose sending failed.
    pub failed: u64,
    /// SYNs and SYN-ACKs between the two readings, left out or not, one for each event, as TCPSynRetrans counts them.
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

    /// Number of segments between the two readings, left out or not.
    pub fn accounted(&self) -> u64 {
        self.segments + self.left_out
    }

    /// Adds what the filters left out between the two readings.
    pub fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out += left_out.segments;
        self.failed += left_out.failed;
        self.syn += left_out.syn;
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &SegmentTally) {
        let SegmentTally {
            segments,
            left_out,
            failed,
            syn,
            outside,
            uncertain,
        } = other;
        self.segments += segments;
        self.left_out += left_out;
        self.failed += failed;
        self.syn += syn;
        self.outside += outside;
        self.uncertain += uncertain;
    }
}
