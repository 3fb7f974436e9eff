//! Reads iterators: BPF programs that the kernel runs for each of its objects of a kind, and that write records.
//!
//! Loading and attaching needs capabilities. Reading needs none since 5.19, see
//! [`needed_after_attach`](super::permissions::needed_after_attach).

use std::io;

use libbpf_rs::Iter;
use libbpf_rs::Link;

use super::kernel_error::KernelError;

/// Size of the buffer in bytes: the kernel fills at most 8 pages with one read.
const BUFFER_SIZE: usize = 32 * 1024;

/// Why an iterator cannot be used: the kernel refused the program.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {what}: {cause}")]
pub struct LoadError {
    /// The step that failed: open, load, attach.
    doing: &'static str,
    /// The iterator.
    what: &'static str,
    /// Why it failed.
    cause: KernelError,
}

impl LoadError {
    /// Makes errors of a step, as in `map_err(LoadError::at("load", "the scan of open files"))`.
    pub fn at(
        doing: &'static str,
        what: &'static str,
    ) -> impl FnOnce(libbpf_rs::Error) -> LoadError {
        move |error| LoadError {
            doing,
            what,
            cause: KernelError::of(error),
        }
    }
}

/// Makes one pass over all objects. Passes what the program wrote to `take`, several records of `SIZE` bytes at once.
///
/// # Errors
///
/// If the kernel refuses the pass or a read. Some records may have been passed on by then.
pub fn read<const SIZE: usize>(link: &Link, mut take: impl FnMut(&[[u8; SIZE]])) -> io::Result<()> {
    let mut buffer = [0; BUFFER_SIZE];
    // A multiple of the size of a record: where pages are larger than 4 KiB, a read would otherwise end within one.
    let (chunk, _) = buffer.as_chunks_mut::<SIZE>();
    pass(link, chunk.as_flattened_mut(), |bytes| {
        let (records, rest) = bytes.as_chunks();
        debug_assert!(rest.is_empty());
        take(records);
    })
}

/// Makes one pass with a program whose output does not matter: it writes a byte for each object, so that a system call
/// ends after `at_once` objects, [`BUFFER_SIZE`] at most.
///
/// # Errors
///
/// If the kernel refuses the pass or a read.
pub fn run(link: &Link, at_once: usize) -> io::Result<()> {
    let mut buffer = [0; BUFFER_SIZE];
    pass(link, &mut buffer[..at_once.min(BUFFER_SIZE)], |_| {})
}

fn pass(link: &Link, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut objects = Iter::new(link).map_err(|error| io::Error::other(format!("{error:#}")))?;
    loop {
        match io::Read::read(&mut objects, buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length]),
            // The kernel interrupts a pass after a million objects for which nothing was written.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
