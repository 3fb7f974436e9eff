//! A host that runs unattended: one file configures it, and every receiver has the numbers of the kernel.

use std::fs;
use std::net::SocketAddr;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use rustix::process::Signal;

use crate::common::http::address_in;
use crate::common::http::get;
use crate::common::prometheus::Prometheus;
use crate::receivers::alertmanager::Alertmanager;
use crate::receivers::receiver::Receiver;
use crate::receivers::rotel::Rotel;
use crate::support::captures::Directory;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::oracle::Nstat;
use crate::support::root_test;

/// The address at which this host serves its metrics.
fn address_of(host: &Host) -> Result<SocketAddr> {
    let said = host.said();
    let line = said.iter().find(|line| line.contains("metrics are at"));
    Ok(address_in(
        line.with_context(|| format!("no address: {said:#?}"))?,
    ))
}

#[test]
fn root_a_short_file_brings_a_retransmit_to_every_receiver() -> Result<()> {
    root_test(|root| {
        let mut alertmanager = Alertmanager::start();
        let (webhook, rotel) = (Receiver::start(&[]), Rotel::start());
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        let file = directory.file("config.toml");
        let text = format!(
            "\
[listen]
address = \"127.0.0.1:0\"
[filter]
netns = [\"{}\"]
[[plugin]]
file = \"threshold-alert\"
settings = {{ threshold = 5, window = \"1m\" }}
[[sink]]
type = \"alertmanager\"
url = \"{}\"
[[sink]]
type = \"webhook\"
url = \"{}\"
[[sink]]
type = \"otlp\"
url = \"http://127.0.0.1:{}\"
",
            lab.sender.inode(),
            alertmanager.url(),
            webhook.url(),
            rotel.port
        );
        fs::write(&file, text)?;
        let host = Host::start(root, &["-c", &file])?;
        let address = address_of(&host)?;
        let prometheus = Prometheus::scraping(address);
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        ensure!(segments == 5, "{segments} segments");

        prometheus.wait_for("sum(retrans_segments_total)", 5.0);
        let alerts = alertmanager.wait_for(&["retransmit-threshold"]);
        ensure!(alerts[0]["labels"]["peer"] == "10.7.0.2", "{alerts:#?}");
        let requests = webhook.wait_for(1);
        ensure!(
            requests[0].body().to_string().contains("10.7.0.2"),
            "{:#}",
            requests[0].body()
        );
        let records = |number| {
            host.wait_until(format_args!("{number} log records"), || {
                let output = rotel.output();
                Ok(output.matches("EventName: retrans.retransmit").count() == number)
            })
        };
        records(5)?;

        // A receiver that is away costs nothing but the wait.
        alertmanager.kill();
        lab.five_fast_retransmits(RECEIVER_V6)?;
        webhook.wait_for(2);
        records(10)?;
        prometheus.wait_for("sum(retrans_segments_total)", 10.0);
        ensure!(get(address, "/readyz").status == 200, "it is ready");
        alertmanager.restart();
        alertmanager.wait_for(&["retransmit-threshold", "retransmit-threshold"]);

        // The configuration is read again: there is nothing new, and all goes on.
        host.signal(Signal::HUP)?;
        host.wait_until("the configuration to be read", || {
            let said = host.said();
            Ok(said
                .iter()
                .any(|line| line.contains("the configuration has not changed")))
        })?;
        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        ensure!(
            run.ledger.host.get("delivered") == segments,
            "{segments} segments: {:#?}",
            run.stderr
        );
        for (name, sink) in &run.ledger.sinks {
            let failed = sink.get("dropped") + sink.get("failed") + sink.get("queued");
            ensure!(failed == 0, "{name}: {:#?}", run.stderr);
        }
        Ok(())
    })
}
