//! How counters are added up, by the code of the programs, run in user space.

use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use retrans_event::CensusRow;

use super::rows::Interval;
use super::rows::KEY_SIZE;
use super::rows::SUMS_SIZE;
use super::rows::Sums;

/// Counters of a socket, as `bpf/census_settle.h` has them.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    bytes: u64,
    retransmitted_bytes: u64,
    segments: u32,
    retransmits: u32,
    dsacks: u32,
    srtt_us: u32,
    /// Retransmits of FINs without data.
    bare_fins: u32,
}

impl Counts {
    fn bytes(&self) -> Vec<u8> {
        let long = [self.bytes, self.retransmitted_bytes];
        let short = [self.segments, self.retransmits, self.dsacks, self.srtt_us];
        let long = long.iter().flat_map(|number| number.to_ne_bytes());
        let short = short.iter().flat_map(|number| number.to_ne_bytes());
        long.chain(short).collect()
    }
}

/// The sums after each pass over a connection that had the first of these counters when it was seen first.
fn settled(first: Counts, passes: &[Counts]) -> Vec<CensusRow> {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("census");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf/tests/census.c");
    let compiled = Command::new("clang")
        .args(["-O2", "-Wall", "-Werror", "-fsanitize=undefined"])
        .arg("-fsanitize-trap=undefined")
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(compiled.expect("clang runs").success());
    let mut running = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut question = first.bytes();
    for counts in passes {
        question.extend(counts.bytes());
        question.extend(counts.bare_fins.to_ne_bytes());
    }
    let mut stdin = running.stdin.take().expect("it is piped");
    stdin.write_all(&question).expect("it reads");
    drop(stdin);
    let mut answer = Vec::new();
    let mut stdout = running.stdout.take().expect("it is piped");
    stdout.read_to_end(&mut answer).expect("it answers");
    assert!(running.wait().expect("it ends").success());
    let (sums, rest) = answer.as_chunks::<SUMS_SIZE>();
    assert!(rest.is_empty());
    let interval = Interval {
        time: Duration::ZERO,
        wall_time: Duration::ZERO,
        length: Duration::ZERO,
        is_complete: true,
    };
    let row = |sums| {
        let key = &[1; KEY_SIZE];
        Sums { key, sums }.row(&interval).expect("it is not empty")
    };
    sums.iter().map(row).collect()
}

#[test]
fn counters_of_32_bits_may_wrap() {
    let first = Counts {
        bytes: 1_000,
        retransmitted_bytes: 100,
        segments: u32::MAX - 2,
        retransmits: u32::MAX,
        dsacks: u32::MAX - 1,
        ..Counts::default()
    };
    let second = Counts {
        bytes: 1_600,
        retransmitted_bytes: 150,
        segments: 3,
        retransmits: 2,
        dsacks: 0,
        srtt_us: 300,
        bare_fins: 1,
    };
    let third = Counts {
        segments: 2,
        ..second
    };
    let rows = settled(first, &[second, second, third]);
    let of = |row: &CensusRow| {
        (
            row.segments,
            row.retransmitted_segments,
            row.bytes,
            row.dsacks,
        )
    };
    // Of three retransmits one was a FIN without data.
    assert_eq!(of(&rows[0]), (6, 2, 600, 2));
    assert_eq!(
        (rows[0].opened, rows[0].rtt_sum_us, rows[0].rtt_count),
        (1, 300, 1)
    );
    assert_eq!(rows[0].rtt_buckets[8], 1);
    // A pass in which nothing was sent adds nothing.
    assert_eq!(rows[1], rows[0]);
    // Less than before is all of them again, and no more.
    assert_eq!(of(&rows[2]), (6 + u64::from(u32::MAX), 2, 600, 2));
}

#[test]
fn a_round_trip_time_is_counted_in_the_class_of_its_highest_bit() {
    let times = [1, 2, 3, 4, 1_023, 1_024, 8_388_607, 8_388_608, u32::MAX];
    let passes: Vec<_> = (1..)
        .zip(times)
        .map(|(segments, srtt_us)| Counts {
            segments,
            srtt_us,
            ..Counts::default()
        })
        .collect();
    let rows = settled(Counts::default(), &passes);
    let mut before = [0; retrans_event::RTT_BUCKETS];
    for (row, time) in rows.iter().zip(times) {
        let class = (time.ilog2() as usize).min(retrans_event::RTT_BUCKETS - 1);
        before[class] += 1;
        assert_eq!(row.rtt_buckets, before, "{time}");
    }
}
