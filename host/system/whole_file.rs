//! Writes a file as a whole: it has its name once it is complete.

use std::fs::Permissions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::Builder;

/// Writes the file. One that is there is replaced if `overwrites`, and otherwise an error of the kind `AlreadyExists`.
///
/// # Errors
///
/// Those of the system. An earlier file is as it was then.
pub fn write(file: &Path, bytes: &[u8], overwrites: bool) -> io::Result<()> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut unfinished = Builder::new();
    // As any other new file: the mask of the process applies.
    unfinished.permissions(Permissions::from_mode(0o666));
    let mut unfinished = unfinished.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    unfinished.write_all(bytes)?;
    unfinished.as_file().sync_all()?;
    match overwrites {
        true => unfinished.persist(file)?,
        false => unfinished.persist_noclobber(file)?,
    };
    Ok(())
}
