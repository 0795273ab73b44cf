//! Rate limits that all processes share, kept in Redis. Without it each process limits by itself.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use config::RedisSettings;
use redis::Script;
use redis::aio::MultiplexedConnection;

use crate::StoreError;

/// The generic cell rate algorithm (the leaky bucket of ATM Forum TM 4.0, as a meter): each key holds the time at which its bucket is full
/// again. Asks are granted all or none, so that a refused request costs nothing. Times are Redis' own, in microseconds.
const GCRA: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers, arrivals, allowed = {}, {}, true
for i, key in ipairs(KEYS) do
  local quota = tonumber(ARGV[i])
  local interval = 60000000 / quota
  local full = math.max(tonumber(redis.call('GET', key) or now), now)
  local next = full + interval
  local over = next - now - 60000000
  arrivals[i] = next
  if over > 0.5 then
    allowed = false
    answers[i] = { 0, 0, math.ceil(over) }
  else
    answers[i] = { 1, math.floor((60000000 - (next - now)) / interval + 0.001), 0 }
  end
end
if allowed then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', arrivals[i]), 'PX', math.ceil((arrivals[i] - now) / 1000) + 1)
  end
end
return answers
";

/// Beginning of every key.
const PREFIX: &str = "cookbook:limit:";

/// First and longest time that Redis is left alone after it failed.
const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// One bucket that a request takes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose bucket.
    pub key: String,
    /// Requests a minute; as many at once.
    pub per_minute: u32,
}

/// What a bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Whether there was something left.
    pub allowed: bool,
    /// Requests that are left.
    pub remaining: u32,
    /// When it is worth trying again.
    pub retry_after: Duration,
}

/// The shared limits.
#[derive(Debug)]
pub struct SharedLimits {
    client: redis::Client,
    timeout: Duration,
    script: Script,
    state: Mutex<State>,
}

/// The connection, and a circuit breaker: after a failure Redis is left alone for a while, and longer each time.
#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    rest: Duration,
    rests_until: Option<Instant>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl SharedLimits {
    /// Takes Redis from the settings; `None` when none is configured. Nothing is connected yet.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn new(settings: &RedisSettings) -> Result<Option<Self>, StoreError> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            client: redis::Client::open(settings.url.expose())?,
            timeout: settings.timeout(),
            script: Script::new(GCRA),
            state: Mutex::default(),
        }))
    }

    /// Takes one from each bucket, or from none. `None` when Redis is not there or too slow.
    pub async fn take(&self, asks: &[Ask]) -> Option<Vec<Granted>> {
        if self.lock().rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match tokio::time::timeout(self.timeout, self.ask(asks)).await {
            Ok(Ok(granted)) => {
                let mut state = self.lock();
                if state.rests_until.take().is_some() {
                    tracing::info!("redis is back, rate limits are shared again");
                }
                state.rest = Duration::ZERO;
                Some(granted)
            }
            Ok(Err(error)) => self.failed(&error.to_string()),
            Err(_) => self.failed("timed out"),
        }
    }

    async fn ask(&self, asks: &[Ask]) -> Result<Vec<Granted>, redis::RedisError> {
        let open = self.lock().connection.clone();
        let mut connection = match open {
            Some(connection) => connection,
            None => {
                let connection = self.client.get_multiplexed_async_connection().await?;
                self.lock().connection = Some(connection.clone());
                connection
            }
        };
        let mut call = self.script.prepare_invoke();
        for ask in asks {
            call.key(format!("{PREFIX}{}", ask.key)).arg(ask.per_minute);
        }
        let answers: Vec<(u8, u32, u64)> = call.invoke_async(&mut connection).await?;
        Ok(answers
            .into_iter()
            .map(|(allowed, remaining, retry_us)| Granted {
                allowed: allowed == 1,
                remaining,
                retry_after: Duration::from_micros(retry_us),
            })
            .collect())
    }

    fn failed(&self, error: &str) -> Option<Vec<Granted>> {
        let mut state = self.lock();
        if state.rests_until.is_none() {
            tracing::warn!(%error, "redis does not answer, each process limits by itself");
        }
        state.connection = None;
        state.rest = (state.rest * 2).clamp(REST.0, REST.1);
        state.rests_until = Some(Instant::now() + state.rest);
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
