//! `plugin explain`: what each plugin of a chain did with each event.
//!
//! The chain runs with its first plugin, with its first two, and so on, on the code path of a run and one event at a
//! time. What a run has done beyond the run before it is what its last plugin did.

use std::fmt::Write as _;

use anyhow::Result;
use retrans_event::Event;
use serde_json::Value;
use serde_json::json;

use super::super::engine;
use super::super::print_result;
use super::trial::Logs;
use super::trial::Recorded;
use super::trial::Sent;
use super::trial::Trial;
use crate::config::PluginExplain;
use crate::system::timestamp;

/// Explains a chain, for people or as JSON.
pub fn explain(config: &PluginExplain) -> Result<()> {
    let engine = engine()?;
    let recorded = Recorded::read(&config.events, config.count)?;
    let run = |plugins, logs| recorded.pass_through(&engine, &config.plugins[..plugins], 1, logs);
    let all = config.plugins.len();
    let trials = (1..all).map(|plugins| run(plugins, Logs::Hidden));
    let trials = trials.chain([run(all, Logs::Shown)]);
    let trials = trials.collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = config
        .plugins
        .iter()
        .map(|plugin| plugin.name.as_str())
        .collect();
    let mut text = String::new();
    let mut events = (1..).zip(recorded.events());
    for (index, sent) in recorded.sent().enumerate() {
        let plugins = plugins_at(index, &names, &trials);
        let (number, event) = match sent {
            Sent::Event => match events.next() {
                Some((number, event)) => (Some(number), Some(event)),
                None => break,
            },
            Sent::Census => continue,
            Sent::Mark(_) | Sent::End if plugins.is_empty() => continue,
            Sent::Mark(_) | Sent::End => (None, None),
        };
        let step = match (sent, number) {
            (Sent::Mark(time), _) => {
                json!({ "tick": timestamp::show(time, 3), "plugins": plugins })
            }
            (Sent::End | Sent::Census, _) => json!({ "end": true, "plugins": plugins }),
            (Sent::Event, number) => json!({ "event": number, "plugins": plugins }),
        };
        match config.json {
            true => writeln!(text, "{step}")?,
            false => write_step(&mut text, &step, event)?,
        }
    }
    print_result(&text)
}

/// What each plugin did at an item: an object for each that did anything, and for each that saw an event.
fn plugins_at(index: usize, names: &[&str], trials: &[Trial<'_>]) -> Vec<Value> {
    let mut plugins = Vec::new();
    let mut before = None;
    for (name, trial) in names.iter().zip(trials) {
        let Some(did) = trial.did_beyond(before, index) else {
            break;
        };
        before = Some(trial);
        if did.as_object().is_some_and(|did| did.is_empty()) {
            continue;
        }
        let mut plugin = json!({ "plugin": name });
        for (key, value) in did.as_object().into_iter().flatten() {
            plugin[key] = value.clone();
        }
        plugins.push(plugin);
    }
    plugins
}

fn write_step(text: &mut String, step: &Value, event: Option<&Event>) -> std::fmt::Result {
    match (event, &step["tick"]) {
        (Some(event), _) => {
            let kind = event.kind().name().unwrap_or("unknown");
            let time = timestamp::show(event.wall_time(), 3);
            let (local, peer) = (event.local(), event.peer());
            writeln!(
                text,
                "event {} {time} {local} > {peer} {kind}",
                step["event"]
            )?;
        }
        (None, Value::String(time)) => writeln!(text, "tick {time}")?,
        (None, _) => writeln!(text, "end of the stream")?,
    }
    for plugin in step["plugins"].as_array().into_iter().flatten() {
        let mut said: Vec<String> = Vec::new();
        if let Some(kept) = plugin["kept"].as_bool() {
            said.push(if kept { "kept" } else { "dropped" }.to_owned());
        }
        for (path, values) in plugin["changed"].as_object().into_iter().flatten() {
            said.push(format!("{path} {} -> {}", values[0], values[1]));
        }
        for (key, value) in plugin["labels"].as_object().into_iter().flatten() {
            said.push(format!(
                "label {key}={}",
                value.as_str().unwrap_or_default()
            ));
        }
        for alert in plugin["alerts"].as_array().into_iter().flatten() {
            let part = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
            said.push(format!(
                "alert {} {}: {}",
                part("name"),
                part("state"),
                part("summary")
            ));
        }
        writeln!(
            text,
            "  {:<16} {}",
            plugin["plugin"].as_str().unwrap_or_default(),
            said.join(", ")
        )?;
        for line in plugin["lines"].as_array().into_iter().flatten() {
            writeln!(text, "    | {}", line.as_str().unwrap_or_default())?;
        }
    }
    Ok(())
}
