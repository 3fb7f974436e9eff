//! `event.js`, the class of events, and `fields.js`, the table for setting a field.

use retrans_event::Format;
use retrans_event::RECORD_SIZE;

use super::HEADER;
use super::camel_case;
use super::enumeration;
use super::upper_case;
use crate::fields::Described;
use crate::fields::all;

/// What reads a field that is present.
fn read(described: &Described) -> String {
    let offset = described.field.offset;
    let number = match described.field.size {
        1 => format!("u8[at + {offset}]"),
        2 => format!("u16[(at + {offset}) >> 1]"),
        4 => format!("i32[(at + {offset}) >> 2] >>> 0"),
        _ => format!("u64[(at + {offset}) >> 3]"),
    };
    match described.field.format {
        Format::Micros => format!("BigInt({number}) * 1000n"),
        Format::Bool => format!("{number} !== 0"),
        Format::Address => format!("addressAt({offset})"),
        Format::Text => format!("textAt({offset})"),
        Format::SendError => number.replace(" >>> 0", ""),
        _ => number,
    }
}

/// A getter, with the check whether the field is present.
fn getter(name: &str, described: &Described, value: &str) -> String {
    let value = match described.field.presence_bit {
        None => value.to_owned(),
        Some(bit) => {
            let (byte, mask) = (bit / 8, 1 << (bit % 8));
            format!("u8[at + {byte}] & {mask} ? {value} : undefined")
        }
    };
    format!("  get {name}() {{\n    return {value};\n  }}\n")
}

fn setter(name: &str, described: &Described) -> String {
    match described.is_of_host {
        true => String::new(),
        false => format!("  set {name}(value) {{\n    change(FIELDS.{name}, value);\n  }}\n"),
    }
}

pub(super) fn event() -> String {
    let mut class = String::new();
    let mut codes = Vec::new();
    for described in all() {
        let name = camel_case(described.accessor);
        let number = read(&described);
        class.push('\n');
        let Some(named) = enumeration(described.field.format) else {
            class += &getter(&name, &described, &number);
            class += &setter(&name, &described);
            continue;
        };
        let code = format!("{}_NAMES", upper_case(named.name));
        let value = match described.field.format {
            Format::TcpFlags => format!("flagsName({code}, {number})"),
            _ => format!(
                "nameOf({code}, {number}, \"{}\")",
                named.other.trim_end_matches("(N)")
            ),
        };
        class += &getter(&name, &described, &value);
        class += &setter(&name, &described);
        let name = format!("{name}Number");
        class += &getter(&name, &described, &number);
        class += &setter(&name, &described);
        codes.push((code, named.name));
    }
    codes.dedup();
    let imported: Vec<_> = codes.iter().map(|(_, name)| *name).collect();
    let tables: String = codes
        .iter()
        .map(|(code, name)| format!("const {code} = namesOf({name});\n"))
        .collect();
    format!(
        "{HEADER}\
import {{ addressAt, at, change, flagsName, i32, nameOf, namesOf, textAt, u16, u64, u8 }} from \"./cursor.js\";
import {{ BaseEvent }} from \"./base_event.js\";
import {{ FIELDS }} from \"./fields.js\";
import {{ {} }} from \"./names.js\";

{tables}
/** The event at the cursor. Its accessors read the bytes of the record each time. */
export class Event extends BaseEvent {{{}}}
",
        imported.join(", "),
        class,
    )
}

pub(super) fn fields() -> String {
    let mut table = String::new();
    for described in all() {
        let field = described.field;
        let bit = field
            .presence_bit
            .map_or("undefined".to_owned(), |bit| bit.to_string());
        let mut row = |name: &str, names: &str| {
            table += &format!(
                "  {name}: field(\"{name}\", {}, {}, \"{}\", {bit}{names}),\n",
                field.offset,
                field.size,
                field.format.name(),
            );
        };
        let name = camel_case(described.accessor);
        match enumeration(field.format) {
            None => row(&name, ""),
            Some(named) => {
                row(&name, &format!(", names.{}", named.name));
                row(&format!("{name}Number"), "");
            }
        }
    }
    format!(
        "{HEADER}\
import * as names from \"./names.js\";

/** Size in bytes of the records that this SDK knows. Records of later hosts are longer. */
export const RECORD_SIZE = {RECORD_SIZE};

function field(name, offset, size, format, bit, names) {{
  return Object.freeze({{ name, offset, size, format, bit, names }});
}}

/**
 * Where each field is, by the name of its accessor. `bit` is the position of the presence bit from the start of the
 * record; every record has a field without one. A field with `names` is set by name, its sibling by number.
 */
export const FIELDS = Object.freeze({{
{table}}});
"
    )
}
