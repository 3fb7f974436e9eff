//! The record has the same layout in C and in Rust.

use std::fs;
use std::path::Path;

use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::RECORD_SIZE;

/// Name, offset and size of each member of `struct retrans_event`, from the BTF of the probe.
const C_LAYOUT: &[(&str, usize, usize)] = include!(concat!(env!("OUT_DIR"), "/c_layout.rs"));

/// Members without a field: the presence bits.
const NO_FIELDS: [&str; 2] = ["present", "present_high"];

fn member(name: &str) -> Option<(usize, usize)> {
    let member = C_LAYOUT.iter().find(|(member, ..)| *member == name);
    member.map(|(_, offset, size)| (*offset, *size))
}

fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

#[test]
fn every_field_is_where_c_declares_it() {
    for field in FIELDS {
        let name = field.name;
        assert_eq!(member(name), Some((field.offset, field.size)), "{name}");
    }
}

#[test]
fn c_declares_nothing_that_has_no_name() {
    for (name, ..) in C_LAYOUT {
        let known = field(name).is_some() || NO_FIELDS.contains(name);
        assert!(known, "{name} is declared in C alone");
    }
}

#[test]
fn the_record_is_equally_long() {
    let ends = C_LAYOUT.iter().map(|(_, offset, size)| offset + size);
    assert_eq!(ends.max(), Some(RECORD_SIZE));
}

#[test]
fn presence_bits_are_within_the_presence_words_and_no_two_fields_share_one() {
    let words = ["present", "present_high"].map(|name| {
        let (offset, size) = member(name).expect("the record has presence bits");
        8 * offset as u32..8 * (offset + size) as u32
    });
    let mut seen = Vec::new();
    for field in FIELDS {
        let Some(bit) = field.presence_bit else {
            continue;
        };
        assert!(
            words.iter().any(|word| word.contains(&bit)),
            "{}: {bit} is not in {words:?}",
            field.name
        );
        assert!(!seen.contains(&bit), "{}: {bit} is taken", field.name);
        seen.push(bit);
    }
}

/// The paths in a document: targets of links to files of this repository, and names in code of files below `host/`,
/// `event/`, `bpf/` and `tests/`.
fn paths(document: &str) -> Vec<&str> {
    let links = document.split("](../").skip(1);
    let links = links.filter_map(|rest| rest.split([')', '#']).next());
    let code = document.split('`').skip(1).step_by(2);
    let code = code.filter(|code| {
        let folder = ["host/", "event/", "bpf/", "tests/"]
            .iter()
            .any(|folder| code.starts_with(folder));
        folder && !code.contains("NAME") && !code.contains(char::is_whitespace)
    });
    links.chain(code).collect()
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/architecture.md")).expect("a document");
    let paths = paths(&document);
    assert!(paths.len() > 60, "{paths:?}");
    for path in paths {
        assert!(root.join(path).exists(), "{path} is not there");
    }
}

#[test]
fn every_module_of_the_host_is_in_a_folder_that_the_architecture_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/architecture.md")).expect("a document");
    for entry in fs::read_dir(root.join("host")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            !path.is_dir() || document.contains(&format!("`host/{name}/`")),
            "docs/architecture.md does not tell what host/{name}/ is for"
        );
    }
}
