//! Checks that the system allows this process to run compiled plugins. The host checks this before it loads any plugin,
//! so that no plugin is reported as the cause.

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

use super::job::THIS_PROGRAM;
use crate::plugin::load::engine::GUARD;
use crate::plugin::load::engine::RESERVATION;

/// Address space in bytes that a plugin with one linear memory reserves. There is a guard at both ends.
const RESERVED: u64 = RESERVATION + 2 * GUARD;

/// Why this process cannot run plugins.
#[derive(Debug, thiserror::Error)]
pub enum ConfinementError {
    /// Memory cannot be made executable.
    #[error(
        "plugins are compiled to machine code, and this process may not make memory executable that it has \
         written ({0}); systemd's MemoryDenyWriteExecute=, prctl(PR_SET_MDWE) or SELinux (execmem) forbids it: \
         allow it for this program"
    )]
    NoExecutableMemory(Errno),
    /// The host starts itself again to compile, and cannot find its own executable.
    #[error(
        "plugins are compiled by a child process, which runs {THIS_PROGRAM}: {0}; mount -t proc proc /proc"
    )]
    NoProc(std::io::Error),
    /// Address space for linear memories cannot be reserved.
    #[error("{0}")]
    AddressSpace(AddressSpaceError),
}

/// There is too little address space for the linear memories of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressSpaceError {
    /// The limit in bytes (RLIMIT_AS), if there is one.
    limit: Option<u64>,
}

impl std::fmt::Display for AddressSpaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = ByteSize(RESERVED);
        write!(
            f,
            "each linear memory of a plugin reserves {each} of address space, and "
        )?;
        match self.limit {
            Some(limit) => write!(
                f,
                "this process may have {} in all (RLIMIT_AS); raise this limit: `ulimit -v unlimited`, or \
                 LimitAS=infinity in a systemd unit",
                ByteSize(limit)
            ),
            None => write!(f, "the system has no more of it for this process"),
        }
    }
}

/// Checks that this process can run `plugins` plugins.
pub fn check(plugins: usize) -> Result<(), ConfinementError> {
    fs::metadata(THIS_PROGRAM).map_err(ConfinementError::NoProc)?;
    can_make_executable().map_err(ConfinementError::NoExecutableMemory)?;
    let bytes = RESERVED.saturating_mul(plugins as u64);
    match can_reserve(bytes) {
        true => Ok(()),
        false => Err(ConfinementError::AddressSpace(address_space_error())),
    }
}

/// Returns the error for too little address space, with the current limit.
pub(crate) fn address_space_error() -> AddressSpaceError {
    let limit = getrlimit(Resource::As).current;
    AddressSpaceError { limit }
}

/// Returns whether address space for another linear memory cannot be reserved now.
pub(crate) fn lacks_address_space() -> bool {
    !can_reserve(RESERVED)
}

/// Returns whether the cause of an error is a lack of memory or of address space.
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

/// Makes a page executable after it was written to, as wasmtime does.
fn can_make_executable() -> Result<(), Errno> {
    let length = rustix::param::page_size();
    let written = ProtFlags::READ | ProtFlags::WRITE;
    let executable = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: this is a new mapping at an address that the kernel chooses. Nothing refers to it, and it is unmapped at
    // the end. One byte of it is written, and nothing in it is executed.
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
    // SAFETY: this is a new mapping at an address that the kernel chooses. Nothing refers to it, and it is unmapped at
    // once.
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
        // 2^57 bytes are more address space than a process has on any processor.
        assert!(matches!(
            check(1 << 25),
            Err(ConfinementError::AddressSpace(_))
        ));
    }

    #[test]
    fn the_limit_of_address_space_is_named_where_there_is_one() {
        let message = |limit| AddressSpaceError { limit }.to_string();
        let limited = message(Some(3 << 30));
        assert!(
            limited.contains("reserves 4.1 GiB of address space"),
            "{limited}"
        );
        assert!(limited.contains("3.0 GiB in all (RLIMIT_AS)"), "{limited}");
        assert!(!message(None).contains("RLIMIT_AS"));
    }

    #[test]
    fn a_lack_of_memory_is_distinguished_from_other_system_errors() {
        let error = |errno: Errno| wasmtime::Error::from(std::io::Error::from(errno));
        assert!(is_out_of_memory(&error(Errno::NOMEM)));
        assert!(is_out_of_memory(
            &wasmtime::Error::new(Errno::NOMEM).context("mmap")
        ));
        assert!(!is_out_of_memory(&error(Errno::ACCESS)));
        assert!(!is_out_of_memory(&wasmtime::Error::msg("out of memory")));
    }
}
