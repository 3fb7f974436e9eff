//! Captures the log lines of a plugin.

use std::cell::RefCell;
use std::sync::Once;

use log::Level;

thread_local! {
    /// The log lines of this thread's plugin; every test runs on its own thread.
    static LOGGED: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Starts to capture, without any line. Captures nothing where the test has set a logger of its own, which
/// stays.
pub(super) fn capture() {
    struct Capture;

    impl log::Log for Capture {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            let line = (record.level(), record.args().to_string());
            LOGGED.with_borrow_mut(|logged| logged.push(line));
        }

        fn flush(&self) {}
    }

    static SET: Once = Once::new();
    SET.call_once(|| {
        if log::set_logger(&Capture).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
    });
    take();
}

/// Returns the lines that were logged since the last call, and clears them.
pub(super) fn take() -> Vec<(Level, String)> {
    LOGGED.take()
}
