//! The C declaration of the record, from the BTF of the compiled probe, and its comparison with the table of fields in
//! `retrans-event`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use libbpf_rs::HasSize as _;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Enum;
use libbpf_rs::btf::types::MemberAttr;
use libbpf_rs::btf::types::Struct;
use retrans_event::FIELDS;
use retrans_event::PRESENCE_WORDS;
use retrans_event::RECORD_SIZE;

/// Members with the presence bits, in the order of [`PRESENCE_WORDS`].
pub const PRESENCE_MEMBERS: [&str; PRESENCE_WORDS.len()] = ["present", "present_high"];

/// A struct of the probe. It has no padding and no bit fields.
pub struct CStruct {
    /// Name and file, for errors.
    pub shown: String,
    /// Size in bytes.
    pub size: usize,
    /// Name and offset in bytes of each member.
    pub members: Vec<(String, usize)>,
}

impl CStruct {
    /// Reads the struct `name`, which `file` declares.
    pub fn read(btf: &Btf<'_>, name: &str, file: &str) -> Result<CStruct> {
        let found: Struct<'_> = btf
            .type_by_name(name)
            .with_context(|| format!("{file} declares no struct {name}"))?;
        let mut members = Vec::new();
        for member in found.iter() {
            let MemberAttr::Normal { offset } = member.attr else {
                bail!("{file}: {} is a bit field", text(member.name));
            };
            members.push((text(member.name), offset as usize / 8));
        }
        Ok(CStruct {
            shown: format!("struct {name} in {file}"),
            size: found.size(),
            members,
        })
    }

    /// The offset of a member.
    pub fn offset(&self, name: &str) -> Option<usize> {
        let member = self.members.iter().find(|(member, _)| member == name);
        member.map(|(_, offset)| *offset)
    }

    /// Size of a member in bytes: the distance to the next member. There is no padding: with padding, the sizes would
    /// differ from those in Rust.
    pub fn size_at(&self, offset: usize) -> usize {
        let next = self.members.iter().map(|(_, offset)| *offset);
        next.filter(|next| *next > offset)
            .min()
            .unwrap_or(self.size)
            - offset
    }

    /// Writes name, offset and size of each member as Rust code, for tests.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut code = String::from("&[\n");
        for (name, offset) in &self.members {
            writeln!(code, "    ({name:?}, {offset}, {}),", self.size_at(*offset))?;
        }
        code.push_str("]\n");
        fs::write(path, code).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Returns an error that names the field, if the declarations of the record in C and Rust differ.
pub fn compare(btf: &Btf<'_>, record: &CStruct) -> Result<()> {
    let bits = presence_bits(btf)?;
    for field in FIELDS {
        let name = field.name;
        let Some(offset) = record.offset(name) else {
            bail!("the field {name} of event/src/fields.rs is missing in bpf/event.h");
        };
        ensure!(
            offset == field.offset,
            "{name} is at byte {offset} in bpf/event.h and at {} in event/src/fields.rs",
            field.offset
        );
        let size = record.size_at(offset);
        ensure!(
            size == field.size,
            "{name} has {size} bytes in bpf/event.h and {} in event/src/fields.rs",
            field.size
        );
        let bit = bits.iter().find(|(bit, _)| bit == name);
        let position = bit.map(|(_, bit)| position(record, *bit)).transpose()?;
        ensure!(
            position == field.presence_bit,
            "the presence bit of {name} is {position:?} in bpf/event.h and {:?} in event/src/fields.rs",
            field.presence_bit
        );
    }
    for (member, start) in PRESENCE_MEMBERS.iter().zip(PRESENCE_WORDS) {
        ensure!(
            record.offset(member) == Some(start),
            "{member} is not at byte {start} in bpf/event.h, as in event/src/presence.rs"
        );
        ensure!(
            record.size_at(start) == 8,
            "{member} does not have 8 bytes in bpf/event.h"
        );
    }
    for (member, _) in &record.members {
        ensure!(
            PRESENCE_MEMBERS.contains(&member.as_str())
                || FIELDS.iter().any(|field| field.name == member),
            "the field {member} of bpf/event.h is missing in event/src/fields.rs"
        );
    }
    ensure!(
        record.size == RECORD_SIZE,
        "{} has {} bytes, RECORD_SIZE is {RECORD_SIZE}",
        record.shown,
        record.size
    );
    Ok(())
}

/// Field and number of each presence bit.
fn presence_bits(btf: &Btf<'_>) -> Result<Vec<(String, i64)>> {
    let has: Enum<'_> = btf
        .type_by_name("retrans_has")
        .context("bpf/event.h declares no enum retrans_has")?;
    let name = |name| text(name).trim_start_matches("HAS_").to_lowercase();
    Ok(has.iter().map(|bit| (name(bit.name), bit.value)).collect())
}

/// The position of a presence bit, counted in bits from the start of the record.
fn position(record: &CStruct, bit: i64) -> Result<u32> {
    let word = PRESENCE_MEMBERS.get(bit as usize / 64);
    let word =
        word.with_context(|| format!("bpf/event.h has no word for the presence bit {bit}"))?;
    let offset = record.offset(word);
    let offset = offset.with_context(|| format!("bpf/event.h has no member {word}"))?;
    Ok((8 * offset) as u32 + bit as u32 % 64)
}

fn text(name: Option<&OsStr>) -> String {
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
