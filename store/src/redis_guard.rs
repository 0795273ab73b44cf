//! Redis behind a time limit and a circuit breaker: its absence costs one timeout and not one a request.
//!
//! Whatever is kept in Redis can be done without, so nothing here is an error: an answer that does not come is `None`, and one warning
//! when that begins.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use config::RedisSettings;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use tokio::time::timeout;

/// First and longest time that Redis is left alone after it failed; it doubles with every failure in between.
pub(crate) const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// A connection, with whatever belongs to it. Clones share it.
pub(crate) trait Connection: Clone {
    /// Connects anew.
    ///
    /// # Errors
    /// Redis is not there, or refused.
    fn connect(client: &Client) -> impl Future<Output = Result<Self, RedisError>> + Send;
}

impl Connection for MultiplexedConnection {
    async fn connect(client: &Client) -> Result<Self, RedisError> {
        client.get_multiplexed_async_connection().await
    }
}

/// Redis for one purpose.
pub(crate) struct RedisGuard<C = MultiplexedConnection> {
    client: Client,
    limit: Duration,
    /// What is said when it does not answer, and when it does again.
    without: &'static str,
    state: Mutex<State<C>>,
    connecting: tokio::sync::Mutex<()>,
}

struct State<C> {
    connection: Option<C>,
    rest: Duration,
    rests_until: Option<Instant>,
}

impl<C: Connection> RedisGuard<C> {
    /// The Redis of `redis.url`, not connected yet; none when that is empty. `without` says what happens while it does not answer.
    ///
    /// # Errors
    /// The URL is malformed.
    pub(crate) fn new(settings: &RedisSettings, without: &'static str) -> Result<Option<Self>, RedisError> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self::of(
            Client::open(settings.url.expose())?,
            settings.timeout(),
            without,
        )))
    }

    /// A client's Redis, which has so much time for each answer.
    pub(crate) fn of(client: Client, limit: Duration, without: &'static str) -> Self {
        Self {
            client,
            limit,
            without,
            state: Mutex::new(State {
                connection: None,
                rest: REST.0,
                rests_until: None,
            }),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Does something with Redis in the time that it has. None when that failed, or while Redis is left alone.
    pub(crate) async fn ask<T, W>(&self, work: impl FnOnce(C) -> W) -> Option<T>
    where
        W: Future<Output = Result<T, RedisError>>,
    {
        if self.state().rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let asked = timeout(self.limit, async {
            let connection = self.connection().await?;
            match work(connection).await {
                // Somebody else's value under our name. Others are well.
                Err(error) if is_wrong_type(&error) => Ok(None),
                answer => answer.map(Some),
            }
        });
        let error = match asked.await {
            Ok(Ok(answer)) => {
                self.succeeded();
                return answer;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        self.failed(&error);
        None
    }

    /// The connection, which one makes for all who come meanwhile.
    async fn connection(&self) -> Result<C, RedisError> {
        if let Some(connection) = self.state().connection.clone() {
            return Ok(connection);
        }
        let _turn = self.connecting.lock().await;
        if let Some(connection) = self.state().connection.clone() {
            return Ok(connection);
        }
        let connection = self.connect().await?;
        self.state().connection = Some(connection.clone());
        Ok(connection)
    }

    /// A connection of its own, whatever happened before: for what must be answered.
    ///
    /// # Errors
    /// Redis is not there, or refused.
    pub(crate) async fn connect(&self) -> Result<C, RedisError> {
        C::connect(&self.client).await
    }

    fn succeeded(&self) {
        let mut state = self.state();
        state.rest = REST.0;
        if state.rests_until.take().is_some() {
            tracing::info!("redis is back, no longer: {}", self.without);
        }
    }

    fn failed(&self, error: &str) {
        let now = Instant::now();
        let mut state = self.state();
        match state.rests_until {
            // Whoever asked at the same time has failed for the same reason.
            Some(until) if now < until => return,
            Some(_) => {}
            None => tracing::warn!(%error, "redis does not answer: {}", self.without),
        }
        let rest = state.rest;
        *state = State {
            connection: None,
            rest: (rest * 2).min(REST.1),
            rests_until: Some(now + rest),
        };
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> std::fmt::Debug for RedisGuard<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisGuard")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Whether a name has a value of another type. A pipeline's error has no code of its own, only those of its commands.
pub(crate) fn is_wrong_type(error: &RedisError) -> bool {
    error.to_string().contains("WRONGTYPE")
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_fail_at_once_fail_once_and_redis_is_left_alone_longer_each_time() {
        // Nobody listens there.
        let client = Client::open("redis://127.0.0.1:1").expect("a URL");
        let guard: RedisGuard = RedisGuard::of(client, Duration::from_secs(5), "nothing");
        let ask = || guard.ask(async |mut redis| redis::cmd("PING").exec_async(&mut redis).await);
        let rest = || guard.state().rest;
        assert!(join_all((0..20).map(|_| ask())).await.iter().all(Option::is_none));
        assert_eq!(rest(), REST.0 * 2);
        tokio::time::sleep(REST.0).await;
        assert!(ask().await.is_none());
        assert_eq!(rest(), REST.0 * 4);
    }
}
