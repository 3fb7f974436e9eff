//! Returns freed memory to the kernel.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Number of freed bytes from which a call of the C library is worth its time.
const MIN_FREED: usize = 1 << 20;

/// Bytes that were freed since memory was last returned.
static FREED: AtomicUsize = AtomicUsize::new(0);

/// Notes that memory was freed that a burst has needed. [`give_back_freed`] returns it.
pub fn note_freed(bytes: usize) {
    FREED.fetch_add(bytes, Ordering::Relaxed);
}

/// Returns the noted memory to the kernel, if it is worth the time.
pub fn give_back_freed() {
    if FREED.load(Ordering::Relaxed) >= MIN_FREED {
        FREED.store(0, Ordering::Relaxed);
        give_back();
    }
}

/// Returns to the kernel the free memory that the C library keeps for later use. Some plugins make the host allocate
/// a lot once, in small pieces. The call takes about a millisecond.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes no pointers, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
