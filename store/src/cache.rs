//! Values kept in Redis for other processes and the next start: a cache, and nothing else.
//!
//! Whatever goes wrong (no Redis, a slow one, a value of another version) is a miss, and one warning when it begins. After a failure Redis
//! is left alone for a while, so that its absence costs nothing. Every key is a case of [`Key`], so that no two uses meet by chance.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use config::RedisSettings;
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::trending::{Generation, Span};

/// How long Redis is left alone after it failed.
const REST: Duration = Duration::from_secs(5);

/// What may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A board of workflows.
    TrendingWorkflows {
        /// Of which generation. Its time tells generations of different databases apart, whose ids are alike.
        generation: Generation,
        /// Of which span.
        span: Span,
    },
    /// A board of creators.
    TrendingCreators {
        /// Of which generation.
        generation: Generation,
        /// Of which span.
        span: Span,
    },
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (list, generation, span) = match self {
            Key::TrendingWorkflows { generation, span } => ("workflows", generation, span),
            Key::TrendingCreators { generation, span } => ("creators", generation, span),
        };
        let as_of = generation.as_of.timestamp_micros();
        write!(f, "cookbook:trending:1:{list}:{}.{as_of}:{span}", generation.id)
    }
}

/// The cache. Clones share its connection.
#[derive(Clone, Debug, Default)]
pub struct Cache(Option<Arc<Remote>>);

#[derive(Debug)]
struct Remote {
    client: redis::Client,
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    rests_until: Option<Instant>,
}

impl Cache {
    /// A cache in the Redis of `redis.url`; one that keeps nothing when that is empty or malformed (which is said when wake-ups start).
    pub fn new(settings: &RedisSettings) -> Self {
        let url = settings.url.expose();
        let client = (!url.is_empty()).then(|| redis::Client::open(url).ok()).flatten();
        Self(client.map(|client| {
            Arc::new(Remote {
                client,
                limit: settings.timeout(),
                state: Mutex::default(),
            })
        }))
    }

    /// What is kept under a key.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let remote = self.0.as_ref()?;
        let mut get = redis::cmd("GET");
        get.arg(key.to_string());
        let bytes: Option<Vec<u8>> = remote.ask(&get).await.flatten();
        let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let result = if value.is_some() { "hit" } else { "miss" };
        metrics::counter!("cookbook_cache_total", "cache" => "boards", "result" => result).increment(1);
        value
    }

    /// Keeps a value for a while.
    pub async fn put<T: Serialize + ?Sized>(&self, key: &Key, value: &T, keep: Duration) {
        let Some(remote) = &self.0 else { return };
        let Ok(bytes) = serde_json::to_vec(value) else { return };
        let mut set = redis::cmd("SET");
        set.arg(key.to_string()).arg(bytes).arg("EX").arg(keep.as_secs().max(1));
        let _: Option<()> = remote.ask(&set).await;
    }
}

impl Remote {
    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        let connection = {
            let state = self.state();
            if state.rests_until.is_some_and(|until| Instant::now() < until) {
                return None;
            }
            state.connection.clone()
        };
        let asked = timeout(self.limit, async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.client.get_multiplexed_async_connection().await?,
            };
            let answer = command.query_async(&mut connection).await?;
            Ok::<_, redis::RedisError>((connection, answer))
        })
        .await;
        let mut state = self.state();
        let error = match asked {
            Ok(Ok((connection, answer))) => {
                *state = State {
                    connection: Some(connection),
                    rests_until: None,
                };
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        if state.rests_until.is_none() {
            tracing::warn!(%error, "redis does not answer, nothing is cached there meanwhile");
        }
        *state = State {
            connection: None,
            rests_until: Some(Instant::now() + REST),
        };
        None
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
