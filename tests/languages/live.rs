//! One live chain with a plugin in each of five languages.

use anyhow::Result;
use serde_json::Value;

use crate::built::component;
use crate::built::in_rust;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

#[test]
fn root_five_languages_run_in_one_live_chain() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let plugin = |language: &str, sample: &str| match language {
            "rust" => in_rust(sample).display().to_string(),
            _ => component(language, sample).display().to_string(),
        };
        // Each language has something of its own to do with the same five events.
        let (c, go) = (plugin("c", "transform"), plugin("go", "transform"));
        let (python, javascript) = (plugin("python", "alert"), plugin("javascript", "stateful"));
        let rust = plugin("rust", "transform");
        let networks = format!("networks={RECEIVER_V4}/32");
        let host = Host::start(
            root,
            &[
                "--plugin",
                &format!("c={c}"),
                "--set",
                &networks,
                "--set",
                "name=c",
                "--plugin",
                &format!("go={go}"),
                "--set",
                &networks,
                "--set",
                "name=go",
                "--plugin",
                &format!("python={python}"),
                "--set",
                "timeout=1ms",
                "--plugin",
                &format!("javascript={javascript}"),
                "--set",
                "every=1s",
                "--plugin",
                &format!("rust={rust}"),
                "--set",
                "networks=192.0.2.0/24",
                "--plugin",
                "json-print",
                "--alerts",
                "json",
            ],
        )?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;
        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(events.len(), 5);
        for event in &events {
            // Of two values for a label the later plugin's is kept.
            assert_eq!(event["labels"]["network"], "go", "{event}");
        }
        let mut alerts = run.of_type("alert")?;
        alerts.retain(|alert| alert["labels"]["peer"] == RECEIVER_V4.to_string());
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        assert_eq!(alerts[0]["plugin"], "python");
        let summaries = run.of_type("kind_summary")?;
        let counted = summaries
            .iter()
            .filter_map(|line| line["kinds"]["fast"].as_u64());
        assert!(counted.sum::<u64>() >= 5, "{summaries:#?}");
        assert_eq!(Value::from(5), Value::from(events.len()));
        run.ledger.assert_complete();
        Ok(())
    })
}
