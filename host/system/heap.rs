//! Memory that was freed goes back to the kernel.

/// Gives back what the C library keeps for its next use: some plugins make the host take a lot, once,
/// in small pieces. It takes a millisecond or so.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointers, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
