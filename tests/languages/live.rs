//! One live chain with a plugin in each of five languages.

use std::process::Command;

use anyhow::Result;
use anyhow::ensure;

use crate::built::component;
use crate::built::in_rust;
use crate::common::refusal::BINARY;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::root_test;

/// Fills the cache of compiled code: CPython takes longer to compile, beside other tests, than a live test waits for its
/// host.
fn compile(plugins: &[&str]) -> Result<()> {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/fast.rtc");
    let mut replay = Command::new(BINARY);
    let output = replay.args(["replay", capture]).args(plugins).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

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
        let names = [
            format!("c={c}"),
            format!("go={go}"),
            format!("python={python}"),
            format!("javascript={javascript}"),
            format!("rust={rust}"),
        ];
        let [c, go, python, javascript, rust] = names.each_ref().map(String::as_str);
        let plugins = [
            &["--plugin", c, "--set", &networks, "--set", "name=c"][..],
            &["--plugin", go, "--set", &networks, "--set", "name=go"],
            &["--plugin", python, "--set", "timeout=1ms"],
            &["--plugin", javascript, "--set", "every=1s"],
            &["--plugin", rust, "--set", "networks=192.0.2.0/24"],
            &["--plugin", "json-print", "--alerts", "json"],
        ]
        .concat();
        compile(&plugins)?;
        let host = Host::start(root, &plugins)?;
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
        run.ledger.assert_complete();
        Ok(())
    })
}
