//! Standard output: whole lines, written through at the end of each batch.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::os::fd::AsFd as _;

/// Standard output, block-buffered even on a terminal: `std::io::stdout` would write every line by
/// itself. The chain flushes after each batch.
pub fn stdout() -> io::Result<BufWriter<File>> {
    let fd = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(BufWriter::with_capacity(64 * 1024, File::from(fd)))
}
