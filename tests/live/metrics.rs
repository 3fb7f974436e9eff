//! Metrics of the live probe: segments are those that the kernel counts, and the host is confined while it serves them.

use std::fs;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

use crate::common::http::OPEN_METRICS;
use crate::common::http::address_in;
use crate::common::http::get;
use crate::common::http::get_as;
use crate::common::http::sample;
use crate::common::http::sum;
use crate::support::host::Host;
use crate::support::kernel::is_since;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::oracle::Nstat;
use crate::support::root_test;

#[test]
fn root_segments_in_the_metrics_are_those_of_the_kernel() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let arguments = [
            "--netns",
            &netns,
            "--census",
            "1s",
            "--plugin",
            "threshold-alert",
            "--listen",
            "127.0.0.1:0",
        ];
        let host = Host::start(root, &arguments)?;
        let said = host.said();
        let line = said.iter().find(|line| line.contains("metrics are at"));
        let address = address_in(line.with_context(|| format!("no address: {said:#?}"))?);
        host.wait_until("a host that is ready", || {
            Ok(get(address, "/readyz").status == 200)
        })?;
        // What it may do while it serves: nothing else.
        let status = fs::read_to_string(format!("/proc/{}/status", host.pid()))?;
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
            ensure!(
                status.lines().any(|found| found == line),
                "{line}\n{status}"
            );
        }

        lab.lossy_transfer()?;
        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        ensure!(segments > 0, "segments were lost");
        host.wait_until("all segments in the metrics", || {
            Ok(sum(&get(address, "/metrics").body, "retrans_segments_total") == segments as f64)
        })?;
        // Every stage has told its numbers a second later, and a census was made.
        host.wait_until("the numbers of every stage", || {
            let metrics = get(address, "/metrics").body;
            let events = sum(&metrics, "retrans_events_total");
            let delivered = sample(
                &metrics,
                "retrans_source_events_total{outcome=\"delivered\"}",
            );
            let kept = "retrans_plugin_events_total{plugin=\"threshold-alert\",outcome=\"kept\"}";
            Ok(delivered == Some(events)
                && sample(&metrics, kept) == Some(events)
                && sum(&metrics, "retrans_latency_seconds_count") == events
                && sample(&metrics, "retrans_census_segments_total")
                    .is_some_and(|sent| sent > segments as f64))
        })?;
        let metrics = get_as(address, "/metrics", OPEN_METRICS).body;
        let events = sum(&metrics, "retrans_events_total");
        for (name, value) in [
            ("retrans_lost_events_total{stage=\"ring\"}", 0.0),
            ("retrans_probe_calls_total{outcome=\"ring_full\"}", 0.0),
            ("retrans_run_info{source=\"live\",attached=\"btf\"}", 1.0),
            ("retrans_ready", 1.0),
        ] {
            ensure!(sample(&metrics, name) == Some(value), "{name}\n{metrics}");
        }
        // Since Linux 5.12 the kernel tells how many calls of the probe it has skipped.
        let skipped = sample(&metrics, "retrans_probe_recursion_misses_total");
        ensure!(skipped.is_some() == is_since(5, 12)?, "{metrics}");
        // This process has the sockets.
        let held = sample(&metrics, "retrans_owner_events_total{status=\"held\"}");
        ensure!(held.is_some_and(|held| held > 0.0), "{held:?} of {events}");
        ensure!(
            sum(&metrics, "retrans_owner_events_total") == events,
            "{metrics}"
        );
        ensure!(
            !metrics.contains(&RECEIVER_V4.to_string()),
            "no address is a label"
        );
        let page = get(address, "/").body;
        ensure!(
            page.contains(&RECEIVER_V4.to_string()),
            "the peer is in the report"
        );

        let run = host.stop()?;
        let report = run
            .stderr
            .iter()
            .find(|line| line.starts_with("ledger: sink report "));
        ensure!(report.is_some(), "{:#?}", run.stderr);
        Ok(())
    })
}

#[test]
fn root_a_port_in_use_ends_the_start_before_the_probe_is_loaded() -> Result<()> {
    root_test(|root| {
        let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = taken.local_addr()?.to_string();
        let error = Host::start(root, &["--listen", &address]).err();
        let error = format!("{:#}", error.context("it must not start")?);
        ensure!(error.contains("another program has this port"), "{error}");
        ensure!(!error.contains("watching"), "{error}");
        Ok(())
    })
}
