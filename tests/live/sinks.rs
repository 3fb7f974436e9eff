//! Alerts and events arrive at real receivers from a host in its sandbox.

use std::fs;

use anyhow::Context as _;
use anyhow::Result;

use crate::receivers::alertmanager::Alertmanager;
use crate::receivers::receiver::Receiver;
use crate::receivers::rotel::Rotel;
use crate::support::captures::Directory;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::root_test;

/// The status of the network's thread of a host.
fn network_thread(pid: u32) -> Result<String> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        if status.starts_with("Name:\tnetwork\n") {
            return Ok(status);
        }
    }
    anyhow::bail!("there is no thread of the network")
}

#[track_caller]
fn assert_is_confined(status: &str) {
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"] {
        assert!(
            status.lines().any(|found| found == line),
            "{line}: {status}"
        );
    }
}

#[test]
fn root_a_retransmit_is_an_alert_and_a_log_record_at_receivers_found_by_name() -> Result<()> {
    root_test(|root| {
        let (alertmanager, rotel) = (Alertmanager::start(), Rotel::start());
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let arguments = [
            "--netns",
            &netns,
            "--plugin",
            "threshold-alert",
            "--set",
            "threshold=5",
            "--set",
            "window=1m",
            // Look-ups of names need files and threads of their own.
            &format!("--sink=alertmanager=http://localhost:{}", alertmanager.port),
            &format!("--sink=otlp=http://localhost:{}", rotel.port),
        ];
        let host = Host::start(root, &arguments)?;
        assert_is_confined(&network_thread(host.pid())?);
        // The kernel has counted five.
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let alerts = alertmanager.wait_for(&["retransmit-threshold"]);
        let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
        let labels = &alerts[0]["labels"];
        assert_eq!(labels["peer"], RECEIVER_V4.to_string());
        assert_eq!(labels["instance"], name.trim());
        rotel.wait_for("EventName: retrans.alert");
        host.wait_until("five log records", || {
            let records = rotel
                .output()
                .matches("EventName: retrans.retransmit")
                .count();
            Ok(records == 5)
        })?;
        let run = host.stop()?;
        run.ledger.assert_complete();
        assert_eq!(run.ledger.host.get("delivered"), 5);
        let sink = |kind: &str, port| {
            let sink = run.ledger.sinks.get(&format!("{kind}/localhost:{port}"));
            let sink = sink.with_context(|| format!("{:?}", run.ledger.sinks))?;
            anyhow::Ok(["in", "sent", "dropped", "failed"].map(|name| sink.get(name)))
        };
        assert_eq!(sink("alertmanager", alertmanager.port)?, [1, 1, 0, 0]);
        assert_eq!(sink("otlp/logs", rotel.port)?, [6, 6, 0, 0]);
        let output = rotel.output();
        let process = std::process::id();
        for text in [
            format!("-> host.name: Str({})", name.trim()),
            format!("-> network.peer.address: Str({RECEIVER_V4})"),
            format!("-> process.pid: Int({process})"),
        ] {
            assert!(output.contains(&text), "{text}");
        }
        Ok(())
    })
}

#[test]
fn root_a_token_that_is_renewed_is_read_in_the_sandbox() -> Result<()> {
    root_test(|root| {
        let receiver = Receiver::start(&[]);
        let directory = Directory::new()?;
        let token = directory.file("token");
        fs::write(&token, "first\n")?;
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let config = directory.file("config.toml");
        let text = format!(
            r#"
            [[plugin]]
            file = "threshold-alert"
            settings = {{ threshold = 5 }}

            [[sink]]
            type = "webhook"
            url = "{}"
            token-file = "token"

            [filter]
            netns = ["{netns}"]
            "#,
            receiver.url()
        );
        fs::write(&config, text)?;
        let arguments = ["--config", &config];
        let host = Host::start(root, &arguments)?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let requests = receiver.wait_for(1);
        assert_eq!(requests[0].header("authorization"), Some("Bearer first"));
        // As programs renew it: another file takes its place.
        let renewed = directory.file("renewed");
        fs::write(&renewed, "second\n")?;
        fs::rename(&renewed, &token)?;
        lab.five_fast_retransmits(RECEIVER_V6)?;
        let requests = receiver.wait_for(2);
        assert_eq!(requests[1].header("authorization"), Some("Bearer second"));
        host.stop()?.ledger.assert_complete();
        Ok(())
    })
}
