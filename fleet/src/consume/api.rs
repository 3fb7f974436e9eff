//! The broker as consumers use it: each request has a time.

use std::error::Error;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::context::PublishErrorKind;

use crate::connect::Broker;
use crate::connect::NO_ANSWER;

/// JetStream of a broker, where a request and an acknowledgement take a certain time at most.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
}

impl Api {
    pub(crate) fn new(broker: &Broker, timeout: Duration) -> Api {
        let mut jetstream = broker.jetstream().clone();
        jetstream.set_timeout(timeout);
        Api {
            client: broker.client().clone(),
            jetstream,
        }
    }

    /// A text that no other caller gets, from letters and digits.
    pub(crate) fn unique(&self) -> String {
        let inbox = self.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
    }
}

/// An error with its causes.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let published = error.downcast_ref::<PublishError>();
        if published.is_some_and(|error| error.kind() == PublishErrorKind::TimedOut) {
            return NO_ANSWER.to_owned();
        }
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
