//! The files of a recording: how one is begun, and how older ones make room.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::path::PathBuf;

use tempfile::Builder;

use super::Head;
use super::Writer;

/// Addresses are nobody else's business: a file is its owner's alone.
const MODE: u32 = 0o600;

/// Begins a file. With `replace` it takes the place of one that is there, once it has its head: a disk
/// that is full costs nobody an older capture. A symbolic link is replaced, not followed.
pub fn begin(file: &Path, head: &Head, replace: bool) -> io::Result<Writer<File>> {
    if !replace {
        let writer = Writer::new(create(file)?, head);
        return writer.inspect_err(|_| {
            // It is ours, and nobody can read it.
            let _ = fs::remove_file(file);
        });
    }
    let beside = Builder::new()
        .prefix(".retrans-")
        .make_in(directory(file), create)?;
    let (beside, path) = beside.into_parts();
    let writer = Writer::new(beside, head)?;
    path.persist(file)?;
    Ok(writer)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(MODE).open(path)?;
    // The umask may have taken rights away; some file systems (vfat) have none to give.
    let _ = file.set_permissions(Permissions::from_mode(MODE));
    give_to_who_called_sudo(&file);
    Ok(file)
}

/// `sudo retrans-host --record` is for whoever typed it, who will want to replay it without.
fn give_to_who_called_sudo(file: &File) {
    let id = |name| env::var(name).ok()?.parse().ok();
    if rustix::process::geteuid().is_root()
        && let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID"))
    {
        // Some file systems have no owners. The file is then as root made it.
        let _ = fchown(file, Some(user), Some(group));
    }
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

/// An older file, of which at most `keep` are kept, that is there already.
pub fn find_older(file: &Path, keep: u32) -> Option<PathBuf> {
    let prefix = [file.file_name()?.as_bytes(), b"."].concat();
    // Where the directory cannot be read, there is nothing to be found.
    let mut entries = fs::read_dir(directory(file)).ok()?.flatten();
    let number = entries.find_map(|entry| {
        let name = entry.file_name();
        let number = name.as_bytes().strip_prefix(prefix.as_slice())?;
        let number: u32 = str::from_utf8(number).ok()?.parse().ok()?;
        (1..=keep).contains(&number).then_some(number)
    });
    Some(older(file, number?))
}

/// FILE becomes FILE.1, that FILE.2, and so on. The oldest goes, if `keep` are there; with none to
/// keep, FILE is left to be replaced.
pub fn make_room(file: &Path, keep: u32) -> io::Result<()> {
    let exists = |number| fs::symlink_metadata(older(file, number)).is_ok();
    if !exists(0) {
        // Somebody has taken it away.
        return Ok(());
    }
    let last = (1..=keep).find(|number| *number == keep || !exists(*number));
    for number in (0..last.unwrap_or(0)).rev() {
        fs::rename(older(file, number), older(file, number + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, each of which holds its own name.
    fn files(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for name in names {
            fs::write(directory.path().join(name), name).expect("a file");
        }
        directory
    }

    /// What the files hold, by their names in order.
    fn held(directory: &tempfile::TempDir) -> Vec<(String, String)> {
        let entries = fs::read_dir(directory.path()).expect("a directory");
        let entries = entries.map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into(), fs::read_to_string(&path).expect("text"))
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
    fn older_files_are_found_by_their_numbers() {
        let directory = files(&["a", "a.old", "a.0", "a.7", "ab.1"]);
        let file = directory.path().join("a");
        assert_eq!(find_older(&file, 6), None);
        assert_eq!(find_older(&file, 7), Some(directory.path().join("a.7")));
    }
}
