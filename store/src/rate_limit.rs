//! Rate limits that all processes share, kept in Redis. Without it each process limits by itself.

use std::time::Duration;

use config::RedisSettings;
use redis::Script;

use crate::StoreError;
use crate::redis_guard::RedisGuard;

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
    redis: RedisGuard,
    script: Script,
}

impl SharedLimits {
    /// Takes Redis from the settings; `None` when none is configured. Nothing is connected yet.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn new(settings: &RedisSettings) -> Result<Option<Self>, StoreError> {
        let redis = RedisGuard::new(settings, "each process limits requests by itself")?;
        Ok(redis.map(|redis| Self {
            redis,
            script: Script::new(GCRA),
        }))
    }

    /// Takes one from each bucket, or from none. `None` when Redis is not there or too slow.
    pub async fn take(&self, asks: &[Ask]) -> Option<Vec<Granted>> {
        let mut call = self.script.prepare_invoke();
        for ask in asks {
            call.key(format!("{PREFIX}{}", ask.key)).arg(ask.per_minute);
        }
        let take = async |mut redis| call.invoke_async(&mut redis).await;
        let answers: Vec<(u8, u32, u64)> = self.redis.ask(take).await?;
        let granted = answers.into_iter().map(|(allowed, remaining, retry_us)| Granted {
            allowed: allowed == 1,
            remaining,
            retry_after: Duration::from_micros(retry_us),
        });
        Some(granted.collect())
    }
}
