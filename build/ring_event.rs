//! Makes the copies from what the ring carries to the record, from the names in C and the table of fields.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use retrans_event::FIELDS;
use retrans_event::PRESENCE_WORDS;

use crate::layout::CStruct;
use crate::layout::PRESENCE_MEMBERS;

/// The member that fills the struct up.
const UNUSED: &str = "unused";

/// Bytes that are copied from the ring to the record.
struct Copied {
    from: usize,
    to: usize,
    length: usize,
}

/// Writes the function that copies, as Rust code. Returns an error if the ring has not just those fields that the
/// kernel knows.
pub fn write(ring: &CStruct, path: &Path) -> Result<()> {
    let mut code = format!(
        "/// Size of `struct retrans_ring_event` in bytes.\n\
         pub const RING_EVENT_SIZE: usize = {};\n\n\
         /// Copies the fields of the kernel to their places in the record.\n\
         #[inline]\n\
         fn copy(ring: &[u8; RING_EVENT_SIZE], record: &mut [u8; RECORD_SIZE]) {{\n",
        ring.size
    );
    for Copied { from, to, length } in merged(copies(ring)?) {
        let (from_end, to_end) = (from + length, to + length);
        writeln!(
            code,
            "    record[{to}..{to_end}].copy_from_slice(&ring[{from}..{from_end}]);"
        )?;
    }
    code.push_str("}\n");
    fs::write(path, code).with_context(|| format!("cannot write {}", path.display()))
}

fn copies(ring: &CStruct) -> Result<Vec<Copied>> {
    let mut copies = Vec::new();
    let mut copy = |from: usize, to: usize, length: usize, name: &str| {
        let size = ring.size_at(from);
        ensure!(
            size == length,
            "{name} has {size} bytes in {} and {length} in the record",
            ring.shown
        );
        copies.push(Copied { from, to, length });
        Ok(())
    };
    for field in FIELDS {
        let name = field.name;
        match (ring.offset(name), field.is_of_host()) {
            (Some(from), false) => copy(from, field.offset, field.size, name)?,
            (None, true) => {}
            (None, false) => bail!("{} does not have the field {name}", ring.shown),
            (Some(_), true) => bail!(
                "{} has the field {name}, which the host alone sets (event/src/fields.rs)",
                ring.shown
            ),
        }
    }
    for (name, start) in PRESENCE_MEMBERS.into_iter().zip(PRESENCE_WORDS) {
        let is_in_word = |bit: u32| (8 * start..8 * start + 64).contains(&(bit as usize));
        match ring.offset(name) {
            Some(from) => copy(from, start, 8, name)?,
            None => {
                let fields = FIELDS.iter().filter(|field| !field.is_of_host());
                let mut bits = fields.filter_map(|field| Some((field.name, field.presence_bit?)));
                if let Some((field, _)) = bits.find(|(_, bit)| is_in_word(*bit)) {
                    bail!("{} needs {name} for the field {field}", ring.shown);
                }
            }
        }
    }
    for (member, _) in &ring.members {
        ensure!(
            member == UNUSED
                || PRESENCE_MEMBERS.contains(&member.as_str())
                || FIELDS.iter().any(|field| field.name == member),
            "{} has {member}, which is no field of event/src/fields.rs",
            ring.shown
        );
    }
    Ok(copies)
}

/// Copies of neighbours are one copy.
fn merged(mut copies: Vec<Copied>) -> Vec<Copied> {
    copies.sort_by_key(|copied| copied.from);
    let mut merged: Vec<Copied> = Vec::new();
    for copied in copies {
        match merged.last_mut() {
            Some(last)
                if last.from + last.length == copied.from && last.to + last.length == copied.to =>
            {
                last.length += copied.length;
            }
            _ => merged.push(copied),
        }
    }
    merged
}
