//! Retransmits of the live probe, passed through the bundled plugins up to an alert.

use anyhow::Context;
use anyhow::Result;
use serde_json::json;

use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

#[test]
fn root_five_retransmits_to_one_peer_fire_one_alert() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(
            root,
            &[
                "--plugin",
                "threshold-alert",
                "--set",
                "threshold=5",
                "--set",
                r#"key=["peer","netns"]"#,
                "--plugin",
                "json-print",
                "--alerts",
                "json",
            ],
        )?;
        let flow = lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;

        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(kinds(&events), ["fast"; 5]);
        let inode = lab.sender.inode().to_string();
        let mut alerts = run.of_type("alert")?;
        alerts.retain(|alert| alert["labels"]["netns"] == inode.as_str());
        let [alert] = alerts.as_slice() else {
            panic!("one alert, not {alerts:#?}");
        };
        assert_eq!(alert["state"], "firing", "{alert}");
        assert_eq!(alert["labels"]["peer"], RECEIVER_V4.to_string(), "{alert}");
        // The event that reached the threshold.
        let port = flow.client.local_addr()?.port();
        assert_eq!(alert["event"]["source"]["port"], port, "{alert}");
        assert_eq!(
            alert["event"]["destination"],
            json!(events[4]["destination"])
        );

        let summary = alert["summary"].as_str().context("a summary")?;
        assert!(
            summary.contains("5 segments retransmitted to 10.7.0.2"),
            "{alert}"
        );
        let shown = run.stderr.iter().filter(|line| line.contains(summary));
        assert_eq!(shown.count(), 1, "{:?}", run.stderr);
        run.ledger.assert_complete();
        Ok(())
    })
}
