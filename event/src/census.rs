//! The row of a census: what all connections to one service of one peer have sent in an interval.
//!
//! A row is bytes, as an event is: little-endian numbers at fixed offsets, described by [`CENSUS_FIELDS`], and rows grow by
//! appending. [`CensusRow`] is its values. `bpf/census.h` declares address, port and sums in C.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::codec::Address;
use crate::codec::Bool;
use crate::codec::Codec;
use crate::codec::Nanos;
use crate::codec::U16;
use crate::codec::U32;
use crate::codec::U64;

/// Size of a row of this version in bytes.
pub const CENSUS_ROW_SIZE: usize = 240;

/// Number of classes of round-trip times.
pub const RTT_BUCKETS: usize = 24;

/// The description of one field of a row.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CensusField {
    /// Name, the same as in C, in `census-layout()` and in the JSON form.
    pub name: &'static str,
    /// Offset in bytes from the start of the row.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
    /// How to read the bytes, by the names of `layout()`, and `duration-ns` and `u32-per-log2-us` beside them.
    pub kind: &'static str,
    /// Meaning and unit.
    pub doc: &'static str,
}

/// Classes of round-trip times.
pub(crate) struct Buckets;

impl Codec for Buckets {
    type Value = [u32; RTT_BUCKETS];
    const SIZE: usize = 4 * RTT_BUCKETS;

    fn read(bytes: &[u8]) -> [u32; RTT_BUCKETS] {
        let mut buckets = [0; RTT_BUCKETS];
        for (bucket, bytes) in buckets.iter_mut().zip(bytes.chunks_exact(4)) {
            *bucket = U32::read(bytes);
        }
        buckets
    }

    fn write(buckets: [u32; RTT_BUCKETS], bytes: &mut [u8]) {
        for (bucket, bytes) in buckets.iter().zip(bytes.chunks_exact_mut(4)) {
            U32::write(*bucket, bytes);
        }
    }
}

macro_rules! census_fields {
    ($(
        $(#[doc = $doc:literal])+
        $(#[serde(with = $with:literal)])?
        $name:ident $key:literal $json:literal: $codec:ident, $value:ty, $kind:literal @ $offset:literal;
    )+) => {
        /// Every field of a row, in the order of the JSON form.
        pub const CENSUS_FIELDS: &[CensusField] = &[$(CensusField {
            name: $key,
            offset: $offset,
            size: $codec::SIZE,
            kind: $kind,
            doc: concat!($($doc),+).trim_ascii_start(),
        },)+];

        /// The values of a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(tag = "type", rename = "census"))]
        pub struct CensusRow {
            $(
                $(#[doc = $doc])+
                #[cfg_attr(feature = "serde", serde(rename = $json))]
                $(#[cfg_attr(feature = "serde", serde(with = $with))])?
                pub $name: $value,
            )+
        }

        impl CensusRow {
            /// The values in the bytes of a row, of this version or a later one. `None` if there are too few bytes.
            pub fn read(row: &[u8]) -> Option<CensusRow> {
                let row = row.get(..CENSUS_ROW_SIZE)?;
                Some(CensusRow {
                    $($name: $codec::read(&row[$offset..$offset + $codec::SIZE]),)+
                })
            }

            /// The row as bytes of this version.
            pub fn to_bytes(&self) -> [u8; CENSUS_ROW_SIZE] {
                let mut row = [0; CENSUS_ROW_SIZE];
                U32::write(CENSUS_ROW_SIZE as u32, &mut row[SIZE]);
                $($codec::write(self.$name, &mut row[$offset..$offset + $codec::SIZE]);)+
                row
            }
        }
    };
}

census_fields! {
    /// Time of day of the end of the interval, since 1970-01-01T00:00:00Z.
    #[serde(with = "crate::json::timestamp")]
    wall_time "wall_time_ns" "timestamp": Nanos, Duration, "wall-time-ns" @ 16;
    /// The same as the time since boot.
    #[serde(with = "crate::json::nanoseconds")]
    time "boot_time_ns" "boot_time_ns": Nanos, Duration, "boot-time-ns" @ 8;
    /// Length of the interval.
    #[serde(with = "crate::json::nanoseconds")]
    interval "interval_ns" "interval_ns": Nanos, Duration, "duration-ns" @ 24;
    /// Whether the census has counted everything in this interval. If not, the statistics of the run tell why.
    is_complete "is_complete" "is_complete": Bool, bool, "bool" @ 5;
    /// Whether this row stands for all services and peers for which there was no room. It has no address and no port.
    is_overflow "is_overflow" "is_overflow": Bool, bool, "bool" @ 4;
    /// Address of the peer.
    peer_address "peer_address" "peer_address": Address, IpAddr, "address" @ 32;
    /// Port of the service: the local port of a connection that this host accepted, else the port of the peer.
    service_port "service_port" "service_port": U16, u16, "u16" @ 52;
    /// Inode of the network namespace.
    netns_inode "netns_inode" "netns_inode": U32, u32, "u32" @ 48;
    /// Connections that are open at the end of the interval.
    open "open" "open": U64, u64, "u64" @ 56;
    /// Connections that began in the interval.
    opened "opened" "opened": U64, u64, "u64" @ 64;
    /// Connections that ended in the interval.
    closed "closed" "closed": U64, u64, "u64" @ 72;
    /// Connections that ended in the interval and whose beginning the census has not seen. What they sent is not in the row.
    unknown "unknown" "unknown": U64, u64, "u64" @ 80;
    /// Segments with data that were sent, retransmits included.
    segments "segments" "segments": U64, u64, "u64" @ 88;
    /// Segments with data that were sent again.
    retransmitted_segments "retransmitted_segments" "retransmitted_segments": U64, u64, "u64" @ 96;
    /// Bytes of data that were sent, retransmits included.
    bytes "bytes" "bytes": U64, u64, "u64" @ 104;
    /// Bytes of data that were sent again.
    retransmitted_bytes "retransmitted_bytes" "retransmitted_bytes": U64, u64, "u64" @ 112;
    /// Duplicates that the peers reported by DSACK: retransmits that were needless, or segments that the network doubled.
    dsacks "dsacks" "dsacks": U64, u64, "u64" @ 120;
    /// Sum of the smoothed round-trip times, in µs: one of each connection that sent data in the interval.
    rtt_sum_us "rtt_sum_us" "rtt_sum_us": U64, u64, "u64" @ 128;
    /// Number of these round-trip times.
    rtt_count "rtt_count" "rtt_count": U64, u64, "u64" @ 136;
    /// These round-trip times by class: number `n` counts those from 2^n to 2^(n+1) µs. Class 0 includes 0; the last
    /// class has no upper end.
    rtt_buckets "rtt_buckets" "rtt_buckets": Buckets, [u32; RTT_BUCKETS], "u32-per-log2-us" @ 144;
}

/// Where a row has its size.
const SIZE: core::ops::Range<usize> = 0..U32::SIZE;

impl CensusRow {
    /// A row without an address, in which nothing was counted.
    pub const EMPTY: CensusRow = CensusRow {
        wall_time: Duration::ZERO,
        time: Duration::ZERO,
        interval: Duration::ZERO,
        is_complete: true,
        is_overflow: false,
        peer_address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        service_port: 0,
        netns_inode: 0,
        open: 0,
        opened: 0,
        closed: 0,
        unknown: 0,
        segments: 0,
        retransmitted_segments: 0,
        bytes: 0,
        retransmitted_bytes: 0,
        dsacks: 0,
        rtt_sum_us: 0,
        rtt_count: 0,
        rtt_buckets: [0; RTT_BUCKETS],
    };

    /// The rows in bytes that have them back to back: each begins with its size. Ends where the rest is no whole row of
    /// this version or a later one.
    pub fn rows(bytes: &[u8]) -> CensusRows<'_> {
        CensusRows { bytes }
    }

    /// The share of the segments that were sent again, from 0 to 1; `None` if no segments were sent.
    pub fn retransmit_ratio(&self) -> Option<f64> {
        let ratio = self.retransmitted_segments as f64 / self.segments as f64;
        (self.segments > 0).then_some(ratio)
    }
}

/// Rows that are back to back: [`CensusRow::rows`].
#[derive(Debug, Clone)]
pub struct CensusRows<'a> {
    bytes: &'a [u8],
}

impl CensusRows<'_> {
    /// Returns whether all bytes were read: what is left otherwise is no row.
    pub fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for CensusRows<'_> {
    type Item = CensusRow;

    fn next(&mut self) -> Option<CensusRow> {
        let size = U32::read(self.bytes.get(SIZE)?);
        let (row, rest) = self.bytes.split_at_checked(size as usize)?;
        let row = CensusRow::read(row)?;
        self.bytes = rest;
        Some(row)
    }
}

#[cfg(test)]
mod tests;
