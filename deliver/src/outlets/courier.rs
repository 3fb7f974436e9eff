//! Takes what is due from an outbox, delivers it to one receiver, and reports what became of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

use crate::alert::Alert;
use crate::counted::Counted;
use crate::health::Note;
use crate::http::client::Answer;
use crate::http::client::Client;
use crate::http::client::Post;
use crate::moment::Clock;
use crate::moment::Moment;
use crate::outbox::Next;
use crate::outbox::Outbox;
use crate::retry::Outcome;

/// Time for which alerts gather after one came, so that many of them wake the thread seldom.
const GATHER: Duration = Duration::from_millis(50);

/// Makes requests of jobs.
pub(crate) trait Compose<J>: Send {
    /// The request. An error is final: no attempt at this job can succeed.
    fn compose(&mut self, job: J, now: Moment) -> Result<Post, String>;

    /// What became of a request, by its answer.
    fn judge(&self, answer: &Answer) -> Outcome {
        answer.outcome()
    }

    /// The files that it reads again.
    fn files(&self) -> Vec<PathBuf>;
}

/// The way to one receiver.
pub(crate) struct Route<J> {
    /// Name of the receiver.
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) compose: Box<dyn Compose<J>>,
}

impl<J> Route<J> {
    /// The files that are read again for each request.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = self.compose.files();
        files.extend(self.client.secret_file());
        files
    }
}

/// An outbox that several threads use. The lock is held for as long as a request is put together, and never while
/// something waits.
pub(crate) struct Desk<O> {
    outbox: Mutex<O>,
    /// For each receiver: something has changed.
    wake: Vec<Notify>,
    is_closing: AtomicBool,
}

/// A desk, whatever its outbox.
pub(crate) trait Counter: Send + Sync {
    /// Takes alerts, all at once: each with whether the limit of alerts lets it through. Others are only counted.
    fn accept(&self, alerts: &[(&Alert, bool)], now: Moment);

    /// From now on only what is queued is delivered.
    fn close(&self);

    /// The counters of each receiver.
    fn counted(&self) -> Vec<Counted>;
}

impl<O: Outbox> Desk<O> {
    /// A desk for this number of receivers.
    pub(crate) fn new(outbox: O, receivers: usize) -> Arc<Desk<O>> {
        Arc::new(Desk {
            outbox: Mutex::new(outbox),
            wake: (0..receivers).map(|_| Notify::new()).collect(),
            is_closing: AtomicBool::new(false),
        })
    }

    fn outbox(&self) -> MutexGuard<'_, O> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the outbox, of which there is something to deliver then.
    pub(crate) fn change(&self, change: impl FnOnce(&mut O)) {
        change(&mut self.outbox());
        self.wake();
    }

    fn wake(&self) {
        self.wake.iter().for_each(Notify::notify_one);
    }
}

impl<O: Outbox> Counter for Desk<O> {
    fn accept(&self, alerts: &[(&Alert, bool)], now: Moment) {
        self.change(|outbox| {
            for (alert, is_admitted) in alerts {
                match is_admitted {
                    true => outbox.accept(alert, now),
                    false => outbox.hold_back(),
                }
            }
        });
    }

    fn close(&self) {
        self.outbox().close();
        self.is_closing.store(true, Ordering::Release);
        self.wake();
    }

    fn counted(&self) -> Vec<Counted> {
        self.outbox().counted()
    }
}

/// Delivers to one receiver, until everything is delivered after the desk was closed.
pub(crate) async fn run<O: Outbox>(
    desk: Arc<Desk<O>>,
    receiver: usize,
    mut route: Route<O::Job>,
    clock: Clock,
) {
    loop {
        let now = clock.now();
        let is_closing = desk.is_closing.load(Ordering::Acquire);
        let (next, notes) = {
            let mut outbox = desk.outbox();
            let next = outbox.next(receiver, now, is_closing);
            (next, outbox.notes(receiver, now, is_closing))
        };
        tell(&route.name, notes);
        match next {
            Next::Deliver(job) => {
                let outcome = match route.compose.compose(job, now) {
                    Ok(post) => match route.client.post(post, now).await {
                        Ok(answer) => route.compose.judge(&answer),
                        Err(outcome) => outcome,
                    },
                    Err(why) => Outcome::Refused(why),
                };
                desk.outbox().answered(receiver, outcome, clock.now());
            }
            Next::Wait(_) if is_closing && desk.counted()[receiver].queued == 0 => return,
            Next::Wait(until) => {
                let changed = desk.wake[receiver].notified();
                match until {
                    None => changed.await,
                    Some(until) => {
                        let until = clock.instant(until).into();
                        let _ = tokio::time::timeout_at(until, changed).await;
                    }
                }
                if !desk.is_closing.load(Ordering::Acquire) {
                    tokio::time::sleep(GATHER).await;
                }
            }
        }
    }
}

fn tell(name: &str, notes: Vec<Note>) {
    for note in notes {
        match note {
            Note::Warning(text) => tracing::warn!("{name}: {text}"),
            Note::Info(text) => tracing::info!("{name}: {text}"),
        }
    }
}
