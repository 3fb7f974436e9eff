//! What counts as a change, and how paths are named.

use std::fs;
use std::fs::File;

use tempfile::TempDir;

use super::*;

fn granted(directory: &TempDir, rest: &str) -> GrantedPath {
    GrantedPath {
        granted: directory.path().to_owned(),
        rest: PathBuf::from(rest),
    }
}

/// A file in a directory, and a record of having read it.
fn read(rest: &str) -> (TempDir, FilesRead) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = granted(&directory, rest);
    fs::create_dir_all(path.full().parent().expect("a directory")).expect("it can be made");
    fs::write(path.full(), "text").expect("it can be written");
    let mut read = FilesRead::default();
    read.add(path.clone(), File::open(path.full()).expect("it is there"));
    (directory, read)
}

#[test]
fn a_file_has_changed_once_it_is_replaced_written_or_gone() {
    let (directory, files) = read("a/file");
    let path = directory.path().join("a/file");
    assert_eq!(files.changed(), Vec::<PathBuf>::new());
    fs::write(directory.path().join("a/beside"), "text").expect("it can be written");
    assert_eq!(files.changed(), Vec::<PathBuf>::new());
    fs::rename(directory.path().join("a/beside"), &path).expect("in one directory");
    assert_eq!(files.changed(), std::slice::from_ref(&path));
    let files = files.now();
    fs::write(&path, "longer text").expect("it can be written");
    assert_eq!(files.changed(), std::slice::from_ref(&path));
    let files = files.now();
    fs::remove_file(&path).expect("it is there");
    assert_eq!(files.changed(), std::slice::from_ref(&path));
    let files = files.now();
    assert_eq!(files.changed(), Vec::<PathBuf>::new());
    fs::write(&path, "text").expect("it can be written");
    assert_eq!(files.changed(), [path]);
}

#[test]
fn every_directory_on_the_way_to_a_file_is_watched() {
    let (directory, files) = read("a/b/file");
    let at = |rest: &str| directory.path().join(rest);
    let expected = [directory.path().to_owned(), at("a"), at("a/b")];
    assert_eq!(files.directories(), BTreeSet::from(expected));
    fs::remove_dir_all(at("a")).expect("it is there");
    let left = [directory.path().to_owned()];
    assert_eq!(files.directories(), BTreeSet::from(left));
}

#[test]
fn the_number_of_paths_has_a_bound_and_a_line_names_few() {
    let (directory, mut files) = read("file");
    for number in 1..2 * MAX_PATHS {
        files.add(
            granted(&directory, &format!("{number:04}")),
            File::open("/dev/null").expect("it is there"),
        );
    }
    assert_eq!(
        (files.paths.len(), files.more),
        (MAX_PATHS, MAX_PATHS as u64)
    );
    let (directory, mut files) = read("0");
    for number in 1..10 {
        let path = granted(&directory, &number.to_string());
        fs::write(path.full(), "text").expect("it can be written");
        files.add(path.clone(), File::open(path.full()).expect("it is there"));
    }
    let line = files.to_string();
    assert!(line.ends_with("/7 (4 B) and 2 more"), "{line}");
}

#[test]
fn a_path_that_was_not_granted_is_named_as_the_settings_have_it() {
    for (settings, expected) in [
        (
            r#"{"file":"/etc/zones/a"}"#,
            "/etc/zones/a is not granted (--allow read=/etc/zones ",
        ),
        (
            r#"{"file":"./etc/zones/a"}"#,
            "./etc/zones/a is not granted (--allow read=./etc/zones ",
        ),
        (
            r#"{"file":"other"}"#,
            "/etc/zones/a is not granted (--allow read=/etc/zones ",
        ),
    ] {
        let mut files = FilesRead::default();
        assert_eq!(files.not_granted(settings), None);
        files.add_not_granted("etc/zones/a");
        let text = files.not_granted(settings).expect("a path");
        assert!(text.starts_with(expected), "{text}");
    }
    let mut files = FilesRead::default();
    files.add_not_granted("zones");
    let text = files.not_granted(r#"{"file":"zones"}"#).expect("a path");
    assert!(
        text.starts_with("zones is not granted (--allow read=. "),
        "{text}"
    );
    files.add_not_granted("a\x1b[2J");
    assert!(!files.not_granted("{}").expect("paths").contains('\x1b'));
}
