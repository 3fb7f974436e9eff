//! Catches what a plugin logs.

use std::cell::RefCell;
use std::sync::Once;

use log::Level;

thread_local! {
    /// What this thread's plugin has logged; tests run on threads of their own.
    static LOGGED: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Begins to catch, with nothing caught. A logger that the test has set itself stays, and then
/// nothing is.
pub(super) fn catch() {
    struct Catcher;

    impl log::Log for Catcher {
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
        if log::set_logger(&Catcher).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
    });
    take();
}

/// What was logged since.
pub(super) fn take() -> Vec<(Level, String)> {
    LOGGED.take()
}
