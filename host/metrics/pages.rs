//! The pages that are served: metrics, health, and the report of the last minutes.

use std::sync::Arc;

use retrans_deliver::serve::Pages;
use retrans_deliver::serve::Reply;

use super::Format;
use super::Metrics;

/// What `/` of a consumer says: it sees events by partition, and keeps none.
#[cfg(feature = "fleet")]
const NO_REPORT: &str = "A consumer of a fleet has no report of events here: see /metrics. `retrans-host report`, \
                         with the addresses of the broker, makes a report of all hosts.";

/// The pages of a run that sees its events.
pub fn pages(metrics: &Arc<Metrics>) -> Pages {
    let of_recent = Arc::clone(metrics);
    numbers(metrics).with_slow("/", move |_| match of_recent.recent().page() {
        Ok(page) => Reply::new("text/html; charset=utf-8", page),
        Err(error) => Reply::unavailable(format_args!("the report cannot be made: {error}")),
    })
}

/// The pages of a consumer of a fleet.
#[cfg(feature = "fleet")]
pub fn of_consumer(metrics: &Arc<Metrics>) -> Pages {
    numbers(metrics).with("/", |_| Reply::text(NO_REPORT))
}

/// Metrics and health.
fn numbers(metrics: &Arc<Metrics>) -> Pages {
    let [of_metrics, of_alive, of_ready] = [(); 3].map(|()| Arc::clone(metrics));
    Pages::default()
        .with("/metrics", move |request| {
            let format = Format::accepted(&request.accept);
            Reply::new(format.content_type(), of_metrics.exposition(format))
        })
        .with("/healthz", move |_| status(of_alive.alive()))
        .with("/readyz", move |_| status(of_ready.ready()))
}

fn status(status: Result<(), String>) -> Reply {
    match status {
        Ok(()) => Reply::text("ok"),
        Err(why) => Reply::unavailable(why),
    }
}
