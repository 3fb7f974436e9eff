//! The generated files of the Python SDK: accessors of all fields, the enumerations, and a copy of the contract.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use retrans_event::Format;
use retrans_event::RECORD_SIZE;

use crate::fields;
use crate::fields::Described;
use crate::fields::Enumeration;

/// Columns of a line.
const WIDTH: usize = 120;

/// The files, in `python/retrans`.
pub(crate) fn files(sdk: &Path) -> Result<Vec<(PathBuf, String)>> {
    let to = sdk.join("python/retrans");
    let whole = fs::read_to_string(sdk.join("wit/plugin.wit")).context("wit/plugin.wit")?;
    Ok(vec![
        (to.join("_fields.py"), accessors()?),
        (to.join("enums.py"), enumerations()?),
        (to.join("plugin.wit"), contract(&whole)?),
    ])
}

/// What the SDK has no use for. componentize-py imports every function of the contract: the host would make a census
/// for each plugin, and a host that lacks the latest function would run none.
const UNUSED: &[&str] = &[
    "record field {",
    "record number-name {",
    "layout: func(",
    "names: func(",
    "census-layout: func(",
    "census: func(",
];

/// The contract without what the SDK has no use for.
fn contract(whole: &str) -> Result<String> {
    let mut text =
        "// The functions of plugin-sdk/wit that the SDK uses, copied by plugin-sdk/generator: do not change it.\n"
            .to_owned();
    let mut lines = whole.lines();
    // The lines of documentation of what follows.
    let mut documentation = Vec::new();
    let mut found = 0;
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        if item.starts_with("///") {
            documentation.push(line);
        } else if UNUSED.iter().any(|unused| item.starts_with(unused)) {
            found += 1;
            documentation.clear();
            if item.ends_with('{') {
                lines.find(|line| line.trim() == "}");
            }
            // The empty line that follows.
            lines.next();
        } else {
            for line in documentation.drain(..).chain([line]) {
                writeln!(text, "{line}")?;
            }
        }
    }
    ensure!(
        found == UNUSED.len(),
        "the contract has {found} of {} items that the SDK has no use for",
        UNUSED.len()
    );
    Ok(text)
}

/// How a field's bytes are read and written.
struct Codec {
    /// The type of the value.
    value: String,
    /// Reads the bytes of `data` from `at` on.
    read: String,
    /// The function that makes the bytes.
    write: &'static str,
    /// What follows the documentation.
    unit: &'static str,
}

impl Codec {
    fn of(described: &Described) -> Result<Codec> {
        let at = format!("at + {}", described.field.offset);
        let end = format!("at + {}", described.field.offset + described.field.size);
        let number = |write, read: String| Codec {
            value: "int".to_owned(),
            read,
            write,
            unit: "",
        };
        let named = |write, read: String| -> Result<Codec> {
            let all = fields::enumerations();
            let of_field = |one: &&Enumeration| one.format == described.field.format;
            let found = all.iter().find(of_field);
            let name = found.context("a format of numbers without names")?.name;
            Ok(Codec {
                value: name.to_owned(),
                read: format!("{}[{read}]", lookup(name)),
                write,
                unit: "",
            })
        };
        let nanoseconds = |codec: Codec| Codec {
            unit: " In nanoseconds.",
            ..codec
        };
        Ok(match described.field.format {
            Format::U8 => number("put_u8", format!("data[{at}]")),
            Format::U16 => number("put_u16", format!("u16(data, {at})[0]")),
            Format::U32 => number("put_u32", format!("u32(data, {at})[0]")),
            Format::U64 => number("put_u64", format!("u64(data, {at})[0]")),
            Format::BootTime | Format::WallTime => {
                nanoseconds(number("put_u64", format!("u64(data, {at})[0]")))
            }
            Format::Micros => {
                nanoseconds(number("put_micros", format!("u32(data, {at})[0] * 1_000")))
            }
            Format::Address => Codec {
                value: "IPAddress".to_owned(),
                read: format!("ADDRESSES[data[{at} : {end}]]"),
                write: "put_address",
                unit: "",
            },
            Format::Text => Codec {
                value: "str".to_owned(),
                read: format!("TEXTS[data[{at} : {end}]]"),
                write: "put_text",
                unit: "",
            },
            Format::Bool => Codec {
                value: "bool".to_owned(),
                read: format!("data[{at}] != 0"),
                write: "put_bool",
                unit: "",
            },
            Format::SendError => named("put_i32", format!("i32(data, {at})[0]"))?,
            Format::TcpFlags => named("put_u16", format!("u16(data, {at})[0]"))?,
            _ => named("put_u8", format!("data[{at}]"))?,
        })
    }
}

/// The name of the constant with an enumeration's members by number: `_TCP_STATE` of `TcpState`.
fn lookup(name: &str) -> String {
    let mut constant = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}

fn accessors() -> Result<String> {
    let mut names: Vec<&str> = fields::enumerations().iter().map(|one| one.name).collect();
    names.sort_unstable();
    let mut text = format!(
        "\"\"\"The fields of a record. Generated by plugin-sdk/generator: do not change it.\"\"\"

from __future__ import annotations

from ._codec import (
    ADDRESSES,
    TEXTS,
    IPAddress,
    i32,
    put_address,
    put_bool,
    put_i32,
    put_micros,
    put_text,
    put_u8,
    put_u16,
    put_u32,
    put_u64,
    u16,
    u32,
    u64,
)
from ._numbers import ByNumber
from ._record import RecordBytes
from .enums import {}

# Bytes of a record of this version.
RECORD_SIZE = {RECORD_SIZE}

",
        names.join(", ")
    );
    for name in names {
        writeln!(text, "{} = ByNumber({name})", lookup(name))?;
    }
    text.push_str(
        "
# Accessor, offset, size, and position of the presence bit: None where every record has the field.
FIELDS: tuple[tuple[str, int, int, int | None], ...] = (
",
    );
    for described in fields::all() {
        let (accessor, field) = (described.accessor, described.field);
        let bit = match field.presence_bit {
            Some(position) => position.to_string(),
            None => "None".to_owned(),
        };
        writeln!(
            text,
            "    (\"{accessor}\", {}, {}, {bit}),",
            field.offset, field.size
        )?;
    }
    text.push_str(
        ")


class Fields(RecordBytes):
    \"\"\"Accessors of the fields. The bytes are read when a field is.\"\"\"

    __slots__ = ()
",
    );
    for described in fields::all() {
        accessor(&mut text, &described)?;
    }
    Ok(text)
}

/// A property, and its setter where plugins may change the field.
fn accessor(text: &mut String, described: &Described) -> Result<()> {
    let (name, field) = (described.accessor, described.field);
    let codec = Codec::of(described)?;
    let value = &codec.value;
    let absent = if field.presence_bit.is_some() {
        " | None"
    } else {
        ""
    };
    writeln!(text, "\n    @property")?;
    writeln!(text, "    def {name}(self) -> {value}{absent}:")?;
    documentation(text, &format!("{}{}", field.doc, codec.unit))?;
    let Some(position) = field.presence_bit else {
        let read = match codec.read.matches("at + ").count() {
            1 => codec.read.replace("at + ", "self._at + "),
            _ => {
                writeln!(text, "        at = self._at")?;
                codec.read
            }
        };
        writeln!(
            text,
            "        return {}",
            read.replace("data", "self._data")
        )?;
        if !described.is_of_host {
            setter(text, name, value)?;
            let (offset, write) = (field.offset, codec.write);
            writeln!(text, "        self._set_core({offset}, {write}(value))")?;
        }
        return Ok(());
    };
    let (byte, mask) = (position / 8, 1 << (position % 8));
    let read = &codec.read;
    writeln!(text, "        data = self._data")?;
    writeln!(text, "        at = self._at")?;
    writeln!(
        text,
        "        return {read} if data[at + {byte}] & 0x{mask:02x} else None"
    )?;
    setter(text, name, &format!("{value}{absent}"))?;
    writeln!(
        text,
        "        self._set_optional({}, {}, {byte}, 0x{mask:02x}, None if value is None else {}(value))",
        field.offset, field.size, codec.write
    )?;
    Ok(())
}

fn setter(text: &mut String, name: &str, value: &str) -> Result<()> {
    writeln!(text, "\n    @{name}.setter")?;
    writeln!(text, "    def {name}(self, value: {value}) -> None:")?;
    Ok(())
}

/// A string of documentation of a method, wrapped.
fn documentation(text: &mut String, doc: &str) -> Result<()> {
    const INDENT: &str = "        ";
    const QUOTES: usize = 3;
    let whole = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    if INDENT.len() + 2 * QUOTES + whole.len() <= WIDTH {
        writeln!(text, "{INDENT}\"\"\"{whole}\"\"\"")?;
        return Ok(());
    }
    let mut line = format!("{INDENT}\"\"\"");
    let mut is_first = true;
    for word in whole.split(' ') {
        if !is_first && line.len() + 1 + word.len() > WIDTH {
            writeln!(text, "{line}")?;
            line = format!("{INDENT}{word}");
        } else {
            line.push_str(if is_first { "" } else { " " });
            line.push_str(word);
        }
        is_first = false;
    }
    writeln!(text, "{line}\n{INDENT}\"\"\"")?;
    Ok(())
}

fn enumerations() -> Result<String> {
    let mut text = "\"\"\"The enumerations of the record. Generated by plugin-sdk/generator: do not change it.\"\"\"

from __future__ import annotations

from ._numbers import Error, Flags, Number
"
    .to_owned();
    for enumeration in fields::enumerations() {
        let (name, doc) = (enumeration.name, enumeration.doc);
        let base = match enumeration.other {
            "" => "Flags",
            "error(N)" => "Error",
            _ => "Number",
        };
        writeln!(text, "\n\nclass {name}({base}):")?;
        writeln!(text, "    \"\"\"{doc}\"\"\"\n")?;
        for (number, value) in &enumeration.values {
            let member = value.to_ascii_uppercase();
            match enumeration.format {
                Format::TcpFlags => writeln!(text, "    {member} = 0x{number:03x}")?,
                _ => writeln!(text, "    {member} = {number}, \"{value}\"")?,
            }
        }
    }
    Ok(text)
}
