//! The pages that are served: metrics, health, and the report of the last minutes.

use std::sync::Arc;

use retrans_deliver::serve::Pages;
use retrans_deliver::serve::Reply;

use super::Format;
use super::Metrics;

/// The pages of a run.
pub fn pages(metrics: &Arc<Metrics>) -> Pages {
    let [of_metrics, of_alive, of_ready, of_recent] = [(); 4].map(|()| Arc::clone(metrics));
    Pages::default()
        .with("/metrics", move |request| {
            let format = Format::accepted(&request.accept);
            Reply::new(format.content_type(), of_metrics.exposition(format))
        })
        .with("/healthz", move |_| status(of_alive.alive()))
        .with("/readyz", move |_| status(of_ready.ready()))
        .with_slow("/", move |_| match of_recent.recent().page() {
            Ok(page) => Reply::new("text/html; charset=utf-8", page),
            Err(error) => Reply::unavailable(format_args!("the report cannot be made: {error}")),
        })
}

fn status(status: Result<(), String>) -> Reply {
    match status {
        Ok(()) => Reply::text("ok"),
        Err(why) => Reply::unavailable(why),
    }
}
