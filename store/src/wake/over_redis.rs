//! Hints between processes: PUBLISH and SUBSCRIBE on one channel, each message the name of a queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{Hint, Waiters};

/// Channel of the hints.
const CHANNEL: &str = "cookbook:wake";

/// First and longest time that Redis is left alone after it failed.
const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// A circuit breaker: after a failure Redis is left alone for a while, and longer each time, so that its absence costs nothing.
struct Breaker {
    rest: Duration,
    open_until: Option<Instant>,
}

impl Breaker {
    fn new() -> Self {
        Self {
            rest: REST.0,
            open_until: None,
        }
    }

    fn is_open(&self) -> bool {
        self.open_until.is_some_and(|until| Instant::now() < until)
    }

    fn succeeded(&mut self) {
        if self.open_until.is_some() {
            tracing::info!("redis is back, wake-up hints reach other processes again");
        }
        *self = Self::new();
    }

    fn failed(&mut self, error: &str) {
        if self.open_until.is_none() {
            tracing::warn!(%error, "redis does not answer, other processes find new jobs by looking");
        }
        self.open_until = Some(Instant::now() + self.rest);
        self.rest = (self.rest * 2).min(REST.1);
    }
}

/// Publishes hints as they come, each queue once for all hints that are waiting.
pub(super) async fn publish(client: redis::Client, limit: Duration, mut hints: mpsc::Receiver<Hint>) {
    let mut breaker = Breaker::new();
    let mut connection: Option<MultiplexedConnection> = None;
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
            if breaker.is_open() {
                continue;
            }
            match timeout(limit, publish_one(&client, &mut connection, &queue)).await {
                Ok(Ok(())) => breaker.succeeded(),
                Ok(Err(error)) => {
                    connection = None;
                    breaker.failed(&error.to_string());
                }
                Err(_) => {
                    connection = None;
                    breaker.failed("timed out");
                }
            }
        }
        for answer in flushes {
            // Whoever asked may be gone.
            let _ = answer.send(());
        }
    }
}

async fn publish_one(
    client: &redis::Client,
    connection: &mut Option<MultiplexedConnection>,
    queue: &str,
) -> Result<(), redis::RedisError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(client.get_multiplexed_async_connection().await?),
    };
    redis::cmd("PUBLISH").arg(CHANNEL).arg(queue).exec_async(connection).await
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
