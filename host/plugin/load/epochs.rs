//! Epochs: while a plugin is running, a thread advances the epoch of every engine, at the end of which the deadline of the
//! call is checked. While none is running, the thread sleeps, so that an idle host has no wake-ups.

use std::io;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use wasmtime::EngineWeak;

use crate::system::threads;

/// Length of an epoch in nanoseconds.
static INTERVAL: AtomicU64 = AtomicU64::new(5_000_000);

/// Number of calls of plugins that are running.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Whether the thread sleeps until a call begins.
static SLEEPS: AtomicBool = AtomicBool::new(false);

/// The thread that advances epochs.
static THREAD: OnceLock<Thread> = OnceLock::new();

/// The engines whose epochs are advanced.
static ENGINES: Mutex<Vec<EngineWeak>> = Mutex::new(Vec::new());

/// Advances the epochs of this engine for as long as it exists.
///
/// # Errors
///
/// If the thread cannot be started.
pub fn advance(engine: EngineWeak) -> io::Result<()> {
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    engines.push(engine);
    if THREAD.get().is_none() {
        let thread = threads::named("epochs").spawn(run)?.thread().clone();
        // This is the only place that sets it, under the lock of `ENGINES`.
        let _ = THREAD.set(thread);
    }
    Ok(())
}

/// Sets the length of epochs.
pub fn set_interval(interval: Duration) {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    INTERVAL.store(nanos, Ordering::Relaxed);
}

/// A running call of a plugin. Epochs end while there is one.
#[derive(Debug)]
pub struct RunningCall(());

impl RunningCall {
    /// Begins a call.
    pub fn begin() -> RunningCall {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        if SLEEPS.load(Ordering::SeqCst)
            && let Some(thread) = THREAD.get()
        {
            thread.unpark();
        }
        RunningCall(())
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run() {
    loop {
        // A call that begins after the second look finds that this thread sleeps, and wakes it.
        if RUNNING.load(Ordering::SeqCst) == 0 {
            SLEEPS.store(true, Ordering::SeqCst);
            while RUNNING.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            SLEEPS.store(false, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_nanos(INTERVAL.load(Ordering::Relaxed)));
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|engine| {
            let engine = engine.upgrade();
            if let Some(engine) = &engine {
                engine.increment_epoch();
            }
            engine.is_some()
        });
    }
}
