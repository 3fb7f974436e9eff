//! Writes a report of synthetic events, to look at: `cargo run -p retrans-view --features report --example report FILE [EVENTS]`.

use std::env;
use std::error::Error;
use std::fs;
use std::time::Duration;
use std::time::Instant;

use retrans_event::CensusRow;
use retrans_event::synth::Synth;
use retrans_view::report;
use retrans_view::report::alert::Alert;
use retrans_view::report::alert::Severity;
use retrans_view::report::collect::Collected;
use retrans_view::report::collect::Host;
use retrans_view::report::collect::Source;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "report.html".to_owned());
    let events = arguments
        .next()
        .map_or(Ok(20_000), |events| events.parse())?;
    let begun = Instant::now();
    let mut collected = Collected::default();
    collected.begin(Source {
        name: "synthetic <events>".to_owned(),
        host: Some(Host {
            name: "web-1".to_owned(),
            kernel: "6.12.0".to_owned(),
        }),
        cut: None,
    });
    collected.plugins = Some(vec!["threshold-alert".to_owned()]);
    let mut next = Duration::ZERO;
    for (number, event) in Synth::with_connections(7, 400).take(events).enumerate() {
        let time = event.wall_time();
        if time > next {
            collected.mark(time);
            collected.census([CensusRow {
                wall_time: time,
                peer_address: event.peer_address(),
                segments: 40_000,
                retransmitted_segments: 150,
                rtt_buckets: std::array::from_fn(
                    |power| if (8..18).contains(&power) { 200 } else { 0 },
                ),
                ..CensusRow::EMPTY
            }]);
            next = time + Duration::from_secs(1);
        }
        if number == events / 2 {
            collected.lost(17);
            collected.alert(Alert {
                wall_time: time,
                plugin: "threshold-alert".to_owned(),
                name: "retransmit-threshold".to_owned(),
                severity: Severity::Warning,
                is_resolved: false,
                summary: "50 segments retransmitted to 10.2.0.9 within 10s".to_owned(),
                labels: vec![("peer".to_owned(), "10.2.0.9".to_owned())],
                connection: None,
            });
        }
        collected.event(&event, [("site", "<b>north</b>")]);
    }
    let collected_in = begun.elapsed();
    let page = report::render(&collected)?;
    println!(
        "{events} events in {collected_in:.2?}, page of {} bytes in {:.2?}",
        page.len(),
        begun.elapsed() - collected_in
    );
    fs::write(file, page)?;
    Ok(())
}
