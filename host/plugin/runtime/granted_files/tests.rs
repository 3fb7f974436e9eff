//! The kernel refuses paths that lead out of the directory, and a handle is valid for one file only.

use std::fs;

use tempfile::TempDir;

use super::*;

/// Returns a granted directory that contains a file, and files that are open.
fn files() -> (TempDir, Files) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("file"), "text").expect("it can be written");
    let path = directory.path().to_str().expect("its path is text");
    let mut files = Files::new(vec![path.to_owned()]);
    files.open_granted().expect("it is there");
    (directory, files)
}

fn open(files: &mut Files, path: &str) -> Result<u32, Errno> {
    files.open_at(0, path, Follow::Yes, OFlags::empty())
}

#[test]
fn the_kernel_refuses_what_leads_out() {
    let (directory, mut files) = files();
    let absolute = directory.path().join("file");
    let absolute = absolute.to_str().expect("its path is text");
    for path in [
        absolute,
        "/",
        "/etc/passwd",
        "..",
        "../",
        "./../file",
        "none/../..",
    ] {
        let refused = open(&mut files, path).expect_err(path);
        assert!(
            [Errno::PERM, Errno::NOENT].contains(&refused),
            "{path}: {refused}"
        );
        assert!(files.stat_at(0, path, Follow::No).is_err(), "{path}");
        assert!(files.read_link(0, path).is_err(), "{path}");
    }
    assert_eq!(open(&mut files, "a\0b"), Err(Errno::INVAL));
}

#[test]
fn preopened_directories_have_a_type_before_files_can_be_opened() {
    let mut files = Files::new(vec!["/granted".to_owned()]);
    let numbers: Vec<u32> = files.preopens().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 0]);
    for number in numbers {
        assert_eq!(files.file_type(number), Ok(FileType::Directory));
        assert!(files.stat(number).is_err(), "nothing else is known of it");
    }
    assert!(files.file_type(2).is_err());
    files.close_all();
    assert_eq!(files.file_type(0), Ok(FileType::Directory));
}

#[test]
fn a_handle_that_was_kept_for_too_long_finds_nothing() {
    let (_directory, mut files) = files();
    let first = open(&mut files, "file").expect("it is there");
    let stream = files.stream(first, 1).expect("it can be read");
    let list = files.list(0).expect("it can be listed");
    assert_eq!(files.read(first, 10, 0), Ok(b"text".to_vec()));
    assert_eq!(files.read_stream(stream, 2), Ok(b"ex".to_vec()));
    assert_eq!(files.read_stream(stream, u64::MAX), Ok(b"t".to_vec()));

    files.close_all();
    files.open_granted().expect("it is still there");
    let second = open(&mut files, "file").expect("it is still there");
    assert_ne!(second, first);
    assert_eq!(files.read(first, 10, 0), Err(Errno::PERM));
    assert_eq!(files.read_stream(stream, 10), Err(Errno::PERM));
    assert_eq!(files.next_entry(list), Err(Errno::PERM));
    files.drop_handle(first);
    assert_eq!(files.read(second, 10, 0), Ok(b"text".to_vec()));
}

#[test]
fn a_handle_of_a_granted_directory_may_be_dropped_and_asked_for_again() {
    let (_directory, mut files) = files();
    files.drop_handle(0);
    assert!(open(&mut files, "file").is_ok());
}

#[test]
fn a_read_is_as_long_as_the_host_likes() {
    let (directory, mut files) = files();
    fs::write(directory.path().join("large"), [1; 100_000]).expect("it can be written");
    let file = open(&mut files, "large").expect("it is there");
    let read = files.read(file, u64::MAX, 0).expect("it can be read");
    assert_eq!(read.len() as u64, MAX_READ);
    assert_eq!(files.read(file, 1, u64::MAX), Err(Errno::INVAL));
}
