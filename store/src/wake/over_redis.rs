//! Hints between processes: PUBLISH and SUBSCRIBE on one channel, each message the name of a queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{Hint, Waiters};
use crate::redis_guard::{REST, RedisGuard};

/// Channel of the hints.
const CHANNEL: &str = "cookbook:wake";

/// Publishes hints as they come, each queue once for all hints that are waiting.
pub(super) async fn publish(client: redis::Client, limit: Duration, mut hints: mpsc::Receiver<Hint>) {
    let redis: RedisGuard = RedisGuard::of(client, limit, "other processes find new jobs by looking");
    let mut batch = Vec::new();
    while hints.recv_many(&mut batch, super::OUTBOX).await > 0 {
        let mut queues = BTreeSet::new();
        let mut flushes = Vec::new();
        for hint in batch.drain(..) {
            match hint {
                Hint::Queue(queue) => {
                    queues.insert(queue);
                }
                Hint::Flush(answer) => flushes.push(answer),
            }
        }
        for queue in queues {
            let publish = async |mut redis| redis::cmd("PUBLISH").arg(CHANNEL).arg(queue).exec_async(&mut redis).await;
            redis.ask(publish).await;
        }
        for answer in flushes {
            // Whoever asked may be gone.
            let _ = answer.send(());
        }
    }
}

/// Passes on hints from other processes, and subscribes again whenever the connection breaks. (Our own come back too, and find
/// nothing left to do.)
pub(super) async fn listen(client: redis::Client, limit: Duration, waiters: Arc<Waiters>) {
    let mut rest = REST.0;
    loop {
        if let Ok(Ok(mut messages)) = timeout(limit, subscribe(&client)).await {
            rest = REST.0;
            while let Some(message) = messages.next().await {
                if let Ok(queue) = message.get_payload::<String>() {
                    waiters.wake(&queue);
                }
            }
        }
        sleep(rest).await;
        rest = (rest * 2).min(REST.1);
    }
}

async fn subscribe(client: &redis::Client) -> Result<redis::aio::PubSubStream, redis::RedisError> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(CHANNEL).await?;
    Ok(subscription.into_on_message())
}
