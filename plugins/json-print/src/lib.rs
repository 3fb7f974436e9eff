//! Prints each event as one line of JSON, and lets it pass.

use retrans_plugin_sdk::prelude::*;

/// The plugin.
pub struct JsonPrint;

impl Plugin for JsonPrint {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(JsonPrint)
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        out.json(event)?;
        Ok(Verdict::Keep)
    }
}

export_plugin!(JsonPrint);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::serde_json;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    #[test]
    fn every_event_is_a_line_of_json_that_reads_back() -> Result<()> {
        let records: Vec<Record> = Synth::new(3).take(600).collect();
        let outcome = Scenario::new().events(records.clone()).run::<JsonPrint>()?;
        assert_eq!(outcome.lines.len(), records.len());
        for (line, record) in outcome.lines.iter().zip(&records) {
            assert!(line.starts_with(r#"{"type":"retransmit","timestamp":"2026-"#));
            assert_eq!(serde_json::from_str::<Record>(line)?, *record);
        }
        Ok(())
    }

    #[test]
    fn events_pass_unchanged() -> Result<()> {
        let records: Vec<Record> = Synth::new(4).take(50).collect();
        let outcome = Scenario::new().events(records.clone()).run::<JsonPrint>()?;
        let kept = outcome.kept.iter().map(|kept| &kept.record);
        assert!(kept.eq(&records));
        Ok(())
    }

    #[test]
    fn labels_of_earlier_plugins_are_printed_in_the_order_of_their_keys() -> Result<()> {
        let mut records = Synth::new(5);
        let mut next = || records.next().context("the stream has no end");
        let outcome = Scenario::new()
            .labelled_event(next()?, [("network", "office \"2\""), ("host", "db")])
            .event(next()?)
            .run::<JsonPrint>()?;
        assert!(
            outcome.lines[0].ends_with(r#","labels":{"host":"db","network":"office \"2\""}}"#),
            "{}",
            outcome.lines[0],
        );
        assert!(!outcome.lines[1].contains("labels"));
        Ok(())
    }

    #[test]
    fn the_keys_of_the_seed_are_there() -> Result<()> {
        let mut record = Synth::new(6).next().context("the stream has no end")?;
        record.set_owner_pid(Some(42));
        let outcome = Scenario::new().event(record).run::<JsonPrint>()?;
        let line: serde_json::Value = serde_json::from_str(&outcome.lines[0])?;
        for pointer in [
            "/timestamp",
            "/source/ip",
            "/source/port",
            "/destination/ip",
            "/destination/port",
            "/ipversion",
            "/pid",
            "/state",
        ] {
            assert!(
                line.pointer(pointer).is_some(),
                "{pointer} is missing in {line}"
            );
        }
        Ok(())
    }
}
