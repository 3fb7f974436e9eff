//! `docs/plugins.md` agrees with the schemas of the bundled plugins. `UPDATE_DOCS=1 cargo test --workspace --test cli
//! plugin_docs` writes it anew.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use retrans_host::plugin::Origin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::bundled;
use retrans_host::plugin::description::Description;
use retrans_host::plugin::spec::schema::Setting;
use serde_json::Value;

use crate::common::chain::engine;

const BEGIN: &str = "\
# Bundled plugins

<!-- Generated from the schemas of the plugins: see tests/cli/plugin_docs.rs -->

These plugins are in the host: `--plugin NAME` runs one. `retrans-host plugin describe NAME` prints what is here, for any
plugin. [operating.md](operating.md#plugins) describes how plugins are given settings, limits and grants, and
[writing-plugins.md](writing-plugins.md) how one is written.

";

/// A command line for a plugin.
fn example(name: &str) -> &'static str {
    match name {
        "json-print" => {
            "retrans-host replay lossy.rtc --plugin json-print --set fields=timestamp,destination"
        }
        "table-print" => {
            "sudo retrans-host --plugin table-print --set columns=time,comm,peer,kind,tcp.mss,netns.inode"
        }
        "threshold-alert" => {
            "sudo retrans-host --plugin threshold-alert --set threshold=50 --set window=30s"
        }
        "flow-summary" => "retrans-host replay lossy.rtc --plugin flow-summary",
        "label-networks" => {
            "sudo retrans-host --plugin label-networks --set file=/etc/retrans-host/networks \\\n  \
             --allow read=/etc/retrans-host --plugin json-print"
        }
        "ratio-alert" => {
            "sudo retrans-host --census 10s --plugin ratio-alert --set percent=2 --set critical=10"
        }
        "sample" => "sudo retrans-host --plugin sample --plugin json-print",
        other => panic!("{other} needs an example here"),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let items = items
                .iter()
                .map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
            format!("`{}`", items.collect::<Vec<_>>().join(","))
        }
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "`yes`".to_owned(),
        Value::Bool(false) => "`no`".to_owned(),
        other => format!("`{other}`"),
    }
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
        .replace('<', "\\<")
}

fn settings(text: &mut String, settings: &[Setting]) -> std::fmt::Result {
    writeln!(
        text,
        "| setting | takes | default | meaning |\n| --- | --- | --- | --- |"
    )?;
    for setting in settings {
        let default = match (&setting.default, setting.required) {
            (Some(default), _) => value(default),
            (None, true) => "required".to_owned(),
            (None, false) => "–".to_owned(),
        };
        let Setting {
            key,
            takes,
            description,
            ..
        } = setting;
        writeln!(
            text,
            "| `{key}` | {} | {} | {} |",
            cell(&takes.to_string()),
            cell(&default),
            cell(description)
        )?;
    }
    for setting in settings.iter().filter(|setting| !setting.words.is_empty()) {
        writeln!(
            text,
            "\n| word of `{}` | meaning |\n| --- | --- |",
            setting.key
        )?;
        for word in &setting.words {
            writeln!(text, "| `{}` | {} |", word.word, cell(&word.description))?;
        }
    }
    Ok(())
}

fn section(text: &mut String, name: &'static str) -> std::fmt::Result {
    let spec = Spec::new(name, Origin::Bundled(name));
    let plugin = Description::of(engine(), &spec).unwrap_or_else(|error| panic!("{error}"));
    writeln!(text, "## {name}\n\n{}\n", plugin.summary)?;
    writeln!(text, "```sh\n{}\n```\n", example(name))?;
    let state = match plugin.exports.state {
        true => "survives faults and new versions.",
        false => "none.",
    };
    let reads = plugin
        .settings
        .iter()
        .any(|setting| setting.description.contains("--allow read=DIR"));
    let grants = match reads {
        true => "`--allow read=DIR` for the directory of its file.",
        false => "it needs none.",
    };
    writeln!(text, "- State: {state}\n- Grants: {grants}\n")?;
    match plugin.settings.is_empty() {
        true => writeln!(text, "It has no settings."),
        false => settings(text, &plugin.settings),
    }?;
    writeln!(text)
}

#[test]
fn the_document_of_the_bundled_plugins_is_up_to_date() {
    let mut new = BEGIN.to_owned();
    for name in bundled::NAMES {
        section(&mut new, name).expect("memory takes it");
    }
    let new = format!("{}\n", new.trim_end());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plugins.md");
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, new).expect("it can be written");
        return;
    }
    let old = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        old == new,
        "docs/plugins.md is stale; run: UPDATE_DOCS=1 cargo test --workspace --test cli plugin_docs"
    );
}
