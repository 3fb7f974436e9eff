//! What the system must let a process do that runs compiled plugins: said before any plugin is blamed.

use std::fs;
use std::ptr;

use bytesize::ByteSize;
use rustix::io::Errno;
use rustix::mm::MapFlags;
use rustix::mm::MprotectFlags;
use rustix::mm::ProtFlags;
use rustix::mm::mmap_anonymous;
use rustix::mm::mprotect;
use rustix::mm::munmap;
use rustix::process::Resource;
use rustix::process::getrlimit;
use wasmtime::OutOfMemory;

use crate::plugin::load::engine::GUARD;
use crate::plugin::load::engine::RESERVATION;
use crate::plugin::load::engine::THIS_PROGRAM;

/// Address space that a plugin with one linear memory reserves: there is a guard at both ends.
const RESERVED: u64 = RESERVATION + 2 * GUARD;

/// Why no plugin can run.
#[derive(Debug, thiserror::Error)]
pub enum Confined {
    /// Compiled code could not be made executable.
    #[error(
        "plugins are compiled, and this process may not make memory executable that it has written \
         ({0}); systemd's MemoryDenyWriteExecute=, prctl(PR_SET_MDWE) or SELinux (execmem) forbids it: \
         allow it for this program"
    )]
    NoExecutableMemory(Errno),
    /// The host starts itself again to compile, and finds itself there.
    #[error(
        "plugins are compiled by a process of this program, which is found through {THIS_PROGRAM}: \
         {0}; mount -t proc proc /proc"
    )]
    NoProc(std::io::Error),
    /// Linear memories could not be reserved.
    #[error("{0}")]
    AddressSpace(AddressSpace),
}

/// Too little address space for plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressSpace {
    /// The limit in bytes, where there is one.
    limit: Option<u64>,
}

impl std::fmt::Display for AddressSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = ByteSize(RESERVED);
        write!(
            f,
            "each linear memory of a plugin reserves {each} of address space, and "
        )?;
        match self.limit {
            Some(limit) => write!(
                f,
                "this process may have {} in all (RLIMIT_AS); raise that: `ulimit -v unlimited`, or \
                 LimitAS=infinity in a systemd unit",
                ByteSize(limit)
            ),
            None => write!(f, "the system has no more of it for this process"),
        }
    }
}

/// Can this number of plugins run here?
pub fn check(plugins: usize) -> Result<(), Confined> {
    fs::metadata(THIS_PROGRAM).map_err(Confined::NoProc)?;
    may_execute().map_err(Confined::NoExecutableMemory)?;
    let bytes = RESERVED.saturating_mul(plugins as u64);
    match can_reserve(bytes) {
        true => Ok(()),
        false => Err(Confined::AddressSpace(address_space())),
    }
}

/// The limit that is in the way.
pub(crate) fn address_space() -> AddressSpace {
    let limit = getrlimit(Resource::As).current;
    AddressSpace { limit }
}

/// Is there, now, no address space for another linear memory?
pub(crate) fn lacks_address_space() -> bool {
    !can_reserve(RESERVED)
}

/// Is it memory, of either kind, that was missing?
pub(crate) fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    let system = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        cause.downcast_ref() == Some(&Errno::NOMEM)
            || io.and_then(std::io::Error::raw_os_error) == Some(Errno::NOMEM.raw_os_error())
    };
    error
        .chain()
        .any(|cause| cause.is::<OutOfMemory>() || system(cause))
}

/// As wasmtime does it: written first, executable afterwards.
fn may_execute() -> Result<(), Errno> {
    let length = rustix::param::page_size();
    let written = ProtFlags::READ | ProtFlags::WRITE;
    let executable = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: a new mapping at an address that the kernel chooses, which nothing refers to and which
    // is gone at the end; one byte of it is written, and nothing in it is executed.
    unsafe {
        let page = mmap_anonymous(ptr::null_mut(), length, written, MapFlags::PRIVATE)?;
        page.cast::<u8>().write_volatile(0);
        let allowed = mprotect(page, length, executable);
        munmap(page, length)?;
        allowed
    }
}

fn can_reserve(bytes: u64) -> bool {
    let Ok(length) = usize::try_from(bytes) else {
        return false;
    };
    // Neither accessible nor counted as memory, as wasmtime reserves it.
    let (none, flags) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: a new mapping at an address that the kernel chooses, which nothing refers to and which
    // is gone at once.
    unsafe {
        mmap_anonymous(ptr::null_mut(), length, none, flags)
            .and_then(|reserved| munmap(reserved, length))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_limited_plugins_can_run() {
        check(3).expect("this process is not confined");
        assert!(!lacks_address_space());
        // More than a process has on any processor: 2^57.
        assert!(matches!(check(1 << 25), Err(Confined::AddressSpace(_))));
    }

    #[test]
    fn the_limit_of_address_space_is_named_where_there_is_one() {
        let said = |limit| AddressSpace { limit }.to_string();
        let limited = said(Some(3 << 30));
        assert!(
            limited.contains("reserves 4.1 GiB of address space"),
            "{limited}"
        );
        assert!(limited.contains("3.0 GiB in all (RLIMIT_AS)"), "{limited}");
        assert!(!said(None).contains("RLIMIT_AS"));
    }

    #[test]
    fn what_is_no_memory_is_told_from_other_errors_of_the_system() {
        let error = |errno: Errno| wasmtime::Error::from(std::io::Error::from(errno));
        assert!(is_out_of_memory(&error(Errno::NOMEM)));
        assert!(is_out_of_memory(
            &wasmtime::Error::new(Errno::NOMEM).context("mmap")
        ));
        assert!(!is_out_of_memory(&error(Errno::ACCESS)));
        assert!(!is_out_of_memory(&wasmtime::Error::msg("out of memory")));
    }
}
