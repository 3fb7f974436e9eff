//! A real Prometheus scrapes the host, and has the numbers of the host.

use crate::common::captures::generated;
use crate::common::components::Files;
use crate::common::http::sum;
use crate::common::pipes::wait_until;
use crate::common::prometheus::Prometheus;
use crate::metrics::Served;

#[test]
fn a_real_prometheus_has_the_numbers_of_the_host() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "5k", "--census", "10s", "--seed", "3"],
    );
    let mut served = Served::begin(&files, &["a.rtc", "-", "--plugin", "threshold-alert"]);
    served.event(0);
    wait_until("all events", || {
        sum(&served.metrics(), "retrans_events_total") == 5_001.0
    });
    let metrics = served.metrics();
    let prometheus = Prometheus::scraping(served.address);
    prometheus.wait_for("up", 1.0);
    prometheus.wait_for("sum(retrans_events_total)", 5_001.0);
    for family in [
        "retrans_segments_total",
        "retrans_census_segments_total",
        "retrans_rtt_seconds_count",
    ] {
        let expected = sum(&metrics, family);
        assert!(expected > 1_000.0, "{family}: {expected}");
        prometheus.wait_for(&format!("sum({family})"), expected);
    }
    // Every sample that is served is a series.
    wait_until("as many series as samples", || {
        let metrics = served.metrics();
        let samples = metrics.lines().filter(|line| !line.starts_with('#'));
        let count = samples.count() as f64;
        let series = prometheus.query("count({__name__=~\"retrans_.*|process_start_.*\"})");
        matches!(series.as_slice(), [(_, series)] if *series == count)
    });
    // It takes them as OpenMetrics, and knows their types.
    let quantile = "histogram_quantile(0.5, sum by (le) (retrans_rtt_seconds_bucket))";
    let found = prometheus.query(quantile);
    assert!(
        matches!(found.as_slice(), [(_, median)] if *median > 0.0),
        "{found:?}"
    );
    let versions = prometheus.query("retrans_build_info");
    assert_eq!(versions[0].0["version"], env!("CARGO_PKG_VERSION"));
    served.end();
}
