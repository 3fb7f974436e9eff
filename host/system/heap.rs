//! Returns freed memory to the kernel.

/// Returns to the kernel the free memory that the C library keeps for later use. Some plugins make the host allocate
/// a lot once, in small pieces. The call takes about a millisecond.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes no pointers, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
