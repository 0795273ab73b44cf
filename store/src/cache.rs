//! Values kept in Redis for other processes and the next start: a cache, and nothing else.
//!
//! Whatever goes wrong (no Redis, a slow one, a value of another version) is a miss. Every key is a case of [`Key`], so that no two uses meet
//! by chance.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config::RedisSettings;
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::redis_guard::RedisGuard;
use crate::trending::{Generation, Span};

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
pub struct Cache(Option<Arc<RedisGuard>>);

impl Cache {
    /// A cache in the Redis of `redis.url`; one that keeps nothing when that is empty or malformed (which is said when wake-ups start).
    pub fn new(settings: &RedisSettings) -> Self {
        let redis = RedisGuard::new(settings, "lists of what trends are read from the database")
            .ok()
            .flatten();
        Self(redis.map(Arc::new))
    }

    /// What is kept under a key.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let redis = self.0.as_ref()?;
        let get = async |mut redis: MultiplexedConnection| redis::cmd("GET").arg(key.to_string()).query_async(&mut redis).await;
        let bytes: Option<Vec<u8>> = redis.ask(get).await.flatten();
        let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let result = if value.is_some() { "hit" } else { "miss" };
        metrics::counter!("cookbook_cache_total", "cache" => "boards", "result" => result).increment(1);
        value
    }

    /// Keeps a value for a while.
    pub async fn put<T: Serialize + ?Sized>(&self, key: &Key, value: &T, keep: Duration) {
        let Some(redis) = &self.0 else { return };
        let Ok(bytes) = serde_json::to_vec(value) else { return };
        let mut set = redis::cmd("SET");
        set.arg(key.to_string()).arg(bytes).arg("EX").arg(keep.as_secs().max(1));
        redis.ask(async |mut redis| set.exec_async(&mut redis).await).await;
    }
}
