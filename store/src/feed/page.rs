//! A page of a list: candidates from somewhere, what may be seen of them, bursts together.

use super::cache::{self, State};
use super::group::{Group, Groups};
use super::pull::{Whose, followees, pull};
use super::sorted_set::{Cached, FeedCache, SetName};
use super::{Activity, Key, list, visible};
use crate::{Conn, StoreError, UserId};

/// Candidates fetched beyond what a page shows, in the first round: so much may be hidden, or belong to bursts, at no second round's cost.
const SPARE: usize = 40;

/// Of those, how many beyond what is missing are looked up at once: a look costs a millisecond, and each candidate a twentieth of one.
const MARGIN: usize = 8;

/// Fewest and most candidates of each further round.
const MORE: (usize, usize) = (60, 200);

/// Rounds of one page. Whoever follows people whose things are hidden one and all gets a short page, and a cursor to go on from.
const ROUNDS: usize = 20;

/// More rows than are ever kept of one feed.
const ALL: usize = 100_000;

/// A page of groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The entries, the newest first.
    pub groups: Vec<Group>,
    /// Where the next page begins: before this key. None at the end.
    pub next: Option<Key>,
}

/// A page under construction.
struct Building {
    groups: Groups,
    limit: usize,
    /// Candidates looked up so far.
    looked_up: usize,
    /// Key of the last activity taken.
    taken: Option<Key>,
}

impl Building {
    fn new(limit: u32) -> Self {
        Self {
            groups: Groups::default(),
            limit: limit as usize,
            looked_up: 0,
            taken: None,
        }
    }

    /// How many candidates will fill the page, if they are as those before: some are hidden, and some belong to bursts.
    fn wanted(&self) -> usize {
        let groups = self.groups.len();
        // A page is known to be full by the group after it.
        let missing = self.limit + 1 - groups;
        let likely = if self.looked_up == 0 {
            missing
        } else {
            (missing * self.looked_up).div_ceil(groups.max(1))
        };
        likely.min(MORE.1) + MARGIN
    }

    /// Takes what is visible of so many candidates. False when the page is full and there is more.
    fn take(&mut self, looked_up: usize, activities: Vec<Activity>) -> bool {
        self.looked_up += looked_up;
        for activity in activities {
            let key = activity.key;
            if !self.groups.push(activity, self.limit) {
                return false;
            }
            self.taken = Some(key);
        }
        true
    }

    fn finish(self, next: Option<Key>) -> Page {
        Page {
            groups: self.groups.into_groups(),
            next,
        }
    }
}

/// Whose candidates a page is made from.
enum List<'a> {
    Everybody,
    Of(UserId),
    /// A feed from its activities alone.
    Pulled(UserId),
    /// A feed from where it is kept.
    Kept(Keeper<'a>),
}

/// How somebody's feed is kept, and where.
struct Keeper<'a> {
    viewer: UserId,
    state: State,
    redis: &'a FeedCache,
}

impl List<'_> {
    /// Up to `want` candidates before a key; fewer mean that there are no more.
    async fn candidates(&self, db: &mut Conn, before: Key, want: usize) -> Result<Vec<Key>, StoreError> {
        let limit = u32::try_from(want).unwrap_or(u32::MAX);
        match self {
            Self::Everybody => list::of_everybody(db, before, limit).await,
            Self::Of(user) => list::of_user(db, *user, before, limit).await,
            Self::Pulled(viewer) => pull_all(db, *viewer, before, want).await,
            Self::Kept(keeper) => keeper.candidates(db, before, want).await,
        }
    }

    async fn page(&self, db: &mut Conn, viewer: Option<UserId>, before: Option<Key>, limit: u32) -> Result<Page, StoreError> {
        let only_followed = matches!(self, Self::Pulled(_) | Self::Kept(_));
        let mut building = Building::new(limit);
        let mut before = before.unwrap_or(Key::END);
        for round in 0..ROUNDS {
            let want = match round {
                0 => limit as usize + SPARE,
                _ => building.wanted().clamp(MORE.0, MORE.1),
            };
            let keys = self.candidates(db, before, want).await?;
            let mut left = &keys[..];
            while !left.is_empty() {
                let (now, later) = left.split_at(building.wanted().min(left.len()));
                let seen = visible(db, viewer, only_followed, now).await?;
                if !building.take(now.len(), seen) {
                    let next = building.taken;
                    return Ok(building.finish(next));
                }
                left = later;
            }
            match keys.last() {
                Some(last) if keys.len() >= want => before = *last,
                _ => return Ok(building.finish(None)),
            }
        }
        Ok(building.finish(Some(before)))
    }
}

impl Keeper<'_> {
    /// What is kept, with what is merged; and below the floor what the activities themselves say.
    async fn candidates(&self, db: &mut Conn, before: Key, want: usize) -> Result<Vec<Key>, StoreError> {
        let Some(Cached { mut keys, floor }) = self.kept(db, before, want).await? else {
            return pull_all(db, self.viewer, before, want).await;
        };
        // These are all from here on.
        let mut until = floor.or(keys.last().copied()).unwrap_or(Key::START);
        if !self.state.merged.is_empty() {
            let merged = pull(db, &self.state.merged, before, until, want).await?;
            if let Some(last) = merged.last().filter(|_| merged.len() >= want) {
                until = until.max(*last);
            }
            keys.extend(merged);
            keys.sort_unstable_by(|a, b| b.cmp(a));
            keys.dedup();
            keys.retain(|key| *key >= until);
            keys.truncate(want);
        }
        if keys.len() < want
            && let Some(floor) = floor
            && floor > Key::START
        {
            let below = floor.min(before);
            let rest = pull_all(db, self.viewer, below, want - keys.len()).await?;
            keys.extend(rest);
        }
        Ok(keys)
    }

    /// Keys that are kept, in Redis or else in MySQL, which is then copied to Redis.
    async fn kept(&self, db: &mut Conn, before: Key, want: usize) -> Result<Option<Cached>, StoreError> {
        let State {
            generation,
            version: Some(version),
            ..
        } = self.state
        else {
            return Ok(None);
        };
        let name = SetName {
            generation,
            user: self.viewer,
            version,
        };
        if let Some(cached) = self.redis.read(name, before, want).await {
            return Ok(Some(cached));
        }
        let Some(filling) = self.redis.begin_fill(name).await else {
            let kept = cache::read(db, self.viewer, before, want).await?;
            return Ok(kept.map(|kept| Cached {
                floor: kept.is_all.then_some(kept.floor),
                keys: kept.keys,
            }));
        };
        let Some(kept) = cache::read(db, self.viewer, Key::END, ALL).await? else {
            return Ok(None);
        };
        if kept.version == version {
            self.redis.finish_fill(filling, &kept.keys, kept.floor).await;
        }
        let mut keys = kept.keys;
        keys.retain(|key| *key < before);
        let is_all = keys.len() < want;
        keys.truncate(want);
        Ok(Some(Cached {
            keys,
            floor: is_all.then_some(kept.floor),
        }))
    }
}

/// Candidates from what all followees did.
async fn pull_all(db: &mut Conn, viewer: UserId, before: Key, want: usize) -> Result<Vec<Key>, StoreError> {
    let authors = followees(db, viewer, Whose::All).await?;
    pull(db, &authors, before, Key::START, want).await
}

/// A page of somebody's feed. Where it is not kept, that is asked for, and the activities themselves are read meanwhile.
///
/// # Errors
/// The database refused. Trouble with Redis is none.
pub async fn feed(db: &mut Conn, redis: &FeedCache, viewer: UserId, before: Option<Key>, limit: u32) -> Result<Page, StoreError> {
    let state = cache::state(db, viewer).await?;
    if !state.is_wanted
        && let Err(error) = cache::want(db, viewer).await
    {
        tracing::warn!(%error, "a feed could not be asked for");
    }
    let keeper = Keeper { viewer, state, redis };
    List::Kept(keeper).page(db, Some(viewer), before, limit).await
}

/// A page of what everybody did in public.
///
/// # Errors
/// The database refused.
pub async fn public_activity(db: &mut Conn, viewer: Option<UserId>, before: Option<Key>, limit: u32) -> Result<Page, StoreError> {
    List::Everybody.page(db, viewer, before, limit).await
}

/// A page of what one person did in public.
///
/// # Errors
/// The database refused.
pub async fn activity_of(
    db: &mut Conn,
    user: UserId,
    viewer: Option<UserId>,
    before: Option<Key>,
    limit: u32,
) -> Result<Page, StoreError> {
    List::Of(user).page(db, viewer, before, limit).await
}

/// A page of somebody's feed without any cache: what every other way of reading it must equal.
///
/// # Errors
/// The database refused.
pub async fn pulled_feed(db: &mut Conn, viewer: UserId, before: Option<Key>, limit: u32) -> Result<Page, StoreError> {
    List::Pulled(viewer).page(db, Some(viewer), before, limit).await
}
