//! The types of the generated files, for editors and for TypeScript.

use retrans_event::Format;

use super::HEADER;
use super::camel_case;
use super::comment;
use super::enumeration;
use crate::fields::Described;
use crate::fields::Enumeration;
use crate::fields::all;
use crate::fields::enumerations;

/// The types of a field when it is read, and when it is set.
fn types(described: &Described) -> (String, String) {
    if let Some(named) = enumeration(described.field.format) {
        let name = format!("{}Name", named.name);
        return (name.clone(), name);
    }
    let (read, set) = match described.field.format {
        Format::U64 | Format::BootTime | Format::WallTime => ("bigint", "bigint"),
        Format::Micros => ("bigint", "bigint"),
        Format::Address => ("IpAddress", "IpAddress | string"),
        Format::Text => ("string", "string"),
        Format::Bool => ("boolean", "boolean"),
        _ => ("number", "number"),
    };
    (read.to_owned(), set.to_owned())
}

/// What the value of an accessor is, beyond the field's own documentation.
fn unit(format: Format) -> &'static str {
    match format {
        Format::BootTime | Format::WallTime | Format::Micros => " In nanoseconds.",
        _ => "",
    }
}

fn property(name: &str, described: &Described, doc: &str, types: (&str, &str)) -> String {
    let absent = match described.field.presence_bit {
        Some(_) => " | undefined",
        None => "",
    };
    let (read, set) = types;
    let doc = comment("  ", doc);
    match (described.is_of_host, read == set) {
        (true, _) => format!("{doc}  readonly {name}: {read}{absent};\n"),
        (false, true) => format!("{doc}  {name}: {read}{absent};\n"),
        (false, false) => {
            format!("{doc}  get {name}(): {read}{absent};\n  set {name}(value: {set}{absent});\n")
        }
    }
}

pub(super) fn event() -> String {
    let (mut properties, mut values) = (String::new(), String::new());
    for described in all() {
        let name = camel_case(described.accessor);
        let field = described.field;
        let (read, set) = types(&described);
        let doc = format!(
            "{}{} Source: {}; Linux {}.",
            field.doc,
            unit(field.format),
            field.source,
            field.since
        );
        properties += &property(&name, &described, &doc, (&read, &set));
        let value = match field.format {
            Format::Micros | Format::BootTime | Format::WallTime => format!("{set} | string"),
            _ => set,
        };
        values += &format!("  {name}?: {value};\n");
        if let Some(named) = enumeration(field.format) {
            let name = format!("{name}Number");
            let doc = format!("The number of `{}`.", camel_case(described.accessor));
            properties += &property(&name, &described, &doc, ("number", "number"));
            values += &format!("  {name}?: number;\n");
            let _ = named;
        }
    }
    let imported: Vec<_> = enumerations()
        .iter()
        .map(|one| format!("{}Name", one.name))
        .collect();
    format!(
        "{HEADER}\
import type {{ IpAddress }} from \"./ip.js\";
import type {{
  {},
}} from \"./names.js\";

/** The fields of an event. A field that is unknown is `undefined`. Set it to `undefined` to make it so. */
export interface Fields {{
{properties}}}

/** Values of fields, by which a test makes an event. Times and durations may be text, such as \"3s\". */
export interface FieldValues {{
{values}}}
",
        imported.join(",\n  ")
    )
}

pub(super) fn names() -> String {
    let mut text = HEADER.to_owned();
    for Enumeration {
        name,
        doc,
        values,
        other,
        format,
    } in enumerations()
    {
        text += &comment("", &format!("{doc} Numbers by name."));
        text += &format!("export declare const {name}: {{\n");
        for (number, of_number) in &values {
            text += &format!("  readonly {of_number}: {number};\n");
        }
        text += "};\n\n";
        if format == Format::TcpFlags {
            text += "/** Names of flags, joined by `|`: `PSH|ACK`. */\nexport type TcpFlagsName = string;\n\n";
            continue;
        }
        text += &comment(
            "",
            &format!("{doc} A name, or `{other}` for a number without one."),
        );
        text += &format!(
            "export type {name}Name = keyof typeof {name} | `{}`;\n\n",
            other.replace('N', "${number}")
        );
    }
    text.truncate(text.len() - 1);
    text
}
