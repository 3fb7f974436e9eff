use std::vec::Vec;

use super::*;

fn row(number: u64) -> CensusRow {
    CensusRow {
        wall_time: Duration::from_secs(1_700_000_000 + number),
        time: Duration::from_secs(100 + number),
        interval: Duration::from_secs(10),
        is_complete: number != 3,
        is_overflow: number == 4,
        peer_address: IpAddr::from([10, 0, 0, number as u8]),
        service_port: 443,
        netns_inode: 4_026_531_840,
        open: number,
        opened: number + 1,
        closed: number + 2,
        unknown: number + 3,
        segments: 1_000 + number,
        retransmitted_segments: 10 + number,
        bytes: 1 << 40,
        retransmitted_bytes: 1 << 33,
        dsacks: 7,
        rtt_sum_us: 8,
        rtt_count: 9,
        rtt_buckets: core::array::from_fn(|bucket| bucket as u32 + number as u32),
    }
}

#[test]
fn fields_follow_each_other_without_overlap() {
    let mut fields: Vec<_> = CENSUS_FIELDS.iter().collect();
    fields.sort_by_key(|field| field.offset);
    let mut end = SIZE.end;
    for field in fields {
        // Two bytes after the flags and two after the port are free.
        assert!(
            field.offset >= end && field.offset - end <= 2,
            "{}",
            field.name
        );
        end = field.offset + field.size;
    }
    assert_eq!(end, CENSUS_ROW_SIZE);
}

#[test]
fn a_row_is_read_as_it_was_written() {
    for number in 0..5 {
        let row = row(number);
        assert_eq!(CensusRow::read(&row.to_bytes()), Some(row));
        assert_eq!(CensusRow::read(&row.to_bytes()[1..]), None);
    }
}

#[test]
fn rows_of_a_later_version_are_longer() {
    let mut bytes = Vec::new();
    for number in 0..3 {
        let mut longer = row(number).to_bytes().to_vec();
        longer.extend([7; 16]);
        let size = longer.len() as u32;
        longer[..4].copy_from_slice(&size.to_le_bytes());
        bytes.extend(longer);
    }
    let read: Vec<_> = CensusRow::rows(&bytes).collect();
    assert_eq!(read, [row(0), row(1), row(2)]);
}

#[test]
fn bytes_that_are_no_row_end_the_rows() {
    let good = row(1).to_bytes();
    for size in [0, 3, 239, 241, u32::MAX] {
        let mut bytes = [good, good].concat();
        bytes[CENSUS_ROW_SIZE..][..4].copy_from_slice(&size.to_le_bytes());
        assert_eq!(CensusRow::rows(&bytes).count(), 1, "{size}");
    }
    assert_eq!(CensusRow::rows(&[]).count(), 0);
    assert_eq!(CensusRow::rows(&good[..3]).count(), 0);
}

#[test]
fn a_ratio_of_nothing_is_unknown() {
    assert_eq!(CensusRow::EMPTY.retransmit_ratio(), None);
    let row = CensusRow {
        segments: 800,
        retransmitted_segments: 100,
        ..CensusRow::EMPTY
    };
    assert_eq!(row.retransmit_ratio(), Some(0.125));
}

#[cfg(feature = "serde")]
#[test]
fn the_json_form_reads_back() {
    for number in 0..5 {
        let text = serde_json::to_string(&row(number)).expect("numbers alone");
        assert!(
            text.starts_with(r#"{"type":"census","timestamp":"2023-11-14T"#),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<CensusRow>(&text).expect(&text),
            row(number)
        );
    }
}
