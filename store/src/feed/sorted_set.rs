//! Feeds in Redis: one sorted set a reader, as a copy of their rows in `user_feed_cache`.
//!
//! **Keys.** `cookbook:feed:<generation>:<server>:<user>:<version>`. The generation is in MySQL and moves on when fan-out could not write to
//! Redis; the server is the beginning of Redis' own `run_id`, so that one that was started again, from whatever snapshot, holds nothing
//! that is read; the version is in MySQL too and moves on when the reader's feed was changed otherwise than by fan-out. What is not read any
//! more goes by its time to live.
//!
//! **Members.** An activity is its id in eight bytes, the highest first, with its time as score, so that Redis' order is the feed's. The
//! *floor* is a member of its own, just below the lowest activity from which on the set is complete: its id less one, and an `f`. The
//! *seal* is a member whose score says how many members there are: a set without it is being filled, and one that has another number
//! is not what we made it. Neither is read.
//!
//! **Filling.** Whoever fills adds a mark of their own first, reads MySQL after, and adds what they read only while the mark is
//! there. Fan-out commits to MySQL first and adds to sets that exist after. So either it finds the mark, or who fills finds its row.
//!
//! **Trouble.** Every error is a miss. After one Redis is left alone for a while, so that its absence costs one timeout and not one
//! a page.

use std::sync::Arc;

use config::{FeedSettings, RedisSettings};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Script};

use super::Key;
use crate::redis_guard::{Connection, RedisGuard, is_wrong_type};
use crate::{StoreError, UserId};

/// Beginning of every key.
const PREFIX: &str = "cookbook:feed";

/// Members read at once. A page needs about half as many; those of one second before its cursor come along.
const READ: usize = 128;

/// Commands of fan-out in one round trip.
const ADDED_AT_ONCE: usize = 500;

/// Seconds that an unfinished fill may take.
const FILL_S: u64 = 30;

/// Score of the marks of who fills: below every activity and floor.
const MARK_SCORE: i64 = -1;

/// The seal. Its score is the number of members, counted down from -1.
const SEAL: &[u8] = b"!";

/// Adds members to a set that exists; when it then holds too many, takes the lowest away and leaves a new floor; and seals it again if it was
/// sealed. KEYS: the set. ARGV: how many it may hold, how many it then keeps, then scores and members.
const ADD: &str = r"
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 3, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
local sealed = redis.call('ZSCORE', KEYS[1], '!')
if not sealed then return 1 end
local count = redis.call('ZCARD', KEYS[1])
if count > tonumber(ARGV[1]) then
  local lowest = redis.call('ZREVRANGE', KEYS[1], ARGV[2] - 1, ARGV[2] - 1, 'WITHSCORES')
  local member, score = lowest[1], lowest[2]
  if #member == 8 then
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, count - ARGV[2] - 1)
    local bytes, i = { string.byte(member, 1, 8) }, 8
    while i > 0 and bytes[i] == 0 do bytes[i] = 255; i = i - 1 end
    if i > 0 then bytes[i] = bytes[i] - 1 end
    redis.call('ZADD', KEYS[1], score, string.char(unpack(bytes)) .. 'f')
    redis.call('ZADD', KEYS[1], -1, '!')
  end
end
redis.call('ZADD', KEYS[1], -1 - redis.call('ZCARD', KEYS[1]), '!')
return 1
";

/// Adds what was read and seals the set, if the mark of who read it is still there. KEYS: the set. ARGV: the mark, seconds to live, then
/// scores and members.
const FINISH: &str = r"
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
for i = 3, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], -1, '!')
redis.call('ZADD', KEYS[1], -1 - redis.call('ZCARD', KEYS[1]), '!')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
";

/// Feeds in Redis. Clones share everything. Without Redis every read is a miss and every write a failure.
#[derive(Clone)]
pub struct FeedCache {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    redis: RedisGuard<Connected>,
    ttl_s: u64,
    cap: usize,
    add: Script,
    finish: Script,
}

#[derive(Clone)]
struct Connected {
    redis: MultiplexedConnection,
    /// Beginning of the server's `run_id`.
    server: Arc<str>,
}

impl std::fmt::Debug for FeedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedCache").field("redis", &self.shared.is_some()).finish()
    }
}

/// Which set: of whom, and in which state of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetName {
    pub(super) generation: u32,
    pub(super) user: UserId,
    pub(super) version: u32,
}

/// What a set had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cached {
    /// Keys, the newest first.
    pub(super) keys: Vec<Key>,
    /// The floor, when these are all keys down to it.
    pub(super) floor: Option<Key>,
}

/// A fill that has begun.
pub(super) struct Filling {
    name: SetName,
    mark: [u8; 9],
}

impl FeedCache {
    /// Nothing is connected yet: Redis may come and go. With a malformed URL, which `Wake::start` refuses, there is none.
    pub fn new(redis: &RedisSettings, feed: &FeedSettings) -> Self {
        let guarded = RedisGuard::new(redis, "feeds are read from the database").ok().flatten();
        Self {
            shared: guarded.map(|redis| {
                Arc::new(Shared {
                    redis,
                    ttl_s: feed.redis_ttl_s,
                    cap: feed.cap as usize,
                    add: Script::new(ADD),
                    finish: Script::new(FINISH),
                })
            }),
        }
    }

    /// No Redis at all.
    pub fn none() -> Self {
        Self { shared: None }
    }

    /// Up to `want` keys before `before`. None when Redis does not have the feed, whatever the reason.
    pub(super) async fn read(&self, name: SetName, before: Key, want: usize) -> Option<Cached> {
        let shared = self.shared.as_ref()?;
        shared
            .redis
            .ask(async |Connected { mut redis, server }| shared.read(&mut redis, &name.of(&server), before, want).await)
            .await?
    }

    /// Begins to fill a set: from now on fan-out adds to it. None without Redis.
    pub(super) async fn begin_fill(&self, name: SetName) -> Option<Filling> {
        let shared = self.shared.as_ref()?;
        let mut mark = [b'm'; 9];
        mark[1..].copy_from_slice(&rand::random::<[u8; 8]>());
        shared
            .redis
            .ask(async |Connected { mut redis, server }| {
                let set = name.of(&server);
                redis::pipe()
                    .atomic()
                    .cmd("ZADD")
                    .arg(&set)
                    .arg(MARK_SCORE)
                    .arg(&mark[..])
                    .cmd("EXPIRE")
                    .arg(&set)
                    .arg(FILL_S)
                    .exec_async(&mut redis)
                    .await
            })
            .await?;
        Some(Filling { name, mark })
    }

    /// Ends a fill with what MySQL had after its beginning.
    pub(super) async fn finish_fill(&self, filling: Filling, keys: &[Key], floor: Key) {
        let Some(shared) = self.shared.as_ref() else { return };
        shared
            .redis
            .ask(async |Connected { mut redis, server }| {
                let mut finish = shared.finish.prepare_invoke();
                finish.key(filling.name.of(&server)).arg(&filling.mark[..]).arg(shared.ttl_s);
                finish.arg(floor.at_s).arg(&floor_member(floor)[..]);
                for key in keys {
                    finish.arg(key.at_s).arg(&key.id.to_be_bytes()[..]);
                }
                finish.invoke_async::<i64>(&mut redis).await.map(|_| ())
            })
            .await;
    }

    /// Adds activities to the sets of these readers that exist. False when some may have been missed: then no set of this generation may
    /// be read any more.
    pub(super) async fn add(&self, sets: &[SetName], keys: &[Key]) -> bool {
        let Some(shared) = self.shared.as_ref() else {
            return sets.is_empty();
        };
        for names in sets.chunks(ADDED_AT_ONCE) {
            let added = shared
                .redis
                .ask(async |Connected { mut redis, server }| {
                    let mut pipe = Pipeline::with_capacity(names.len());
                    for name in names {
                        pipe.cmd("EVALSHA")
                            .arg(shared.add.get_hash())
                            .arg(1)
                            .arg(name.of(&server))
                            .arg(shared.cap + shared.cap / 4 + 2)
                            .arg(shared.cap);
                        for key in keys {
                            pipe.arg(key.at_s).arg(&key.id.to_be_bytes()[..]);
                        }
                        pipe.ignore();
                    }
                    pipe.exec_async(&mut redis).await
                })
                .await;
            if added.is_none() {
                return false;
            }
        }
        true
    }

    /// Bytes that a reader's set takes in Redis, for measurements; none when it is not there.
    ///
    /// # Errors
    /// Redis refused or was not there.
    pub async fn measure(&self, prefix_of_user: UserId) -> Result<Option<u64>, StoreError> {
        let Some(shared) = self.shared.as_ref() else { return Ok(None) };
        let mut redis = shared.redis.connect().await?.redis;
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{PREFIX}:*:{prefix_of_user}:*"))
            .query_async(&mut redis)
            .await?;
        let Some(key) = keys.first() else { return Ok(None) };
        Ok(redis::cmd("MEMORY")
            .arg("USAGE")
            .arg(key)
            .arg("SAMPLES")
            .arg(0)
            .query_async(&mut redis)
            .await?)
    }
}

impl Shared {
    async fn read(
        &self,
        redis: &mut MultiplexedConnection,
        set: &str,
        before: Key,
        want: usize,
    ) -> Result<Option<Cached>, RedisError> {
        let mut keys = Vec::with_capacity(want);
        let mut offset = 0;
        loop {
            let read: Result<Reply, RedisError> = redis::pipe()
                .cmd("ZSCORE")
                .arg(set)
                .arg(SEAL)
                .cmd("ZCARD")
                .arg(set)
                .cmd("ZREVRANGEBYSCORE")
                .arg(set)
                .arg(before.at_s)
                .arg(0)
                .arg("WITHSCORES")
                .arg("LIMIT")
                .arg(offset)
                .arg(READ)
                .cmd("EXPIRE")
                .arg(set)
                .arg(self.ttl_s)
                .query_async(redis)
                .await;
            let (seal, count, members, _) = match read {
                Ok(read) => read,
                Err(error) if is_wrong_type(&error) => return forget(redis, set).await,
                Err(error) => return Err(error),
            };
            if seal != Some(-1.0 - count as f64) {
                return Ok(None);
            }
            let read = members.len();
            offset += read;
            for (member, score) in members {
                match read_member(&member, score) {
                    Some(Member::Activity(key)) if key < before => keys.push(key),
                    Some(Member::Activity(_)) => {}
                    Some(Member::Floor(floor)) => {
                        return Ok(Some(Cached {
                            keys,
                            floor: Some(floor),
                        }));
                    }
                    None => return forget(redis, set).await,
                }
                if keys.len() == want {
                    return Ok(Some(Cached { keys, floor: None }));
                }
            }
            if read < READ {
                return Ok(None);
            }
        }
    }
}

impl Connection for Connected {
    async fn connect(client: &redis::Client) -> Result<Self, RedisError> {
        let mut redis = client.get_multiplexed_async_connection().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
        for script in [ADD, FINISH] {
            redis::cmd("SCRIPT").arg("LOAD").arg(script).exec_async(&mut redis).await?;
        }
        let server = run_id.chars().take(12).collect::<String>().into();
        Ok(Self { redis, server })
    }
}

impl SetName {
    fn of(self, server: &str) -> String {
        let Self {
            generation,
            user,
            version,
        } = self;
        format!("{PREFIX}:{generation}:{server}:{user}:{version}")
    }
}

/// Deletes what is none of ours under our name.
async fn forget(redis: &mut MultiplexedConnection, set: &str) -> Result<Option<Cached>, RedisError> {
    tracing::warn!(set, "a feed in redis is not as we make it, it is made anew");
    redis::cmd("DEL").arg(set).exec_async(redis).await?;
    Ok(None)
}

/// Seal, number of members, some members with their scores, and whether there was something to keep alive.
type Reply = (Option<f64>, i64, Vec<(Vec<u8>, f64)>, i64);

/// A member that can be read.
enum Member {
    Activity(Key),
    Floor(Key),
}

fn read_member(member: &[u8], score: f64) -> Option<Member> {
    let at_s = score as i64;
    let id = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    match member {
        [.., b'f'] if member.len() == 9 => Some(Member::Floor(Key {
            at_s,
            id: if at_s == 0 { 0 } else { id(&member[..8])?.saturating_add(1) },
        })),
        _ => Some(Member::Activity(Key { at_s, id: id(member)? })),
    }
}

/// Sorts just below the activity with the floor's key.
fn floor_member(floor: Key) -> [u8; 9] {
    let mut member = [b'f'; 9];
    member[..8].copy_from_slice(&floor.id.saturating_sub(1).to_be_bytes());
    member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_read_as_it_was_written_and_sorts_just_below_its_activity() {
        for id in [1, 255, 256, 1 << 40] {
            let floor = Key { at_s: 1_700_000_000, id };
            let member = floor_member(floor);
            let Some(Member::Floor(read)) = read_member(&member, 1_700_000_000.0) else {
                panic!("no floor");
            };
            assert_eq!(read, floor);
            assert!(member[..] < id.to_be_bytes()[..], "below its activity");
            assert!(member[..] > (id - 1).to_be_bytes()[..], "above the activity before");
        }
        assert!(matches!(
            read_member(&floor_member(Key::START), 0.0),
            Some(Member::Floor(Key::START))
        ));
        assert!(read_member(b"nonsense!?", 1.0).is_none());
    }
}
