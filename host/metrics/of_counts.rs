//! The metrics of what was counted of the stream.

use retrans_event::CensusRow;
use retrans_event::RTT_BUCKETS;

use super::counts::Counts;
use super::counts::OTHER;
use super::exposition::Value;
use super::exposition::Writer;
use super::family;

/// Writes them.
pub fn write(counts: &Counts, writer: &mut Writer) {
    let mut events = writer.family(&family::EVENTS);
    for sum in counts.sums() {
        events.sample(&[sum.kind, sum.ip_version, sum.state], sum.events);
    }
    let mut segments = writer.family(&family::SEGMENTS);
    for sum in counts.sums() {
        segments.sample(&[sum.kind, sum.ip_version, sum.state], sum.segments);
    }
    let mut failed = writer.family(&family::FAILED);
    for (kind, of_kind) in counts.kinds() {
        if is_shown(kind, of_kind.failed) {
            failed.sample(&[kind], of_kind.failed);
        }
    }
    let families = [
        (&family::OWNERS, counts.owners().collect::<Vec<_>>()),
        (&family::TRACEPOINTS, counts.tracepoints().collect()),
    ];
    for (family, numbers) in families {
        let mut samples = writer.family(family);
        for (name, number) in numbers {
            if is_shown(name, number) {
                samples.sample(&[name], number);
            }
        }
    }
    let mut rtt = writer.family(&family::RTT);
    for (kind, of_kind) in counts.kinds() {
        if is_shown(kind, of_kind.rtt.count()) {
            rtt.histogram(&[kind], &of_kind.rtt);
        }
    }
    let mut rto = writer.family(&family::RTO);
    for (kind, of_kind) in counts.kinds() {
        if is_shown(kind, of_kind.rto.count()) {
            rto.histogram(&[kind], &of_kind.rto);
        }
    }
    let census = counts.of_census();
    if let Some(sums) = &census.sums {
        write_census(sums, &census.rtt, writer);
    }
}

/// Values that no kernel reports are shown only if there are some.
fn is_shown(name: &str, number: u64) -> bool {
    name != OTHER || number > 0
}

fn write_census(sums: &CensusRow, rtt: &[u64; RTT_BUCKETS], writer: &mut Writer) {
    let numbers = [
        (&family::CENSUS_SEGMENTS, sums.segments),
        (&family::CENSUS_AGAIN, sums.retransmitted_segments),
        (&family::CENSUS_BYTES, sums.bytes),
        (&family::CENSUS_BYTES_AGAIN, sums.retransmitted_bytes),
        (&family::CENSUS_DSACKS, sums.dsacks),
        (&family::CENSUS_OPEN, sums.open),
        (&family::CENSUS_OPENED, sums.opened),
        (&family::CENSUS_CLOSED, sums.closed),
    ];
    for (family, number) in numbers {
        writer.family(family).sample(&[], Value::Number(number));
    }
    let mut sum = 0_u64;
    let classes = (1..).zip(rtt).map(|(power, count)| {
        sum = sum.saturating_add(*count);
        // The last class has no upper end.
        let bound = (power < RTT_BUCKETS).then(|| (1_u64 << power) as f64 / 1e6);
        (bound, sum)
    });
    let seconds = sums.rtt_sum_us as f64 / 1e6;
    writer
        .family(&family::CENSUS_RTT)
        .classes(&[], classes, seconds);
}
