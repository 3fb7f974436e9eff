//! Keeps files that this process has inherited from the processes that it starts: a shell may have left some open.

use std::fs;

/// Marks every open file beyond the standard streams to be closed in programs that this process executes. Files that are
/// opened later are marked when they are opened.
pub fn end_at_exec() {
    // Without /proc, no plugin can be compiled, and no process is started.
    let entries = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Collected first: one of them is the directory itself, which is closed then.
    let numbers: Vec<libc::c_int> = numbers.collect();
    for number in numbers
        .into_iter()
        .filter(|number| *number > libc::STDERR_FILENO)
    {
        // SAFETY: this changes a flag of a descriptor, and fails for one that is closed.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
