//! How a fleet does, as text for people: the stream, partitions, consumers and hosts.

use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use retrans_fleet::status::AgentState;
use retrans_fleet::status::FleetStatus;
use retrans_fleet::status::StreamStatus;
use serde_json::Value;

use crate::stats::percent::Percent;
use crate::system::sanitize::clean;

/// A host that has said nothing for this time is said to be silent: hosts report every 10 s.
const SILENT: u64 = 30;

/// The text.
pub fn text(status: &FleetStatus) -> String {
    let mut text = String::new();
    let _ = stream(&mut text, status.now, &status.stream);
    let _ = partitions(&mut text, status);
    let _ = hosts(&mut text, &status.agents);
    text
}

fn stream(text: &mut String, now: u64, stream: &StreamStatus) -> std::fmt::Result {
    let limit = stream
        .max_bytes
        .map(|bytes| format!(" of {}", ByteSize(bytes)));
    writeln!(
        text,
        "stream      {} messages, {}{}, {} {}",
        stream.messages,
        ByteSize(stream.bytes),
        limit.unwrap_or_default(),
        stream.replicas,
        plural(stream.replicas, "copy", "copies"),
    )?;
    if let Some(first) = stream.first {
        let age = span(now.saturating_sub(first));
        let kept = stream.max_age.map(|age| format!(" of {}", span(age)));
        writeln!(text, "oldest      {age}{}", kept.unwrap_or_default())?;
    }
    Ok(())
}

fn partitions(text: &mut String, status: &FleetStatus) -> std::fmt::Result {
    let partitions = &status.partitions;
    let without: Vec<String> = partitions
        .iter()
        .filter(|partition| partition.owner.is_none())
        .map(|partition| partition.partition.to_string())
        .collect();
    let lag: u64 = partitions.iter().map(|partition| partition.lag).sum();
    writeln!(
        text,
        "partitions  {}, {lag} messages after their states",
        partitions.len()
    )?;
    if !without.is_empty() {
        writeln!(
            text,
            "            without a consumer: {}",
            without.join(", ")
        )?;
    }
    writeln!(
        text,
        "\nCONSUMER                  PARTITIONS       LAG  SINCE"
    )?;
    for consumer in &status.consumers {
        let of_it = partitions
            .iter()
            .filter(|partition| consumer.partitions.contains(&partition.partition));
        let lag: u64 = of_it.map(|partition| partition.lag).sum();
        writeln!(
            text,
            "{:<24}  {:>10}  {lag:>8}  {}",
            clean(&consumer.name),
            consumer.partitions.len(),
            span(status.now.saturating_sub(consumer.since)),
        )?;
    }
    Ok(())
}

fn hosts(text: &mut String, agents: &[AgentState]) -> std::fmt::Result {
    writeln!(
        text,
        "\nHOST                      VERSION    PUBLISHED    SPOOLED    DROPPED       LOST  COVERAGE  SEEN"
    )?;
    for agent in agents {
        let number = |path: &str| agent.report.pointer(path).and_then(Value::as_u64);
        let shown = |path: &str| number(path).map_or("?".to_owned(), |number| number.to_string());
        let version = agent
            .report
            .pointer("/about/version")
            .and_then(Value::as_str);
        let coverage = agent.coverage.map_or("?".to_owned(), |coverage| {
            Percent(coverage.covered, coverage.all).to_string()
        });
        let has_ended = agent.report.pointer("/has_ended") == Some(&Value::Bool(true));
        let seen = match (has_ended, agent.age) {
            (true, age) => format!("{} ago, has ended", span(age)),
            (false, age) if age > SILENT => format!("{} ago, SILENT", span(age)),
            (false, age) => format!("{} ago", span(age)),
        };
        writeln!(
            text,
            "{:<24}  {:<7}  {:>11}  {:>9}  {:>9}  {:>9}  {coverage:>8}  {seen}",
            clean(&agent.host),
            clean(version.unwrap_or("?")),
            shown("/counts/acknowledged/events"),
            shown("/counts/queued/events"),
            shown("/counts/dropped/events"),
            shown("/about/lost"),
        )?;
    }
    Ok(())
}

fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    match count {
        1 => one,
        _ => many,
    }
}

/// A time in its two largest units.
fn span(seconds: u64) -> String {
    let time = Duration::from_secs(seconds).as_secs();
    match time {
        0..60 => format!("{time} s"),
        60..3_600 => format!("{} min {} s", time / 60, time % 60),
        3_600..86_400 => format!("{} h {} min", time / 3_600, time % 3_600 / 60),
        _ => format!("{} d {} h", time / 86_400, time % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use retrans_fleet::partition::Partition;
    use retrans_fleet::status::ConsumerState;
    use retrans_fleet::status::Coverage;
    use retrans_fleet::status::Owner;
    use retrans_fleet::status::PartitionState;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_attention_is_said() {
        let partition = |number, owner: Option<&str>, lag| PartitionState {
            partition: Partition(number),
            owner: owner.map(|name| Owner {
                id: "1".to_owned(),
                name: name.to_owned(),
                since: 5,
            }),
            snapshot: None,
            lag,
        };
        let status = FleetStatus {
            now: 100_000,
            stream: StreamStatus {
                messages: 7,
                bytes: 2_048,
                first_sequence: 1,
                last_sequence: 7,
                first: Some(96_000),
                last: Some(99_999),
                max_bytes: Some(1 << 30),
                max_age: Some(86_400),
                replicas: 1,
            },
            partitions: vec![partition(0, Some("one"), 3), partition(1, None, 4)],
            consumers: vec![ConsumerState {
                id: "1".to_owned(),
                name: "one".to_owned(),
                since: 99_940,
                partitions: vec![Partition(0)],
            }],
            agents: vec![AgentState {
                host: "web-1\u{1b}[2J".to_owned(),
                age: 31,
                coverage: Some(Coverage {
                    covered: 11,
                    all: 13,
                }),
                report: json!({
                    "counts": {"acknowledged": {"events": 5}, "queued": {"events": 6}, "dropped": {"events": 0}},
                    "about": {"version": "0.1.0", "lost": 2}
                }),
            }],
        };
        let text = text(&status);
        for expected in [
            "stream      7 messages, 2.0 KiB of 1.0 GiB, 1 copy",
            "oldest      1 h 6 min of 1 d 0 h",
            "partitions  2, 7 messages after their states",
            "without a consumer: 1",
            "one                                1         3  1 min 0 s",
            "2    84.61%  31 s ago, SILENT",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
