//! The files of a recording: how one is begun, and how older ones make room.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::OFlags;
use tempfile::Builder;

use super::Head;
use super::MAGIC;
use super::Writer;
use super::target::Target;
use crate::system::files;

/// What becomes of the file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the new one is not begun.
    Refuse,
    /// The new one takes its place.
    Replace,
    /// A capture becomes FILE.1, and at most this number of older ones is kept. The new file takes the place of
    /// anything else.
    Keep(u32),
}

/// Begins a file. What is to give up its name does so once the new file has its head: a full disk costs no
/// older capture. The name is taken by a rename, so that a symbolic link is replaced and never followed.
pub fn begin(file: &Path, head: &Head, existing: Existing) -> io::Result<Writer<Target>> {
    if existing == Existing::Refuse {
        let writer = Writer::new(Target::File(create(file)?), head);
        return writer.inspect_err(|_| {
            // It was made just now and has no head: it cannot be read.
            let _ = fs::remove_file(file);
        });
    }
    let beside = Builder::new()
        .prefix(".retrans-")
        .make_in(directory(file), create)?;
    let (beside, path) = beside.into_parts();
    let writer = Writer::new(Target::File(beside), head)?;
    if let Existing::Keep(keep) = existing {
        make_room(file, keep)?;
    }
    path.persist(file)?;
    Ok(writer)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(files::MODE)
        .open(path)?;
    files::own(&file);
    Ok(file)
}

/// The directory that a file is in.
pub fn directory(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Is there something that a capture must not take the place of, whatever was asked for? As /dev/null,
/// or a link to it.
pub fn is_special(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|about| !about.is_file())
}

/// The name of an older file.
fn older(file: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(file);
    if number > 0 {
        name.push(format!(".{number}"));
    }
    PathBuf::from(name)
}

/// A file with the name of the recording, or of one of the `keep` older ones, that is no capture.
pub fn find_stranger(file: &Path, keep: u32) -> Option<PathBuf> {
    let is_stranger = |path: &Path| exists(path) && !is_capture(path);
    if is_stranger(file) {
        return Some(file.to_owned());
    }
    let prefix = [file.file_name()?.as_bytes(), b"."].concat();
    // In a directory that cannot be read nothing is found. `keep` may be too large to try every name.
    let mut entries = fs::read_dir(directory(file)).ok()?.flatten();
    entries.find_map(|entry| {
        let name = entry.file_name();
        let number = name.as_bytes().strip_prefix(prefix.as_slice())?;
        let number: u32 = str::from_utf8(number).ok()?.parse().ok()?;
        let path = older(file, number);
        ((1..=keep).contains(&number) && is_stranger(&path)).then_some(path)
    })
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Is it a file that begins as captures do? A link to one is not, and a FIFO is not waited for.
fn is_capture(path: &Path) -> bool {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let opened = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let mut begin = [0; MAGIC.len()];
    opened.is_ok_and(|mut file| {
        file.metadata().is_ok_and(|about| about.is_file()) && file.read_exact(&mut begin).is_ok()
    }) && begin == MAGIC
}

/// FILE becomes FILE.1, that FILE.2, and so on. The oldest goes, if `keep` are there. FILE is left to be
/// replaced where it is no capture, or none is to be kept.
fn make_room(file: &Path, keep: u32) -> io::Result<()> {
    if !is_capture(file) {
        return Ok(());
    }
    let last = (1..=keep).find(|number| *number == keep || !exists(&older(file, *number)));
    for number in (0..last.unwrap_or(0)).rev() {
        fs::rename(older(file, number), older(file, number + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files. Each begins as a capture, and then holds its own name.
    fn files(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for name in names {
            let bytes = [&MAGIC, name.as_bytes()].concat();
            fs::write(directory.path().join(name), bytes).expect("a file");
        }
        directory
    }

    /// What the files hold, by their names in order.
    fn held(directory: &tempfile::TempDir) -> Vec<(String, String)> {
        let entries = fs::read_dir(directory.path()).expect("a directory");
        let entries = entries.map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let bytes = fs::read(&path).expect("a file");
            let held = String::from_utf8_lossy(&bytes[MAGIC.len()..]);
            (name.into(), held.into())
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort();
        entries
    }

    #[track_caller]
    fn assert_make_room(names: &[&str], keep: u32, expected: &[(&str, &str)]) {
        let directory = files(names);
        make_room(&directory.path().join("a"), keep).expect("renamed");
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, held)| ((*name).to_owned(), (*held).to_owned()))
            .collect();
        assert_eq!(held(&directory), expected);
    }

    #[test]
    fn each_file_makes_room_for_the_next() {
        assert_make_room(&["a"], 3, &[("a.1", "a")]);
        let two = [("a.1", "a"), ("a.2", "a.1"), ("a.3", "a.2")];
        assert_make_room(&["a", "a.1", "a.2"], 3, &two);
    }

    #[test]
    fn beyond_those_to_keep_the_oldest_goes() {
        let two = [("a.1", "a"), ("a.2", "a.1")];
        assert_make_room(&["a", "a.1", "a.2"], 2, &two);
        assert_make_room(&["a", "a.1"], 1, &[("a.1", "a")]);
        assert_make_room(&["a"], 0, &[("a", "a")]);
        assert_make_room(&["a.1"], 3, &[("a.1", "a.1")]);
    }

    #[test]
    fn a_number_that_is_missing_is_filled_and_no_other_file_moves() {
        let expected = [("a.1", "a"), ("a.2", "a.1"), ("a.4", "a.4")];
        assert_make_room(&["a", "a.1", "a.4"], u32::MAX, &expected);
    }

    #[test]
    fn what_is_no_capture_is_found_among_those_that_are_kept() {
        let directory = files(&["a", "a.1"]);
        let path = |name: &str| directory.path().join(name);
        for name in ["a.old", "a.0", "a.7", "ab.1"] {
            fs::write(path(name), name).expect("a file");
        }
        assert_eq!(find_stranger(&path("a"), 6), None);
        assert_eq!(find_stranger(&path("a"), 7), Some(path("a.7")));
        // As the begin of a capture, but shorter.
        fs::write(path("a"), &MAGIC[..4]).expect("a file");
        assert_eq!(find_stranger(&path("a"), 6), Some(path("a")));
        fs::remove_file(path("a")).expect("it was there");
        fs::create_dir(path("a")).expect("a directory");
        assert_eq!(find_stranger(&path("a"), 6), Some(path("a")));
    }
}
