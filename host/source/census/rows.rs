//! Makes rows of the stream from the sums in the kernel.

use std::mem::offset_of;
use std::time::Duration;

use retrans_event::CENSUS_ROW_SIZE;
use retrans_event::CensusRow;

use crate::source::bpf::census::types::retrans_census_key;
use crate::source::bpf::census::types::retrans_census_sums;

pub(super) const KEY_SIZE: usize = size_of::<retrans_census_key>();
/// Size of the sums in the kernel, and of the part of them that is in a row.
pub(super) const SUMS_SIZE: usize = size_of::<retrans_census_sums>();
const ROW_SUMS_SIZE: usize = offset_of!(retrans_census_sums, unused);

/// Where a row has the key; the sums follow it.
const KEY_OFFSET: usize = 32;

// The row has both as the kernel does: the build fails where bpf/census.h and event/src/census.rs differ.
const _: () = {
    assert!(KEY_OFFSET + KEY_SIZE + ROW_SUMS_SIZE == CENSUS_ROW_SIZE);
    const fn is_at(name: &str, offset: usize) -> bool {
        let mut index = 0;
        while index < retrans_event::CENSUS_FIELDS.len() {
            let field = retrans_event::CENSUS_FIELDS[index];
            if is_same(field.name, name) {
                return field.offset == offset;
            }
            index += 1;
        }
        false
    }
    const fn is_same(one: &str, other: &str) -> bool {
        let (one, other) = (one.as_bytes(), other.as_bytes());
        if one.len() != other.len() {
            return false;
        }
        let mut index = 0;
        while index < one.len() {
            if one[index] != other[index] {
                return false;
            }
            index += 1;
        }
        true
    }
    macro_rules! is_in_place {
        ($base:expr, $of:ty, $($name:ident)+) => {
            $(assert!(is_at(stringify!($name), $base + offset_of!($of, $name)));)+
        };
    }
    is_in_place!(KEY_OFFSET, retrans_census_key, peer_address netns_inode service_port);
    is_in_place!(
        KEY_OFFSET + KEY_SIZE,
        retrans_census_sums,
        open opened closed unknown segments retransmitted_segments bytes retransmitted_bytes dsacks
        rtt_sum_us rtt_count rtt_buckets
    );
};

/// The sums of one row, as the kernel has them.
pub(super) struct Sums<'a> {
    pub(super) key: &'a [u8; KEY_SIZE],
    pub(super) sums: &'a [u8; SUMS_SIZE],
}

/// The interval of a census.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    /// Its end, as time since boot and as time of day.
    pub(super) time: Duration,
    pub(super) wall_time: Duration,
    pub(super) length: Duration,
    pub(super) is_complete: bool,
}

impl Sums<'_> {
    /// The row; `None` if nothing was counted, as in the row that is for what finds no room.
    pub(super) fn row(&self, interval: &Interval) -> Option<CensusRow> {
        if self.sums.iter().all(|byte| *byte == 0) {
            return None;
        }
        let mut bytes = CensusRow::EMPTY.to_bytes();
        bytes[KEY_OFFSET..][..KEY_SIZE].copy_from_slice(self.key);
        bytes[KEY_OFFSET + KEY_SIZE..].copy_from_slice(&self.sums[..ROW_SUMS_SIZE]);
        let row = CensusRow::read(&bytes)?;
        Some(CensusRow {
            wall_time: interval.wall_time,
            time: interval.time,
            interval: interval.length,
            is_complete: interval.is_complete,
            is_overflow: self.key.iter().all(|byte| *byte == 0),
            // If the retransmit of a FIN is counted before the socket's own counter is read, the difference is below 0
            // until the next census.
            retransmitted_segments: match row.retransmitted_segments.cast_signed() {
                ..0 => 0,
                _ => row.retransmitted_segments,
            },
            ..row
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const INTERVAL: Interval = Interval {
        time: Duration::from_secs(20),
        wall_time: Duration::from_secs(1_700_000_000),
        length: Duration::from_secs(10),
        is_complete: true,
    };

    #[test]
    fn a_row_has_the_sums_of_the_kernel() {
        let mut key = [0; KEY_SIZE];
        let address = IpAddr::from([10, 0, 0, 1]);
        key[10..12].fill(0xff);
        key[12..16].copy_from_slice(&[10, 0, 0, 1]);
        key[16..20].copy_from_slice(&7u32.to_le_bytes());
        key[20..22].copy_from_slice(&443u16.to_le_bytes());
        let mut sums = [0; SUMS_SIZE];
        let mut put = |offset: usize, value: u64| {
            sums[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        };
        put(offset_of!(retrans_census_sums, open), 1);
        put(offset_of!(retrans_census_sums, segments), 1_000);
        put(offset_of!(retrans_census_sums, retransmitted_segments), 125);
        let (key, sums) = (&key, &sums);
        let row = Sums { key, sums }.row(&INTERVAL).expect("it is not empty");
        let expected = CensusRow {
            wall_time: INTERVAL.wall_time,
            time: INTERVAL.time,
            interval: INTERVAL.length,
            peer_address: address,
            service_port: 443,
            netns_inode: 7,
            open: 1,
            segments: 1_000,
            retransmitted_segments: 125,
            ..CensusRow::EMPTY
        };
        assert_eq!(row, expected);
    }

    #[test]
    fn the_row_without_a_key_is_the_shared_one_and_an_empty_one_is_none() {
        let key = &[0; KEY_SIZE];
        let mut sums = [0; SUMS_SIZE];
        assert_eq!(Sums { key, sums: &sums }.row(&INTERVAL), None);
        sums[offset_of!(retrans_census_sums, retransmitted_segments)..][..8].fill(0xff);
        let row = Sums { key, sums: &sums }
            .row(&INTERVAL)
            .expect("it is not empty");
        assert!(row.is_overflow);
        assert_eq!(row.retransmitted_segments, 0);
    }
}
