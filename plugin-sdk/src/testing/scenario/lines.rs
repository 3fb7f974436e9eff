//! Scenarios from lines of JSON.

use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use retrans_event::CensusRow;
use retrans_event::Record;
use serde::Deserialize;
use serde_json::Value;

use super::Scenario;
use super::Step;
use crate::result::Result;
use crate::testing::outcome::KeptEvent;

/// The time between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// The most ticks in a time without events, as in a replay.
const MAX_TICKS: u64 = 3_600;

/// Values that each event has.
const REQUIRED: [&str; 6] = [
    "timestamp",
    "state",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
];

impl Scenario {
    /// A stream from lines of JSON, as `json-print` writes them: events with their labels, losses, and rows of a census. Between events it
    /// has a tick for every second, as a replay of the lines has: at most 3,600 in a time without events.
    ///
    /// A line needs `type`, and an event `timestamp`, `state`, and `ip` and `port` of `source` and `destination`. Without
    /// `record.boot_time_ns` the time since boot is the time of day. Empty lines, and lines of other types than `retransmit`,
    /// `gap` and `census`, are ignored.
    ///
    /// ```
    /// use retrans_plugin_sdk::prelude::*;
    /// use retrans_plugin_sdk::testing::Scenario;
    ///
    /// filter!(|event| event.peer().port() == 443);
    ///
    /// # fn main() -> Result<()> {
    /// let lines = concat!(
    ///     r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","#,
    ///     r#""source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443}}"#,
    ///     "\n",
    ///     r#"{"type":"gap","lost":3}"#,
    /// );
    /// let outcome = Scenario::from_json_lines(lines)?.run::<Filter>()?;
    /// assert_eq!(outcome.kept.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// For a line that is not an event or a loss. The message has the number of the line and what is wrong with it.
    pub fn from_json_lines(text: &str) -> Result<Scenario> {
        let mut scenario = Scenario::new();
        let mut next_tick = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() {
                continue;
            }
            match parse(line).with_context(|| format!("line {number}"))? {
                Some(Step::Event(event)) => {
                    scenario.tick_until(&mut next_tick, event.record.time());
                    scenario.steps.push(Step::Event(event));
                }
                Some(Step::Census(rows)) => {
                    let time = rows.first().map_or(Duration::ZERO, |row| row.time);
                    match scenario.steps.last_mut() {
                        Some(Step::Census(earlier))
                            if earlier.first().is_some_and(|row| row.time == time) =>
                        {
                            earlier.extend(rows);
                        }
                        _ => {
                            // A census precedes the tick of its time.
                            next_tick.get_or_insert(time + TICK);
                            let before = time.saturating_sub(Duration::from_nanos(1));
                            scenario.tick_until(&mut next_tick, before);
                            scenario.steps.push(Step::Census(rows));
                        }
                    }
                }
                step => scenario.steps.extend(step),
            }
        }
        Ok(scenario)
    }

    /// Adds the ticks that are due before an event at this time.
    fn tick_until(&mut self, next_tick: &mut Option<Duration>, time: Duration) {
        let mut tick = next_tick.unwrap_or(time + TICK);
        // Events of two sockets may be out of order by 1 s. A larger step back begins another stream.
        if time + 2 * TICK < tick {
            tick = time + TICK;
        }
        let silence = time.saturating_sub(tick).as_secs();
        tick += Duration::from_secs(silence.saturating_sub(MAX_TICKS - 1));
        while tick <= time {
            self.steps.push(Step::Tick(tick));
            tick += TICK;
        }
        *next_tick = Some(tick);
    }
}

/// Parses a line; `None` for one of another type.
fn parse(line: &str) -> Result<Option<Step>> {
    let line: Value = serde_json::from_str(line).map_err(|error| {
        // The parser's number of the line is always 1.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
        anyhow::anyhow!("column {}: {what}", error.column())
    })?;
    ensure!(line.is_object(), "expected an object");
    match line["type"].as_str() {
        Some("retransmit") => event(line).map(Some),
        Some("census") => Ok(Some(Step::Census(vec![CensusRow::deserialize(line)?]))),
        Some("gap") => {
            let lost = line["lost"].as_u64();
            let lost = lost.context("lost: expected a number from 0 to 18446744073709551615")?;
            Ok(Some(Step::Lost(lost)))
        }
        Some(_) => Ok(None),
        None => bail!("type: expected text such as \"retransmit\""),
    }
}

fn event(mut line: Value) -> Result<Step> {
    let has = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        line.pointer(&pointer).is_some_and(|value| !value.is_null())
    };
    for path in REQUIRED {
        let is_there = has(path) || (path == "state" && has("state_number"));
        ensure!(is_there, "{path} is missing");
    }
    let [has_time, has_kind, has_version] =
        ["record.boot_time_ns", "retransmit.kind", "ipversion"].map(has);
    let labels = match line["labels"].take() {
        Value::Null => Default::default(),
        labels => Deserialize::deserialize(labels).context("labels")?,
    };
    let mut record = Record::deserialize(line)?;
    if !has_time {
        let time = record.wall_time();
        record.set_time(time);
    }
    if !has_kind {
        let kind = record.classify();
        record.set_kind(kind);
    }
    if !has_version {
        let version = if record.is_ipv4() { 4 } else { 6 };
        record.set_ip_version(version);
    }
    Ok(Step::Event(Box::new(KeptEvent { record, labels })))
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;
    use retrans_event::synth::Synth;

    use super::*;
    use crate::Event;
    use crate::NoSettings;
    use crate::Output;
    use crate::Plugin;
    use crate::Verdict;

    const MINIMAL: &str = r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443}}"#;

    /// Prints the stream.
    struct Print;

    impl Plugin for Print {
        type Settings = NoSettings;

        fn new(_: NoSettings) -> Result<Self> {
            Ok(Print)
        }

        fn on_event(&mut self, event: &mut Event<'_>, out: &mut Output) -> Result<Verdict> {
            out.json(event)?;
            Ok(Verdict::Keep)
        }

        fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
            out.line(format_args!(r#"{{"type":"gap","lost":{events}}}"#));
            Ok(())
        }

        fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
            out.line(format_args!(r#"{{"type":"tick","now":{}}}"#, now.as_secs()));
            Ok(())
        }
    }

    fn printed(scenario: &Scenario) -> Vec<String> {
        scenario.run::<Print>().expect("it is sound").lines
    }

    fn error(text: &str) -> String {
        let error = Scenario::from_json_lines(text).expect_err(text);
        format!("{error:#}")
    }

    #[test]
    fn lines_of_events_with_labels_and_of_losses_read_back() {
        let mut records = Synth::new(1);
        let mut next = || records.next().expect("there is no end");
        let scenario = Scenario::new()
            .lost(2)
            .labelled_event(next(), [("zone", "eu"), ("host", "db")])
            .events([next(), next()])
            .lost(u64::MAX)
            .event(next())
            .lost(1);
        let lines = printed(&scenario);
        assert_eq!(lines.len(), 7);
        let read = Scenario::from_json_lines(&lines.join("\n")).expect("it was just written");
        assert_eq!(printed(&read), lines);
        let kept =
            [&scenario, &read].map(|scenario| scenario.run::<Print>().expect("it is sound").kept);
        assert_eq!(kept[0], kept[1]);
    }

    #[test]
    fn what_a_line_by_hand_lacks_follows_from_the_rest() {
        let text = format!("\u{feff}{MINIMAL}\r\n\n  \n{{\"type\":\"alert\",\"labels\":5}}");
        let kept = Scenario::from_json_lines(&text).expect("it is sound");
        let kept = kept.run::<Print>().expect("it is sound").kept;
        assert_eq!(kept.len(), 1);
        let record = &kept[0].record;
        assert_eq!(record.time(), Duration::from_secs(1_767_225_601));
        assert_eq!((record.ip_version(), record.kind()), (4, Kind::Unknown));
        let more = MINIMAL.replacen(
            '{',
            r#"{"record":{"boot_time_ns":5},"ipversion":6,"retransmit":{"kind":"fast"},"#,
            1,
        );
        let kept = Scenario::from_json_lines(&more).expect("it is sound");
        let kept = kept.run::<Print>().expect("it is sound").kept;
        let record = &kept[0].record;
        assert_eq!(record.time(), Duration::from_nanos(5));
        assert_eq!((record.ip_version(), record.kind()), (6, Kind::Fast));
    }

    #[test]
    fn every_second_between_events_has_a_tick() {
        let at = |second: u64| {
            let time = format!(
                r#"{{"record":{{"boot_time_ns":{}}},"#,
                second * 1_000_000_000
            );
            MINIMAL.replacen('{', &time, 1)
        };
        let ticks = |seconds: &[u64]| -> Vec<u64> {
            let lines: Vec<String> = seconds.iter().map(|second| at(*second)).collect();
            let read = Scenario::from_json_lines(&lines.join("\n")).expect("it is sound");
            let ticks = read.steps.iter().filter_map(|step| match step {
                Step::Tick(now) => Some(now.as_secs()),
                _ => None,
            });
            ticks.collect()
        };
        assert_eq!(ticks(&[100, 100, 101, 103, 102, 104]), [101, 102, 103, 104]);
        assert_eq!(ticks(&[100]), [0; 0]);
        let silence = ticks(&[100, 1_000_000]);
        assert_eq!((silence.len(), silence.last()), (3_600, Some(&1_000_000)));
        assert_eq!(ticks(&[100, 5, 6]), [6], "the next boot");
    }

    #[test]
    fn an_error_has_the_number_of_the_line_and_the_cause() {
        for (from, to, expected) in [
            (r#""type":"retransmit","#, "", "type: expected text such as"),
            (r#""timestamp""#, r#""time""#, "timestamp is missing"),
            (r#""state""#, r#""status""#, "state is missing"),
            (r#""ip":"10.0.0.1","#, "", "source.ip is missing"),
            (r#","port":443"#, "", "destination.port is missing"),
            ("443", "null", "destination.port is missing"),
            ("443", "65536", "for destination.port"),
            ("ESTABLISHED", "OPEN", "for state"),
            ("{", r#"{"labels":5,"#, "labels: invalid type"),
            ("{", r#"{"labels":{"zone":5},"#, "labels: invalid type"),
            ("{", "{{", "column 2: key must be a string"),
        ] {
            let error = error(&format!("{MINIMAL}\n\n{}", MINIMAL.replacen(from, to, 1)));
            assert!(error.starts_with("line 3: "), "{error}");
            assert!(error.contains(expected), "{expected} is not in {error}");
        }
        assert_eq!(error("5"), "line 1: expected an object");
        assert!(
            error(r#"{"type":"gap","lost":-1}"#).starts_with("line 1: lost: expected a number")
        );
        assert!(error(r#"{"type":"gap"}"#).starts_with("line 1: lost: expected a number"));
    }
}
