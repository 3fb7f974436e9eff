//! Captures the host's log.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::PoisonError;

use tracing::Level;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;

/// Calls `run` on this thread; its result, and the lines `LEVEL message` that this thread logged.
pub fn logged<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    log_of_other_threads_is_wanted();
    let buffer = Buffer::default();
    let subscriber = fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_writer(buffer.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, run);
    let bytes = buffer.0.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8(bytes.clone()).expect("the log is text");
    let lines = text.lines().map(|line| line.trim_start().to_owned());
    // Logged where a plugin is compiled, but not where its code is cached.
    let lines = lines.filter(|line| !line.ends_with("of memory to hold it"));
    (result, lines.collect())
}

/// Gives threads without a subscriber one that discards everything.
///
/// tracing caches for each call site whether a subscriber wants it. While the process has a single
/// subscriber, it asks the default of the thread that reaches the call site first: another test's
/// thread without a subscriber would disable the call site for this one, too.
fn log_of_other_threads_is_wanted() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let nowhere = fmt()
            .with_max_level(Level::TRACE)
            .with_writer(io::sink)
            .finish();
        tracing::subscriber::set_global_default(nowhere).expect("no test sets another one");
    });
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Buffer {
    type Writer = Buffer;

    fn make_writer(&self) -> Buffer {
        self.clone()
    }
}
