//! The generated files of the JavaScript SDK: accessors of all fields with their types, the names of numbers, and a copy
//! of the contract, which the build of a project reads.

mod accessors;
mod types;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use retrans_event::Format;

use crate::fields::Enumeration;
use crate::fields::enumerations;

/// The first line of each generated file.
const HEADER: &str =
    "// Generated from the table of fields by `cargo run -p sdk-generator`. Do not edit.\n\n";

/// The files, each with its content. `sdk` is the directory `plugin-sdk`.
pub(crate) fn files(sdk: &Path) -> Result<Vec<(PathBuf, String)>> {
    let to = sdk.join("javascript/retrans");
    Ok(vec![
        (to.join("event.js"), accessors::event()),
        (to.join("event.d.ts"), types::event()),
        (to.join("fields.js"), accessors::fields()),
        (to.join("names.js"), names()),
        (to.join("names.d.ts"), types::names()),
        (
            to.join("plugin.wit"),
            fs::read_to_string(sdk.join("wit/plugin.wit"))?,
        ),
    ])
}

/// `owner_pid` as `ownerPid`.
fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_uppercase() + rest
    })
}

/// `TcpState` as `TCP_STATE`.
fn upper_case(camel: &str) -> String {
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The enumeration of a field, if its numbers have names.
fn enumeration(format: Format) -> Option<Enumeration> {
    enumerations().into_iter().find(|one| one.format == format)
}

/// A comment for documentation, in lines of at most 100 columns.
fn comment(indent: &str, text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && indent.len() + lines[last].len() + word.len() + 4 > 100 {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    match lines.as_slice() {
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let middle: String = lines
                .iter()
                .map(|line| format!("{indent} * {line}\n"))
                .collect();
            format!("{indent}/**\n{middle}{indent} */\n")
        }
    }
}

/// Numbers by name, and their names by number: `names.js`.
fn names() -> String {
    let mut text = HEADER.to_owned();
    for Enumeration {
        name, doc, values, ..
    } in enumerations()
    {
        text += &comment("", doc);
        text += &format!("export const {name} = Object.freeze({{\n");
        for (number, of_number) in values {
            text += &format!("  {of_number}: {number},\n");
        }
        text += "});\n\n";
    }
    text.truncate(text.len() - 1);
    text
}
