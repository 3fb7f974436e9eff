//! The thread that delivers: starts the couriers of receivers that are new, and ends those of receivers that are gone.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::outlet::Task;
use super::receivers::Gone;
use super::receivers::Step;
use super::shared::Shared;
use crate::moment::Clock;

/// Most threads for what takes time: two look-ups of names of hosts, for which the C library waits, and a slow page.
const MAX_HELPERS: usize = 3;

/// What runs in the thread that delivers.
pub struct Runner {
    clock: Clock,
    shared: Arc<Shared>,
    steps: mpsc::UnboundedReceiver<Vec<Step>>,
    /// What else runs in the thread.
    tasks: Vec<Task>,
    files: Vec<PathBuf>,
}

impl Runner {
    pub(super) fn new(
        clock: Clock,
        shared: Arc<Shared>,
        steps: mpsc::UnboundedReceiver<Vec<Step>>,
        files: Vec<PathBuf>,
    ) -> Runner {
        Runner {
            clock,
            shared,
            steps,
            tasks: Vec::new(),
            files,
        }
    }

    /// The files that are read again during the run: secrets, so that they can be renewed. Where they can no longer be
    /// read, they stay as they are. [`Outlets::change`](super::Outlets::change) reads the other files of the configuration
    /// as well.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Runs a further task in the same thread, from the start until the end of [`run`](Runner::run), which does not wait
    /// for it: the task is dropped then. It must not block the thread.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(Box::pin(task));
    }

    /// Delivers, until [`Outlets::finish`](super::Outlets::finish). Call it in a thread of its own. It starts at most
    /// three further threads, to look up the names of hosts and to make slow pages.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(MAX_HELPERS)
            .thread_name("network helper")
            .build()?;
        let Runner {
            clock,
            shared,
            steps,
            tasks,
            files: _,
        } = self;
        runtime.spawn(follow(steps, Arc::clone(&shared)));
        for task in tasks {
            runtime.spawn(task);
        }
        runtime.spawn(watch_limit(Arc::clone(&shared), clock));
        runtime.block_on(shared.stop.notified());
        // A look-up that hangs does not keep the thread.
        runtime.shutdown_background();
        Ok(())
    }
}

/// Makes the steps of one change after the other, and those of one change at the same time. A receiver that is to be ended
/// was therefore started.
async fn follow(mut changes: mpsc::UnboundedReceiver<Vec<Step>>, shared: Arc<Shared>) {
    while let Some(steps) = changes.recv().await {
        let steps = steps.into_iter().map(|step| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                if let Some(gone) = step.end {
                    end(gone, &shared).await;
                }
                if let Some((outlet, couriers)) = step.start {
                    outlet.start(couriers);
                }
            })
        });
        for step in steps.collect::<Vec<_>>() {
            let _ = step.await;
        }
    }
}

/// Waits until a closed receiver has delivered what is queued, for its time at most, and settles its account.
async fn end(gone: Gone, shared: &Shared) {
    let Gone { outlet, timeout } = gone;
    let mut couriers = outlet.take_couriers();
    let delivered = async {
        for courier in &mut couriers {
            // One that has panicked has ended.
            let _ = courier.await;
        }
    };
    let _ = tokio::time::timeout(timeout, delivered).await;
    couriers.iter().for_each(|courier| courier.abort());
    for (name, failed) in shared.receivers_mut().settle(&outlet) {
        tracing::warn!("{name}: {failed} were not delivered within {timeout:?} of its removal");
    }
}

/// Tells when the limit is over.
async fn watch_limit(shared: Arc<Shared>, clock: Clock) {
    loop {
        let next = shared.limit().next();
        let reached = shared.limit_reached.notified();
        match next {
            None => reached.await,
            Some(next) => {
                let next = clock.instant(next).into();
                if tokio::time::timeout_at(next, reached).await.is_err() {
                    shared.tell_of_limit(clock);
                }
            }
        }
    }
}
