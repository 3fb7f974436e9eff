//! Writes a file as a whole: it has its name once it is complete.

use std::fs::Permissions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::Builder;
use tempfile::NamedTempFile;

/// A file that is complete and does not have its name yet. Without [`Complete::place`] nothing is left of it.
#[derive(Debug)]
pub struct Complete<'a> {
    /// The file that it will be.
    pub file: &'a Path,
    contents: NamedTempFile,
}

/// Writes the file. One that is there is replaced if `overwrites`, and otherwise an error of the kind `AlreadyExists`.
///
/// # Errors
///
/// Those of the system. An earlier file is as it was then.
pub fn write(file: &Path, bytes: &[u8], overwrites: bool) -> io::Result<()> {
    prepare(file, bytes)?.place(overwrites)
}

/// Writes what the file will contain, beside it.
///
/// # Errors
///
/// Those of the system, such as that of a full disk.
pub fn prepare<'a>(file: &'a Path, bytes: &[u8]) -> io::Result<Complete<'a>> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut unfinished = Builder::new();
    // As any other new file: the mask of the process applies.
    unfinished.permissions(Permissions::from_mode(0o666));
    let mut unfinished = unfinished.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    unfinished.write_all(bytes)?;
    unfinished.as_file().sync_all()?;
    Ok(Complete {
        file,
        contents: unfinished,
    })
}

impl Complete<'_> {
    /// Gives the file its name. One that is there is replaced if `overwrites`, and otherwise an error of the kind
    /// `AlreadyExists`.
    ///
    /// # Errors
    ///
    /// Those of the system. An earlier file is as it was then.
    pub fn place(self, overwrites: bool) -> io::Result<()> {
        match overwrites {
            true => self.contents.persist(self.file)?,
            false => self.contents.persist_noclobber(self.file)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_not_placed_leaves_what_was_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("a");
        fs::write(&file, "old").expect("a file");
        drop(prepare(&file, b"new").expect("there is room"));
        let error = write(&file, b"new", false).expect_err("it exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).expect("a file"), b"old");
        write(&file, b"new", true).expect("it may be replaced");
        assert_eq!(fs::read(&file).expect("a file"), b"new");
        let entries = fs::read_dir(directory.path()).expect("a directory");
        assert_eq!(entries.count(), 1);
    }
}
