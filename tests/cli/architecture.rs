//! What docs/architecture.md says of the tree is so.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/architecture.md")).expect("a document")
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
    let document = document();
    let paths = paths(&document);
    assert!(paths.len() > 60, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path} is not there");
    }
}

#[test]
fn every_module_of_the_host_is_in_a_folder_that_the_architecture_names() {
    let document = document();
    for entry in fs::read_dir(root().join("host")).expect("a folder") {
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

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// The folders below `host/`, and its modules of one file, with those that each one uses. Tests do not count.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let host = root().join("host");
    let mut uses = BTreeMap::new();
    for path in files(&host) {
        let inside = path.strip_prefix(&host).expect("it is inside");
        let is_test = inside.ends_with("tests.rs") || inside.iter().any(|part| part == "tests");
        if is_test || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let folder = Path::new(inside.iter().next().expect("a name"));
        let folder = folder.file_stem().expect("a name").to_string_lossy();
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let used = lines.flat_map(|line| line.split("crate::").skip(1));
        let used = used.filter_map(|path| {
            path.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        });
        let of_folder: &mut BTreeSet<String> = uses.entry(folder.into_owned()).or_default();
        of_folder.extend(used.filter(|used| !used.is_empty()).map(str::to_owned));
    }
    for (folder, used) in &mut uses {
        used.remove(folder);
    }
    uses
}

#[test]
fn no_folders_of_the_host_use_each_other() {
    let mut uses = uses();
    // The root and the program may use everything.
    uses.remove("lib");
    uses.remove("main");
    assert!(uses["commands"].contains("source"), "{uses:?}");
    while let Some(folder) = uses.iter().find_map(|(folder, used)| {
        used.iter()
            .all(|used| !uses.contains_key(used))
            .then_some(folder)
    }) {
        let folder = folder.clone();
        uses.remove(&folder);
    }
    let names: BTreeSet<_> = uses.keys().cloned().collect();
    for used in uses.values_mut() {
        used.retain(|used| names.contains(used));
    }
    assert!(uses.is_empty(), "these use each other: {uses:?}");
}
