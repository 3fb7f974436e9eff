//! What the host logs while something runs.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::PoisonError;

use tracing::Level;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;

/// Runs something on this thread; what it returns, and the lines `LEVEL message` that were logged.
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
    // It is said where a plugin is compiled, and whether that was done before is no matter.
    let lines = lines.filter(|line| !line.ends_with("of memory to hold it"));
    (result, lines.collect())
}

/// Gives the threads of other tests a log that goes nowhere.
///
/// tracing remembers for each place that logs whether its lines are wanted. While a single subscriber
/// exists, it asks that of the thread that comes there first: another test's thread without a
/// subscriber would switch the place off for all, and the line would be missing here.
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
