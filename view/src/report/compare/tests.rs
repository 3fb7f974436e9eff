//! Comparisons of whole streams.

use std::time::Duration;

use fastrand::Rng;
use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::Process;
use retrans_event::Record;

use super::rows::Measure;
use super::rows::Row;
use super::rows::Verdict;
use super::rows::rows;
use super::*;
use crate::report::collect::Source;

/// A stream with bursts over several peers, processes and causes. `burst_every`: seconds between two bursts.
fn stream(random: &mut Rng, seconds: u64, burst_every: f64, census: bool) -> Series {
    let mut series = Series::default();
    series.begin(Source {
        name: "<stream>".to_owned(),
        ..Source::default()
    });
    let mut left = 0.0;
    for second in 0..seconds {
        let time = Duration::from_secs(second);
        if random.f64() < 1.0 / burst_every {
            left = 4.0 / (1.0 - random.f64()).powf(0.6);
        }
        let events = left as u32 + random.u32(..2);
        left *= 0.6;
        for _ in 0..events {
            let kinds = [
                Kind::Fast,
                Kind::Fast,
                Kind::LossRecovery,
                Kind::Timeout,
                Kind::TailLossProbe,
            ];
            let number = random.u32(..4);
            let peer = std::net::SocketAddr::from(([10, 0, 0, number as u8], 443));
            let event = Record::retransmit(([10, 1, 0, 1], 40_000).into(), peer)
                .with_time(time)
                .with_kind(kinds[random.usize(..kinds.len())])
                .with_process(Process::new(100 + number % 3, "<b>"))
                .with(|event| {
                    event.set_srtt(Some(Duration::from_micros(random.u64(20_000..60_000))));
                });
            series.event(&event);
        }
        let wall_time = Record::new().with_time(time).wall_time();
        series.mark(wall_time);
        if census && second % 10 == 9 {
            let again = u64::from(events) * 5;
            series.census([CensusRow {
                wall_time,
                peer_address: [10, 0, 0, 1].into(),
                segments: 5_000 + again,
                retransmitted_segments: again,
                ..CensusRow::EMPTY
            }]);
        }
    }
    series
}

fn is_called_different(rows: &[Row]) -> bool {
    let mut verdicts = rows.iter().map(|row| row.verdict);
    verdicts.any(|verdict| matches!(verdict, Verdict::Higher | Verdict::Lower))
}

#[test]
fn identical_processes_are_called_different_in_at_most_5_percent_of_200_pairs() {
    for census in [false, true] {
        let mut random = Rng::with_seed(11);
        let mut different = 0;
        for _ in 0..200 {
            let before = stream(&mut random, 600, 40.0, census);
            let after = stream(&mut random, 600, 40.0, census);
            let rows = rows(&before, &after);
            assert!(rows.len() >= 12);
            different += u32::from(is_called_different(&rows));
        }
        // Any of the rows counts.
        assert!(different <= 10, "{different} of 200, census {census}");
    }
}

#[test]
fn four_times_as_many_bursts_are_found() {
    let mut random = Rng::with_seed(12);
    let before = stream(&mut random, 3_600, 80.0, false);
    let after = stream(&mut random, 3_600, 20.0, false);
    let rows = rows(&before, &after);
    assert_eq!(
        (rows[0].measure, rows[0].verdict),
        (Measure::Rate, Verdict::Higher)
    );
    let back = super::rows::rows(&after, &before);
    assert_eq!(back[0].verdict, Verdict::Lower);
    let page = render(&before, &after).expect("a page");
    assert!(page.contains("The rate of segments that are sent again is higher"));
    assert!(page.contains("Rates, and not ratios"));
    assert!(!page.contains("<b>") && page.contains("&#60;b&#62;[101]"));
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
    assert!(page == render(&before, &after).expect("a page"));
}

#[test]
fn ratios_are_from_a_census_alone() {
    let mut random = Rng::with_seed(13);
    let with = stream(&mut random, 600, 40.0, true);
    let without = stream(&mut random, 600, 40.0, false);
    assert_eq!(rows(&with, &with)[0].measure, Measure::Share);
    let mixed = rows(&with, &without);
    assert!(mixed.iter().all(|row| row.measure != Measure::Share));
    // A peer of which the census tells has a ratio, any other a rate.
    let both = rows(&with, &with);
    let measure = |name: &str| {
        both.iter()
            .find(|row| row.name == name)
            .map(|row| row.measure)
    };
    assert_eq!(measure("Peer 10.0.0.1"), Some(Measure::Share));
    assert_eq!(measure("Peer 10.0.0.2"), Some(Measure::Rate));
}

#[test]
fn under_30_blocks_it_is_too_short_to_say() {
    let mut random = Rng::with_seed(14);
    let long = stream(&mut random, 600, 40.0, false);
    let short = stream(&mut random, 280, 2.0, false);
    let rows = rows(&long, &short);
    assert!(rows.iter().all(|row| row.verdict == Verdict::TooShort));
    assert!(rows[0].blocks.1 < 30);
    let page = render(&long, &short).expect("a page");
    assert!(page.contains("Too short to say whether"));
    let nothing = render(&Series::default(), &Series::default()).expect("a page");
    assert!(nothing.contains("Too short to say"));
}
