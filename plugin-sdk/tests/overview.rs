//! `docs/sdk.md` lists every name of the prelude.

#![allow(missing_docs)]

mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use markdown::has_anchor;

const OVERVIEW: &str = include_str!("../../docs/sdk.md");
const LIBRARY: &str = include_str!("../src/lib.rs");

/// The names that the prelude exports, from its source.
fn prelude() -> BTreeSet<&'static str> {
    let (_, rest) = LIBRARY
        .split_once("pub mod prelude {")
        .expect("it is there");
    let (prelude, _) = rest.split_once("\n}").expect("it ends");
    let items = prelude
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let items = items.filter(|line| !line.starts_with("//"));
    let names = items.map(|line| {
        let path = line
            .strip_prefix("pub use ")
            .and_then(|line| line.strip_suffix(';'));
        let path = path.unwrap_or_else(|| panic!("one item a line: {line}"));
        assert!(!path.contains(['{', '*', ' ']), "one name a line: {line}");
        path.rsplit("::").next().expect("a path has a name")
    });
    names.collect()
}

/// The names in the first column of the tables.
fn listed() -> Vec<&'static str> {
    let rows = OVERVIEW.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| Some(row.split_once('`')?.0.trim_end_matches('!')));
    names.collect()
}

#[test]
fn every_name_of_the_prelude_is_listed_once() {
    let (prelude, listed) = (prelude(), listed());
    assert!(prelude.len() > 50, "{prelude:?}");
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a name is listed twice");
    let missing: Vec<_> = prelude.difference(&unique).collect();
    assert!(
        missing.is_empty(),
        "docs/sdk.md has no line for {missing:?}"
    );
    let stale: Vec<_> = unique.difference(&prelude).collect();
    assert!(
        stale.is_empty(),
        "docs/sdk.md lists {stale:?}, which the prelude does not have"
    );
}

#[test]
fn every_line_has_a_link_to_what_is_there() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for row in OVERVIEW.lines().filter(|line| line.starts_with("| `")) {
        assert!(row.contains("]("), "no link: {row}");
    }
    for link in OVERVIEW.split("](").skip(1) {
        let (link, _) = link.split_once(')').expect("a link ends");
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let text =
            fs::read_to_string(docs.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(anchor.is_empty() || has_anchor(&text, anchor), "{link}");
    }
}
