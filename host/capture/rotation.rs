//! The files of a recording: how a file is created, and how older files are renamed.

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

use rustix::fs::CWD;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use rustix::fs::renameat_with;
use rustix::io::Errno;
use tempfile::Builder;

use super::Head;
use super::MAGIC;
use super::Writer;
use super::output::CaptureOutput;
use crate::system::private_files;
use crate::system::sandbox;

/// What to do with a file that already has the name of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keep it, and refuse to create the new file.
    Refuse,
    /// Replace it.
    Replace,
    /// Rename a capture to FILE.1, and keep all older files. Refuse to create the new file if it is not a capture.
    MoveAside,
    /// Rename a capture to FILE.1, and keep at most this number of older files. Replace
    /// anything that is not a capture.
    Keep(u32),
}

/// Creates a file and writes the head. Existing files are renamed or replaced only once the head was written,
/// so that no older capture is lost to a full disk. The new file is renamed into place: a symbolic link of
/// that name is replaced and never followed.
pub fn begin(file: &Path, head: &Head, existing: Existing) -> io::Result<Writer<CaptureOutput>> {
    if existing == Existing::Refuse {
        let writer = Writer::new(CaptureOutput::File(create(file)?), head);
        return writer.inspect_err(|_| {
            // The file was created just now. Without a head it cannot be read.
            let _ = fs::remove_file(file);
        });
    }
    let beside = Builder::new()
        .prefix(".retrans-")
        .make_in(directory(file), create)?;
    let (beside, path) = beside.into_parts();
    let writer = Writer::new(CaptureOutput::File(beside), head)?;
    match existing {
        Existing::MoveAside => {
            make_room(file, u32::MAX)?;
            path.persist_noclobber(file)?;
        }
        Existing::Keep(keep) => {
            make_room(file, keep)?;
            path.persist(file)?;
        }
        Existing::Refuse | Existing::Replace => path.persist(file)?,
    }
    Ok(writer)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(private_files::MODE)
        .open(path)
        .map_err(|error| sandbox::explained(path, error))?;
    private_files::own(&file);
    Ok(file)
}

/// The directory that contains a file.
pub fn directory(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Returns whether the path leads to something that a capture must never replace, such as /dev/null or a link to it.
pub fn is_special(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| !metadata.is_file())
}

/// The name of the older file with this number; 0 is the file itself.
fn older(file: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(file);
    if number > 0 {
        name.push(format!(".{number}"));
    }
    PathBuf::from(name)
}

/// Finds a file that is not a capture and has the name of the recording or of one of its `keep` older files. With an
/// error, it is not known whether that file is a capture.
pub fn find_non_capture(file: &Path, keep: u32) -> Option<(PathBuf, io::Result<()>)> {
    let other = |path: PathBuf| match is_capture(&path) {
        Ok(true) => None,
        Ok(false) => exists(&path).then_some((path, Ok(()))),
        Err(error) => Some((path, Err(error))),
    };
    if let Some(found) = other(file.to_owned()) {
        return Some(found);
    }
    let prefix = [file.file_name()?.as_bytes(), b"."].concat();
    // The directory is read because `keep` may be too large to try every name. If it cannot be read, no file is found.
    let mut entries = fs::read_dir(directory(file)).ok()?.flatten();
    entries.find_map(|entry| {
        let name = entry.file_name();
        let number = name.as_bytes().strip_prefix(prefix.as_slice())?;
        let number: u32 = str::from_utf8(number).ok()?.parse().ok()?;
        match (1..=keep).contains(&number) {
            true => other(older(file, number)),
            false => None,
        }
    })
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Returns whether the path is a regular file that begins with [`MAGIC`], or an empty one: a machine that loses its power
/// may leave such a capture. A link to one is not. Does not block on a FIFO.
///
/// # Errors
///
/// If there is a file that cannot be opened or read: it may be a capture.
pub fn is_capture(path: &Path) -> io::Result<bool> {
    match begins_with_magic(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result,
    }
}

fn begins_with_magic(path: &Path) -> io::Result<bool> {
    // A socket, for example, cannot be opened.
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(about.is_file());
    }
    let mut begin = [0; MAGIC.len()];
    match file.read_exact(&mut begin) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| begin == MAGIC),
    }
}

/// Renames FILE to FILE.1, FILE.1 to FILE.2, and so on. The oldest file is overwritten if there are `keep` of
/// them, and no other file is. Leaves FILE in place, to be replaced, if it is not a capture or if `keep` is 0. An error
/// if it is not known whether FILE is a capture.
fn make_room(file: &Path, keep: u32) -> io::Result<()> {
    let is_capture = is_capture(file).map_err(|error| {
        let text = format!("it cannot be read, so it is neither moved nor replaced: {error}");
        io::Error::new(error.kind(), text)
    })?;
    if !is_capture {
        return Ok(());
    }
    let last = (1..=keep).find(|number| *number == keep || !exists(&older(file, *number)));
    for number in (0..last.unwrap_or(0)).rev() {
        let (from, to) = (older(file, number), older(file, number + 1));
        match number + 1 == keep {
            true => fs::rename(from, to)?,
            false => rename_to_free(&from, &to)?,
        }
    }
    Ok(())
}

/// Renames a file to a name that was free a moment ago. If it has been taken, that is an error.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system has no such flag.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files. Each contains [`MAGIC`] and its own name.
    fn files(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for name in names {
            let bytes = [&MAGIC, name.as_bytes()].concat();
            fs::write(directory.path().join(name), bytes).expect("a file");
        }
        directory
    }

    /// Names and contents of the files, ordered by name.
    fn contents(directory: &tempfile::TempDir) -> Vec<(String, String)> {
        let entries = fs::read_dir(directory.path()).expect("a directory");
        let entries = entries.map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let bytes = fs::read(&path).expect("a file");
            let contents = String::from_utf8_lossy(&bytes[MAGIC.len()..]);
            (name.into(), contents.into())
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
            .map(|(name, contents)| ((*name).to_owned(), (*contents).to_owned()))
            .collect();
        assert_eq!(contents(&directory), expected);
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
    fn a_file_that_cannot_be_read_is_not_taken_for_one_that_is_no_capture() {
        let directory = files(&["a"]);
        // Root reads a file of any mode. What is below a file fails for everyone.
        let below = directory.path().join("a/b");
        let error = make_room(&below, 3).expect_err("it is not known what is there");
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let text = error.to_string();
        let words = "neither moved nor replaced: Not a directory";
        assert!(text.contains(words), "{text}");
        let found = find_non_capture(&below, 3).expect("the same error");
        assert_eq!(found.0, below);
        assert!(found.1.is_err(), "{found:?}");
    }

    #[test]
    fn what_is_no_capture_is_found_among_those_that_are_kept() {
        let directory = files(&["a", "a.1"]);
        let path = |name: &str| directory.path().join(name);
        let found = |keep| find_non_capture(&path("a"), keep).map(|(path, _)| path);
        for name in ["a.old", "a.0", "a.7", "ab.1"] {
            fs::write(path(name), name).expect("a file");
        }
        assert_eq!(found(6), None);
        assert_eq!(found(7), Some(path("a.7")));
        // A prefix of the magic bytes is not enough. An empty file is a capture that was cut off.
        fs::write(path("a.5"), "").expect("a file");
        assert_eq!(found(6), None);
        fs::write(path("a"), &MAGIC[..4]).expect("a file");
        assert_eq!(found(6), Some(path("a")));
        fs::remove_file(path("a")).expect("it was there");
        fs::create_dir(path("a")).expect("a directory");
        assert_eq!(found(6), Some(path("a")));
    }
}
