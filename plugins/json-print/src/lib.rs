//! Prints each event as one line of JSON, and keeps all events. Prints a line where events were lost, and the census if
//! that is asked for.

use retrans_plugin_sdk::prelude::*;

/// The plugin.
pub struct JsonPrint {
    writer: Box<LineWriter>,
    prints_census: bool,
}

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Fields to print, as paths in the line: source.ip, retransmit.kind; whole objects, such as tcp; labels. One
        /// word with commas, or a list. Without any, all are printed.
        pub fields: OneOrMany<String> = OneOrMany(Vec::new()),
        /// Whether to print each row of a census as a line of type census, if one is made: with --census, or for another
        /// plugin.
        pub census: bool = false,
    }
}

/// The line for lost events. It has no time: the kernel counts losses without recording when each happened,
/// and the events that follow may be older.
#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde", tag = "type", rename = "gap")]
struct Gap {
    lost: u64,
}

impl Plugin for JsonPrint {
    type Settings = Settings;
    const CENSUS: CensusUse = CensusUse::Optional;

    fn new(settings: Settings) -> Result<Self> {
        let paths = settings.fields.iter();
        let paths: Vec<&str> = paths
            .flat_map(|paths| paths.split(','))
            .map(str::trim)
            .collect();
        let writer = match paths.is_empty() {
            true => LineWriter::default(),
            false => LineWriter::only(paths.iter().copied())
                .map_err(|(number, error)| anyhow!("fields: {:?}: {error}", paths[number]))?,
        };
        Ok(JsonPrint {
            writer: Box::new(writer),
            prints_census: settings.census,
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        out.json_event(event, &mut self.writer)?;
        Ok(Verdict::Keep)
    }

    fn on_census(&mut self, census: &Census, out: &mut Output) -> Result<()> {
        if self.prints_census {
            census.rows().iter().try_for_each(|row| out.json(row))?;
        }
        Ok(())
    }

    fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
        out.json(&Gap { lost: events })
    }
}

export_plugin!(JsonPrint);

#[cfg(test)]
mod tests {
    use super::*;
    use retrans_plugin_sdk::serde_json;
    use retrans_plugin_sdk::testing::Outcome;
    use retrans_plugin_sdk::testing::Scenario;
    use retrans_plugin_sdk::testing::Synth;

    fn held_by(pid: u32) -> Result<Owner> {
        let process = Process {
            pid,
            comm: "curl".parse()?,
            uid: None,
            container: None,
        };
        Ok(Owner::Held {
            process,
            holders: 1,
        })
    }

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
    fn some_fields_are_printed_where_they_are_named() -> Result<()> {
        let mut record = Synth::new(3).next().context("the stream has no end")?;
        record.set_owner(&held_by(42)?);
        let printed = |fields: serde_json::Value| -> Result<String> {
            let scenario = Scenario::new().setting("fields", fields);
            let scenario = scenario.labelled_event(record.clone(), [("zone", "eu")]);
            Ok(scenario.run::<JsonPrint>()?.lines.concat())
        };
        let start = r#"{"type":"retransmit","timestamp":""#;
        for fields in [
            serde_json::json!("timestamp,owner.pid, labels"),
            serde_json::json!(["timestamp", "owner.pid", "labels"]),
        ] {
            let line = printed(fields)?;
            assert!(line.starts_with(start), "{line}");
            assert!(
                line.ends_with(r#"Z","owner":{"pid":42},"labels":{"zone":"eu"}}"#),
                "{line}"
            );
        }
        assert_eq!(printed("type".into())?, r#"{"type":"retransmit"}"#);
        let error = printed("owner.pid,owner.name".into())
            .expect_err("no such field")
            .to_string();
        assert!(
            error.starts_with("fields: \"owner.name\": no field"),
            "{error}"
        );
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
    fn the_keys_of_the_earlier_tool_are_there() -> Result<()> {
        let mut record = Synth::new(6).next().context("the stream has no end")?;
        record.set_owner(&held_by(42)?);
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
        assert_eq!(line["pid"], 42);
        Ok(())
    }

    /// The lines, with `event` in place of each line for an event.
    fn lines(outcome: &Outcome) -> Vec<&str> {
        let lines = outcome.lines.iter().map(String::as_str);
        lines
            .map(|line| match line.starts_with(r#"{"type":"retransmit""#) {
                true => "event",
                false => line,
            })
            .collect()
    }

    #[test]
    fn a_gap_is_a_line_before_the_events_that_follow_it() -> Result<()> {
        let mut records = Synth::new(7);
        let mut two = || records.by_ref().take(2).collect::<Vec<_>>();
        let scenario = Scenario::new()
            .lost(1)
            .events(two())
            .lost(3)
            .lost(4)
            .events(two())
            .events(two());
        let outcome = scenario.run::<JsonPrint>()?;
        let (first, second) = (r#"{"type":"gap","lost":1}"#, r#"{"type":"gap","lost":7}"#);
        let expected = [
            first, "event", "event", second, "event", "event", "event", "event",
        ];
        assert_eq!(lines(&outcome), expected);
        assert_eq!(outcome.kept.len(), 6);
        Ok(())
    }

    #[test]
    fn a_gap_is_printed_without_an_event_that_follows() -> Result<()> {
        let scenario = Scenario::new()
            .lost(u64::MAX)
            .tick(Duration::from_secs(1))
            .tick(Duration::from_secs(2))
            .lost(2);
        let outcome = scenario.run::<JsonPrint>()?;
        let expected = [
            r#"{"type":"gap","lost":18446744073709551615}"#,
            r#"{"type":"gap","lost":2}"#,
        ];
        assert_eq!(lines(&outcome), expected);
        Ok(())
    }

    #[test]
    fn a_census_is_printed_where_that_is_asked_for() -> Result<()> {
        let rows = [1, 2].map(|port| CensusRow {
            service_port: port,
            time: Duration::from_secs(7),
            segments: 1_000,
            ..CensusRow::EMPTY
        });
        let scenario = Scenario::new().census(rows).tick(Duration::from_secs(8));
        assert_eq!(scenario.run::<JsonPrint>()?.lines, [""; 0]);
        let scenario = scenario.setting("census", true);
        let lines = scenario.run::<JsonPrint>()?.lines;
        assert_eq!(lines.len(), 2);
        for (line, row) in lines.iter().zip(&rows) {
            assert!(
                line.starts_with(r#"{"type":"census","timestamp":"#),
                "{line}"
            );
            assert_eq!(serde_json::from_str::<CensusRow>(line)?, *row);
        }
        let read = Scenario::from_json_lines(&lines.join("\n"))?.setting("census", true);
        assert_eq!(read.run::<JsonPrint>()?.lines, lines);
        Ok(())
    }

    #[test]
    fn where_nothing_is_lost_there_is_no_gap() -> Result<()> {
        let scenario = Scenario::new()
            .events(Synth::new(8).take(300))
            .tick(Duration::from_secs(2_000));
        assert_eq!(lines(&scenario.run::<JsonPrint>()?), ["event"; 300]);
        Ok(())
    }
}
