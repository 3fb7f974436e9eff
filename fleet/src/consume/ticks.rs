//! Ticks: the owner of a partition publishes one a second into it, so that its time goes on without events.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use async_nats::connection::State;
use async_nats::jetstream::message::PublishMessage;
use tokio::time::MissedTickBehavior;

use super::api::Api;
use super::api::causes;
use crate::connect::Broker;
use crate::names::tick_subject;
use crate::partition::Partition;

/// Time between ticks.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// Time for the answer to a tick.
const TICK_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes ticks until it is dropped. Seconds in which the broker does not answer have none.
pub async fn publish_ticks(broker: &Broker, partition: Partition) {
    let api = Api::new(broker, TICK_TIMEOUT);
    let mut interval = tokio::time::interval(TICK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // The client would keep what cannot be sent, and send it when its second has passed.
        if api.client.connection_state() != State::Connected {
            continue;
        }
        if let Err(cause) = publish_tick(&api, partition).await {
            tracing::debug!("a tick of partition {partition} was not published: {cause}");
        }
    }
}

async fn publish_tick(api: &Api, partition: Partition) -> Result<(), String> {
    let second = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    // Two consumers that both believe to own the partition publish one tick.
    let message = PublishMessage::build().message_id(format!("tick/{partition}/{second}"));
    let published = api
        .jetstream
        .send_publish(tick_subject(partition), message)
        .await;
    let acknowledged = published.map_err(|error| causes(&error))?.await;
    acknowledged.map(|_| ()).map_err(|error| causes(&error))
}
