//! Feeds that were kept step by step, however, against feeds that were made anew, and both against a naive one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use config::{FeedSettings, RedisSettings, Secret, Settings};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::Row;
use store::UserId;
use store::feed::{self, FeedCache, Key, Page};
use store::gaps::Position;
use test_support::{TestDb, execute_on};

/// Histories tried. Each is compared for every person, read in four ways.
const CASES: usize = 25;

/// Things that happen in one history, at most.
const LONGEST: usize = 70;

const PEOPLE: u64 = 6;

/// Workflows that are there from the beginning; uploads add more.
const RACKS: u64 = 4;

/// The beginning of the time in which things happen: 2026-03-01.
const START_S: i64 = 1_772_323_200;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Follow(u64, u64),
    Unfollow(u64, u64),
    Block(u64, u64),
    Unblock(u64, u64),
    Upload(u64, i64),
    Like(u64, u64, i64),
    /// Takes the like back, with its activity or by plain SQL without.
    Unlike(u64, u64, bool),
    Comment(u64, u64, i64),
    Rate(u64, u64, i64),
    Publish(u64, bool),
    TakeDown(u64, bool),
    DeleteRack(u64),
    Suspend(u64, bool),
    DeletePerson(u64),
    /// Changes the time of somebody's activity.
    Move(u64, i64),
    /// Makes somebody's activities private, or public.
    Hide(u64, bool),
    /// An upload whose transaction stays open until the next of these, or the end.
    Late(u64, i64),
    /// What the job does, with Redis or without.
    Tend(bool),
    /// One step of it alone.
    Step,
    /// One step of it that is broken off after so many quarters of a millisecond, wherever it is then.
    Cut(u64),
    /// Somebody reads a page.
    Read(u64),
    /// Redis forgets everything.
    Flush,
    /// Somebody's set in Redis loses members, becomes something else, or gains nonsense.
    Spoil(u64, u8),
    /// Somebody's feed is not kept any more.
    Forget(u64),
}

/// Half of the times are the same few seconds.
fn time() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![0_i64..3, 0_i64..2_000_000]
}

fn deed() -> impl Strategy<Value = Deed> {
    use Deed::{
        Block, Comment, Cut, DeletePerson, DeleteRack, Flush, Follow, Forget, Hide, Late, Like, Move, Publish, Rate, Read, Spoil,
        Step, Suspend, TakeDown, Tend, Unblock, Unfollow, Unlike, Upload,
    };
    let who = 1..=PEOPLE;
    let rack = 1..=RACKS + 4;
    let two = (who.clone(), who.clone());
    prop_oneof![
        12 => two.clone().prop_map(|(a, b)| Follow(a, b)),
        5 => two.clone().prop_map(|(a, b)| Unfollow(a, b)),
        2 => two.clone().prop_map(|(a, b)| Block(a, b)),
        2 => two.prop_map(|(a, b)| Unblock(a, b)),
        10 => (who.clone(), time()).prop_map(|(a, at)| Upload(a, at)),
        8 => (who.clone(), rack.clone(), time()).prop_map(|(a, rack, at)| Like(a, rack, at)),
        3 => (who.clone(), rack.clone(), any::<bool>()).prop_map(|(a, rack, with)| Unlike(a, rack, with)),
        3 => (who.clone(), rack.clone(), time()).prop_map(|(a, rack, at)| Comment(a, rack, at)),
        3 => (who.clone(), rack.clone(), time()).prop_map(|(a, rack, at)| Rate(a, rack, at)),
        2 => (rack.clone(), any::<bool>()).prop_map(|(rack, on)| Publish(rack, on)),
        1 => (rack.clone(), any::<bool>()).prop_map(|(rack, on)| TakeDown(rack, on)),
        1 => rack.prop_map(DeleteRack),
        1 => (who.clone(), any::<bool>()).prop_map(|(a, on)| Suspend(a, on)),
        1 => who.clone().prop_map(DeletePerson),
        2 => (who.clone(), time()).prop_map(|(a, at)| Move(a, at)),
        1 => (who.clone(), any::<bool>()).prop_map(|(a, on)| Hide(a, on)),
        3 => (who.clone(), time()).prop_map(|(a, at)| Late(a, at)),
        5 => prop::bool::weighted(0.8).prop_map(Tend),
        5 => Just(Step),
        4 => (0_u64..40).prop_map(Cut),
        8 => who.clone().prop_map(Read),
        1 => Just(Flush),
        2 => (who.clone(), 0_u8..3).prop_map(|(a, how)| Spoil(a, how)),
        1 => who.prop_map(Forget),
    ]
}

/// A database with a Redis, and one history after the other in it, each of people of its own.
struct World {
    db: TestDb,
    settings: FeedSettings,
    redis: FeedCache,
    redis_url: String,
    remembered: Option<Position>,
    now: Instant,
    /// Added to people and workflows of this history.
    base: u64,
    late: Option<sqlx::Transaction<'static, sqlx::MySql>>,
    comments: u64,
}

impl World {
    async fn new() -> Self {
        let mut settings = Settings::defaults().unwrap().feed;
        settings.cap = 8;
        // With more, hardly anybody has enough followers to be merged when pages are read.
        settings.copied_followers = 1;
        let redis_url = test_support::redis_url();
        let redis = RedisSettings {
            url: Secret::new(&redis_url),
            timeout_ms: 2000,
        };
        Self {
            db: TestDb::new().await,
            redis: FeedCache::new(&redis, &settings),
            settings,
            redis_url,
            remembered: None,
            now: Instant::now(),
            base: 0,
            late: None,
            comments: 0,
        }
    }

    fn id(&self, number: u64) -> u64 {
        self.base + number
    }

    async fn sql(&self, sql: &str) {
        self.db.execute(sql).await;
    }

    /// New people and workflows, all published by the first.
    async fn begin(&mut self, case: usize) {
        self.base = case as u64 * 1000;
        let mut sql = String::new();
        for number in 1..=PEOPLE {
            let id = self.id(number);
            write!(
                sql,
                "INSERT INTO users (id, username, email, password, last_active_at) VALUES ({id}, 'p{id}', '{id}@example.org', 'x', NOW());"
            )
            .unwrap();
        }
        self.sql(&sql).await;
        for number in 1..=RACKS {
            self.rack(number, 1).await;
        }
    }

    async fn rack(&self, number: u64, author: u64) {
        let (id, author) = (self.id(number), self.id(author));
        self.sql(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published)
             VALUES ({id}, {author}, 'x', 'w{id}', 'instrument', 'none', TRUE)"
        ))
        .await;
    }

    /// Adds an activity.
    fn activity(&self, who: u64, kind: &str, data: &str, at: i64) -> String {
        let (who, at) = (self.id(who), START_S + at);
        format!(
            "INSERT INTO user_activities (user_id, activity_type, activity_data, created_at)
             VALUES ({who}, '{kind}', '{data}', FROM_UNIXTIME({at}));"
        )
    }

    async fn count(&self, sql: &str) -> i64 {
        self.db.integer(sql).await
    }

    async fn is_there(&self, table: &str, number: u64) -> bool {
        let id = self.id(number);
        self.count(&format!("SELECT COUNT(*) FROM {table} WHERE id = {id}")).await == 1
    }

    async fn happen(&mut self, deed: Deed) {
        // The trigger of an activity locks its user for sharing until the end: who changes users would wait for it.
        if matches!(
            deed,
            Deed::Follow(..)
                | Deed::Unfollow(..)
                | Deed::Upload(..)
                | Deed::DeleteRack(_)
                | Deed::Suspend(..)
                | Deed::DeletePerson(_)
        ) {
            self.commit_late().await;
        }
        match deed {
            Deed::Follow(a, b) if a != b && self.is_there("users", a).await && self.is_there("users", b).await => {
                let (a, b, follow) = (
                    self.id(a),
                    self.id(b),
                    self.activity(a, "user_follow", &format!("{{\"following_id\": {}}}", self.id(b)), 5),
                );
                if self
                    .count(&format!(
                        "SELECT COUNT(*) FROM user_follows WHERE follower_id = {a} AND following_id = {b}"
                    ))
                    .await
                    == 0
                {
                    self.sql(&format!(
                        "INSERT INTO user_follows (follower_id, following_id) VALUES ({a}, {b}); {follow}"
                    ))
                    .await;
                }
            }
            Deed::Unfollow(a, b) => {
                let (a, b) = (self.id(a), self.id(b));
                self.sql(&format!(
                    "DELETE FROM user_follows WHERE follower_id = {a} AND following_id = {b}"
                ))
                .await;
            }
            Deed::Block(a, b) if a != b && self.is_there("users", a).await && self.is_there("users", b).await => {
                let (a, b) = (self.id(a), self.id(b));
                self.sql(&format!(
                    "INSERT INTO user_blocks (blocker_id, blocked_id) VALUES ({a}, {b}) ON DUPLICATE KEY UPDATE blocker_id = blocker_id"
                ))
                .await;
            }
            Deed::Unblock(a, b) => {
                let (a, b) = (self.id(a), self.id(b));
                self.sql(&format!(
                    "DELETE FROM user_blocks WHERE blocker_id = {a} AND blocked_id = {b}"
                ))
                .await;
            }
            Deed::Upload(a, at) if self.is_there("users", a).await => {
                let number = self.next_rack().await;
                self.rack(number, a).await;
                let data = format!("{{\"workflow_id\": {}}}", self.id(number));
                self.sql(&self.activity(a, "workflow_upload", &data, at)).await;
            }
            Deed::Like(a, rack, at) if self.is_there("users", a).await && self.is_there("workflows", rack).await => {
                let (who, id) = (self.id(a), self.id(rack));
                let data = format!("{{\"workflow_id\": {id}}}");
                let activity = self.activity(a, "workflow_like", &data, at);
                if self
                    .count(&format!(
                        "SELECT COUNT(*) FROM workflow_likes WHERE user_id = {who} AND workflow_id = {id}"
                    ))
                    .await
                    == 0
                {
                    self.sql(&format!(
                        "INSERT INTO workflow_likes (user_id, workflow_id) VALUES ({who}, {id}); {activity}"
                    ))
                    .await;
                }
            }
            Deed::Unlike(a, rack, with_activity) => {
                self.commit_late().await;
                let (who, id) = (self.id(a), self.id(rack));
                let mut sql = format!("DELETE FROM workflow_likes WHERE user_id = {who} AND workflow_id = {id};");
                if with_activity {
                    write!(
                        sql,
                        "DELETE FROM user_activities WHERE user_id = {who} AND activity_type = 'workflow_like'
                           AND JSON_VALUE(activity_data, '$.workflow_id') = {id}"
                    )
                    .unwrap();
                }
                self.sql(&sql).await;
            }
            Deed::Comment(a, rack, at) if self.is_there("users", a).await && self.is_there("workflows", rack).await => {
                let (who, id) = (self.id(a), self.id(rack));
                self.comments += 1;
                let comment = self.comments;
                let data = format!("{{\"workflow_id\": {id}, \"comment_id\": {comment}}}");
                let activity = self.activity(a, "workflow_comment", &data, at);
                self.sql(&format!(
                    "INSERT INTO workflow_comments (id, user_id, workflow_id, content) VALUES ({comment}, {who}, {id}, 'x'); {activity}"
                ))
                .await;
            }
            Deed::Rate(a, rack, at) if self.is_there("users", a).await && self.is_there("workflows", rack).await => {
                let (who, id) = (self.id(a), self.id(rack));
                let activity = self.activity(a, "workflow_rating", &format!("{{\"workflow_id\": {id}, \"rating\": 4}}"), at);
                if self
                    .count(&format!(
                        "SELECT COUNT(*) FROM workflow_ratings WHERE user_id = {who} AND workflow_id = {id}"
                    ))
                    .await
                    == 0
                {
                    self.sql(&format!(
                        "INSERT INTO workflow_ratings (user_id, workflow_id, rating) VALUES ({who}, {id}, 4); {activity}"
                    ))
                    .await;
                }
            }
            Deed::Publish(rack, on) => {
                let id = self.id(rack);
                self.sql(&format!("UPDATE workflows SET is_published = {on} WHERE id = {id}"))
                    .await;
            }
            Deed::TakeDown(rack, on) => {
                let id = self.id(rack);
                self.sql(&format!(
                    "UPDATE workflows SET taken_down_at = IF({on}, NOW(), NULL) WHERE id = {id}"
                ))
                .await;
            }
            Deed::DeleteRack(rack) => {
                let id = self.id(rack);
                self.sql(&format!("DELETE FROM workflows WHERE id = {id}")).await;
            }
            Deed::Suspend(a, on) => {
                let id = self.id(a);
                self.sql(&format!(
                    "UPDATE users SET suspended_at = IF({on}, NOW(), NULL) WHERE id = {id}"
                ))
                .await;
            }
            Deed::DeletePerson(a) => {
                let id = self.id(a);
                self.sql(&format!("DELETE FROM users WHERE id = {id}")).await;
            }
            Deed::Move(a, at) => {
                self.commit_late().await;
                let (id, at) = (self.id(a), START_S + at);
                self.sql(&format!(
                    "UPDATE user_activities SET created_at = FROM_UNIXTIME({at}) WHERE user_id = {id} ORDER BY id DESC LIMIT 1"
                ))
                .await;
            }
            Deed::Hide(a, on) => {
                self.commit_late().await;
                let id = self.id(a);
                self.sql(&format!(
                    "UPDATE user_activities SET is_public = NOT {on} WHERE user_id = {id}"
                ))
                .await;
            }
            Deed::Late(a, at) => {
                self.commit_late().await;
                if self.is_there("users", a).await {
                    let rack = self.id(1 + a % RACKS);
                    let upload = self.activity(a, "workflow_upload", &format!("{{\"workflow_id\": {rack}}}"), at);
                    let mut transaction = self.db.pool().begin().await.unwrap();
                    execute_on(&mut transaction, &upload).await;
                    self.late = Some(transaction);
                }
            }
            Deed::Tend(with_redis) => self.tend(with_redis).await,
            Deed::Step => {
                self.step(true).await;
            }
            Deed::Cut(quarters) => {
                self.now += Duration::from_secs(2);
                let step = feed::step(self.db.pool(), &self.redis, &self.settings, &mut self.remembered, self.now);
                let _ = tokio::time::timeout(Duration::from_micros(250 * quarters), step).await;
            }
            Deed::Read(a) => {
                let mut db = self.db.pool().acquire().await.unwrap();
                feed::feed(&mut db, &self.redis, UserId(self.id(a)), None, 3).await.unwrap();
            }
            Deed::Flush => self.spoil("cookbook:feed:*", 9).await,
            Deed::Spoil(a, how) => {
                let id = self.id(a);
                self.spoil(&format!("cookbook:feed:*:{id}:*"), how).await;
            }
            Deed::Forget(a) => {
                let id = self.id(a);
                self.sql(&format!("DELETE FROM feeds WHERE user_id = {id}")).await;
            }
            _ => {}
        }
    }

    async fn next_rack(&self) -> u64 {
        let (from, to) = (self.base, self.base + 999);
        let highest = self
            .count(&format!(
                "SELECT CAST(COALESCE(MAX(id), {from}) AS SIGNED) FROM workflows WHERE id BETWEEN {from} AND {to}"
            ))
            .await;
        highest.unsigned_abs() - self.base + 1
    }

    async fn commit_late(&mut self) {
        if let Some(transaction) = self.late.take() {
            transaction.commit().await.unwrap();
        }
    }

    /// A step of the job, seconds after the one before, and fills.
    async fn step(&mut self, with_redis: bool) -> bool {
        self.now += Duration::from_secs(2);
        let none = FeedCache::none();
        let redis = if with_redis { &self.redis } else { &none };
        let step = feed::step(self.db.pool(), redis, &self.settings, &mut self.remembered, self.now)
            .await
            .unwrap();
        let mut db = self.db.pool().acquire().await.unwrap();
        let unfilled = feed::unfilled(&mut db, 3).await.unwrap();
        drop(db);
        for user in &unfilled {
            feed::fill(self.db.pool(), *user, self.settings.cap).await.unwrap();
        }
        step.more || step.activities > 0 || step.marks > 0 || !unfilled.is_empty()
    }

    async fn tend(&mut self, with_redis: bool) {
        while self.step(with_redis).await {}
    }

    /// Does something bad to sets in Redis.
    async fn spoil(&self, pattern: &str, how: u8) {
        let mut redis = redis::Client::open(self.redis_url.as_str())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
        // Sets of other tests' databases are not ours to touch: their generation is another.
        let generation = self.count("SELECT CAST(generation AS SIGNED) FROM feed_fan_out").await;
        for key in keys
            .iter()
            .filter(|key| key.starts_with(&format!("cookbook:feed:{generation}:")))
        {
            let done = match how {
                0 => redis::cmd("ZPOPMAX").arg(key).exec_async(&mut redis).await,
                1 => redis::cmd("SET").arg(key).arg("a string").exec_async(&mut redis).await,
                2 => {
                    redis::cmd("ZADD")
                        .arg(key)
                        .arg(5)
                        .arg("nonsense!")
                        .exec_async(&mut redis)
                        .await
                }
                _ => redis::cmd("DEL").arg(key).exec_async(&mut redis).await,
            };
            // It may be a string already.
            let _ = done;
        }
    }

    /// All pages of a feed, in one of four ways.
    async fn pages(&self, who: u64, way: usize, limit: u32) -> Vec<Page> {
        let user = UserId(self.id(who));
        let mut db = self.db.pool().acquire().await.unwrap();
        let none = FeedCache::none();
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = match way {
                0 => feed::feed(&mut db, &self.redis, user, before, limit).await,
                1 => feed::feed(&mut db, &none, user, before, limit).await,
                _ => feed::pulled_feed(&mut db, user, before, limit).await,
            }
            .unwrap();
            before = page.next;
            pages.push(page);
            if before.is_none() {
                return pages;
            }
        }
    }

    /// Keys of a feed from the rows themselves, filtered one by one.
    async fn naive(&self, who: u64) -> Vec<Key> {
        let viewer = self.id(who);
        let pairs = async |sql: &str| -> BTreeSet<(u64, u64)> {
            sqlx::query_as::<_, (u64, u64)>(sqlx::AssertSqlSafe(sql.to_owned()))
                .fetch_all(self.db.pool())
                .await
                .unwrap()
                .into_iter()
                .collect()
        };
        let (from, to) = (self.base, self.base + 999);
        let seen: BTreeSet<u64> = pairs(&format!(
            "SELECT id, id FROM users WHERE is_active AND suspended_at IS NULL AND id BETWEEN {from} AND {to}"
        ))
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
        let follows = pairs("SELECT follower_id, following_id FROM user_follows").await;
        let blocks = pairs("SELECT blocker_id, blocked_id FROM user_blocks").await;
        let racks: BTreeMap<u64, u64> = pairs("SELECT id, user_id FROM workflows WHERE is_published AND taken_down_at IS NULL")
            .await
            .into_iter()
            .collect();
        let likes = pairs("SELECT user_id, workflow_id FROM workflow_likes").await;
        let ratings = pairs("SELECT user_id, workflow_id FROM workflow_ratings").await;
        let comments = pairs("SELECT id, workflow_id FROM workflow_comments").await;
        let may_see = |id: u64| seen.contains(&id) && !blocks.contains(&(viewer, id)) && !blocks.contains(&(id, viewer));
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT id, user_id, CAST(activity_type AS CHAR) AS kind, CAST(activity_data AS CHAR) AS data,
                    CAST(UNIX_TIMESTAMP(created_at) AS SIGNED) AS at_s
             FROM user_activities WHERE is_public AND user_id BETWEEN {from} AND {to}"
        )))
        .fetch_all(self.db.pool())
        .await
        .unwrap();
        let mut keys: Vec<Key> = rows
            .iter()
            .filter(|row| {
                let actor: u64 = row.get("user_id");
                let data: serde_json::Value = serde_json::from_str(row.get::<&str, _>("data")).unwrap();
                let id = |name: &str| data[name].as_u64().unwrap_or_default();
                let rack = id("workflow_id");
                let author = racks.get(&rack).copied();
                let about = match row.get::<&str, _>("kind") {
                    "workflow_upload" => author == Some(actor),
                    "workflow_like" => likes.contains(&(actor, rack)),
                    "workflow_comment" => comments.contains(&(id("comment_id"), rack)),
                    "workflow_rating" => ratings.contains(&(actor, rack)),
                    _ => {
                        return follows.contains(&(viewer, actor))
                            && follows.contains(&(actor, id("following_id")))
                            && may_see(actor)
                            && may_see(id("following_id"));
                    }
                };
                about && follows.contains(&(viewer, actor)) && may_see(actor) && author.is_some_and(may_see)
            })
            .map(|row| Key {
                at_s: row.get("at_s"),
                id: row.get("id"),
            })
            .collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys
    }
}

fn keys_of(pages: &[Page]) -> Vec<Key> {
    pages
        .iter()
        .flat_map(|page| &page.groups)
        .flat_map(|group| &group.activities)
        .map(|activity| activity.key)
        .collect()
}

#[tokio::test]
async fn a_feed_kept_through_any_history_has_the_pages_of_one_made_anew() {
    let mut world = World::new().await;
    let mut runner = TestRunner::deterministic();
    let history = vec(deed(), 10..LONGEST);
    let (mut compared, mut longest, mut beyond_cap, mut merged) = (0, 0, 0, 0);
    for case in 1..=CASES {
        let deeds = history.new_tree(&mut runner).unwrap().current();
        world.begin(case).await;
        for deed in &deeds {
            world.happen(*deed).await;
        }
        world.commit_late().await;
        world.tend(case % 5 != 0).await;
        merged += world.count("SELECT COUNT(*) FROM feed_pulled_authors").await;
        for who in 1..=PEOPLE {
            if !world.is_there("users", who).await {
                continue;
            }
            let limit = 2 + (case as u64 + who) % 4;
            let limit = u32::try_from(limit).unwrap();
            let naive = world.naive(who).await;
            let anew = world.pages(who, 2, limit).await;
            assert_eq!(keys_of(&anew), naive, "case {case}, person {who}, pulled, after {deeds:#?}");
            for (way, name) in [(0, "with redis"), (1, "without redis"), (0, "with redis again")] {
                let kept = world.pages(who, way, limit).await;
                assert_eq!(kept, anew, "case {case}, person {who}, {name}, after {deeds:#?}");
            }
            let user = UserId(world.id(who));
            let mut db = world.db.pool().acquire().await.unwrap();
            feed::want(&mut db, user).await.unwrap();
            drop(db);
            assert!(feed::fill(world.db.pool(), user, world.settings.cap).await.unwrap());
            for way in [0, 1] {
                assert_eq!(
                    world.pages(who, way, limit).await,
                    anew,
                    "case {case}, person {who}, made anew"
                );
            }
            compared += 1;
            longest = longest.max(naive.len());
            beyond_cap += usize::from(naive.len() > world.settings.cap as usize);
        }
        // The next history's authors are others.
        world.sql("DELETE FROM user_follows").await;
    }
    println!(
        "{CASES} histories, {compared} feeds, the longest of {longest}, {beyond_cap} longer than what is kept, {merged} merged authors"
    );
    assert!(
        beyond_cap > 0 && compared > 50 && merged > 50,
        "{compared} compared, {beyond_cap} beyond the cap, {merged} authors merged at reading"
    );
}
