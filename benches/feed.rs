//! Feeds of a large community, over HTTP: pages that are kept ready, pages that are put together, what copying costs, and whether uploads
//! wait for it.
//!
//! Run by `script/bench feed [--quick]`, on servers that flush every commit.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::{Secret, Settings};
use indexer::Index;
use ingest::builder::{Chain, Device, Format, Rack};
use ingest::rack::Kind;
use query_api::ApiContext;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use store::feed::{self, FeedCache};
use store::files::Files;
use store::token::NewToken;
use store::wake::Wake;
use store::{UserId, token};
use test_support::TestDb;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Rows in one INSERT.
const ROWS: usize = 1000;

/// The community is the same at every run.
const SEED: u64 = 0xFEED;

/// Days back to which activities are spread.
const DAYS: u32 = 60;

/// The author with the most followers.
const STAR: u64 = 1;

/// How long posts are copied, at most: all of them take longer the less of the table fits into the server's memory.
const COPYING: Duration = Duration::from_secs(120);

/// Followees of a person, on the mean.
const FOLLOWEES: f64 = 30.0;

struct Size {
    people: u64,
    racks: u64,
    activities: u64,
    star_followers: u64,
    /// Pages timed of each kind.
    samples: usize,
    /// Posts of the star that are copied to all followers while uploads are timed.
    posts: u64,
    uploads: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let size = if quick {
        Size {
            people: 10_000,
            racks: 3_000,
            activities: 100_000,
            star_followers: 5_500,
            samples: 300,
            posts: 60,
            uploads: 30,
        }
    } else {
        Size {
            people: 100_000,
            racks: 20_000,
            activities: 1_000_000,
            star_followers: 50_000,
            samples: 1_000,
            posts: 200,
            uploads: 200,
        }
    };
    let db = TestDb::new().await;
    let server = if db.is_mariadb().await { "MariaDB" } else { "MySQL" };
    let started = Instant::now();
    let follows = fill(&db, &size).await;
    println!(
        "feed: {server}, {} people, {follows} follows, {} activities, made in {:.0} s{}",
        size.people,
        size.activities,
        started.elapsed().as_secs_f64(),
        if quick { " (quick)" } else { "" }
    );

    let folder = tempfile::tempdir().context("a folder")?;
    let mut settings = Settings::defaults()?;
    settings.data.dir = folder.path().join("data");
    settings.database.url = Secret::new(db.url());
    settings.redis.url = Secret::new(test_support::redis_url());
    // One person uploads for all.
    settings.limits.enabled = false;
    let settings = Arc::new(settings);
    let api = Api::start(&settings).await?;
    let redis = FeedCache::new(&settings.redis, &settings.feed);
    // Nothing is copied yet: everybody is new, and the star is noted as one whose followers merge.
    tend(&db, &redis, &settings).await?;

    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let readers: Vec<u64> = (0..size.samples).map(|_| rng.random_range(2..=size.people)).collect();
    let tokens = tokens(&db, &readers).await?;
    println!("page of 20                    p50        p99        max   samples");
    let cold = api.pages(&tokens, "").await?;
    print("cold: nothing is kept", &cold);
    let filling = Instant::now();
    tend(&db, &redis, &settings).await?;
    let distinct = readers.iter().collect::<BTreeSet<_>>().len();
    let each_ms = filling.elapsed().as_secs_f64() * 1000.0 / distinct as f64;
    let lukewarm = api.pages(&tokens, "").await?;
    print("kept in MySQL, not in Redis", &lukewarm);
    let warm = api.pages(&tokens, "").await?;
    print("warm: kept in Redis", &warm);
    let deep = api
        .pages(&tokens, &format!("&cursor={}.0", chrono::Utc::now().timestamp() - 5 * 86_400))
        .await?;
    print("warm, from five days ago on", &deep);
    println!("filling one feed: {each_ms:.1} ms");
    let mut bytes = Vec::new();
    for reader in readers.iter().take(100) {
        bytes.extend(redis.measure(UserId(*reader)).await?);
    }
    let mean = bytes.iter().sum::<u64>() / bytes.len().max(1) as u64;
    println!(
        "in Redis: {mean} bytes a reader on the mean, {} at most",
        bytes.iter().max().unwrap_or(&0)
    );

    copying(&db, &api, &settings, &size).await?;
    let met = |times: &[Duration], aim_ms| percentile(times, 99) < Duration::from_millis(aim_ms);
    println!(
        "aims: warm p99 under 10 ms {}, cold p99 under 50 ms {}",
        word(met(&warm, 10)),
        word(met(&cold, 50))
    );
    Ok(())
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// What copying to every follower costs, and whether uploads wait for it. The limit above which nothing is copied is lifted for this.
async fn copying(db: &TestDb, api: &Api, settings: &Arc<Settings>, size: &Size) -> Result<()> {
    db.execute("DELETE FROM feed_pulled_authors").await;
    db.execute(&format!(
        "INSERT INTO feeds (user_id, filled_at) SELECT follower_id, NOW(6) FROM user_follows WHERE following_id = {STAR}
         ON DUPLICATE KEY UPDATE filled_at = NOW(6)"
    ))
    .await;
    let mut settings = Settings::clone(settings);
    settings.feed.copied_followers = u32::MAX / 100;
    settings.feed.cap = 500;
    let settings = Arc::new(settings);
    let files = Files::open(&settings)?;
    let context = jobs::Context::new(
        store::db::connect(&settings.database).await?,
        files,
        settings,
        api.wake.clone(),
    );
    let stop = CancellationToken::new();
    let workers = tokio::spawn(jobs::run(context, stop.clone()));
    println!("upload to parsed              p50        p99        max   samples");
    print("idle", &api.uploads(db, size.uploads, "idle").await?);
    let before = db.integer("SELECT CAST(MAX(id) AS SIGNED) FROM user_activities").await;
    for _ in 0..size.posts {
        let rack = 1;
        db.execute(&format!(
            "INSERT INTO user_activities (user_id, activity_type, activity_data) VALUES ({STAR}, 'workflow_upload', '{{\"workflow_id\": {rack}}}')"
        ))
        .await;
    }
    let started = Instant::now();
    print("while posts are copied", &api.uploads(db, size.uploads, "busy").await?);
    // Followers are gone through in their order, so that the last one has what all have.
    let of_the_last = format!(
        "SELECT COUNT(*) FROM user_feed_cache AS cached JOIN user_activities AS activity ON activity.id = cached.activity_id
         WHERE cached.user_id = (SELECT MAX(follower_id) FROM user_follows WHERE following_id = {STAR})
           AND activity.user_id = {STAR} AND activity.id > {before}"
    );
    let copied = async || u64::try_from(db.integer(&of_the_last).await);
    let mut posts = copied().await?;
    while posts < size.posts && started.elapsed() < COPYING {
        sleep(Duration::from_millis(200)).await;
        posts = copied().await?;
    }
    println!(
        "{posts} of {} posts copied to {} followers, {:.0} copies a second",
        size.posts,
        size.star_followers,
        (posts * size.star_followers) as f64 / started.elapsed().as_secs_f64()
    );
    stop.cancel();
    workers.await.context("the workers")?
}

/// What the job does until nothing is left to do.
async fn tend(db: &TestDb, redis: &FeedCache, settings: &Settings) -> Result<()> {
    let mut remembered = None;
    loop {
        let step = feed::step(db.pool(), redis, &settings.feed, &mut remembered, Instant::now()).await?;
        let unfilled = feed::unfilled(&mut *db.pool().acquire().await?, 100).await?;
        for user in &unfilled {
            feed::fill(db.pool(), *user, settings.feed.cap).await?;
        }
        if !step.more && unfilled.is_empty() {
            return Ok(());
        }
    }
}

struct Api {
    base: String,
    http: Client,
    wake: Wake,
    uploader: String,
    stop: CancellationToken,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Api {
    async fn start(settings: &Arc<Settings>) -> Result<Self> {
        let db = store::db::connect(&settings.database).await?;
        let index = Index::open(&settings.index_dir(), settings.index.writer_memory_bytes)?;
        let wake = Wake::local();
        let context = ApiContext::new(db.clone(), Files::open(settings)?, index, Arc::clone(settings), wake.clone())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        tokio::spawn(query_api::serve(context, listener, stop.clone()));
        let new = NewToken::generate()?;
        token::create(&mut *db.acquire().await?, UserId(2), "bench", &new, None).await?;
        Ok(Self {
            base,
            http: Client::new(),
            wake,
            uploader: new.expose().to_owned(),
            stop,
        })
    }

    /// Times a page of each reader's feed.
    async fn pages(&self, tokens: &[String], cursor: &str) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(tokens.len());
        for token in tokens {
            let begun = Instant::now();
            let response = self
                .http
                .get(format!("{}/v1/feed?limit=20{cursor}", self.base))
                .bearer_auth(token)
                .send()
                .await?
                .error_for_status()?;
            response.bytes().await?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Times uploads until they are parsed.
    async fn uploads(&self, db: &TestDb, count: usize, name: &str) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let file = Rack::new(Kind::AudioEffect)
                .name(&format!("{name} {number}"))
                .chain(Chain::new().device(Device::new("Reverb")))
                .to_adg(&Format::LIVE_11);
            let form = Form::new().part("file", Part::bytes(file).file_name("Rack.adg"));
            let begun = Instant::now();
            let uploaded: serde_json::Value = self
                .http
                .post(format!("{}/v1/workflows", self.base))
                .bearer_auth(&self.uploader)
                .multipart(form)
                .send()
                .await?
                .error_for_status()?
                .json()
                .await?;
            let id = &uploaded["id"];
            let parsed = format!("SELECT COUNT(*) FROM workflows WHERE id = {id} AND parse_state = 'parsed'");
            while db.integer(&parsed).await == 0 {
                ensure!(begun.elapsed() < Duration::from_secs(60), "upload {number} is not parsed");
                sleep(Duration::from_millis(2)).await;
            }
            times.push(begun.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
        times.sort_unstable();
        Ok(times)
    }
}

async fn tokens(db: &TestDb, readers: &[u64]) -> Result<Vec<String>> {
    let mut tokens = Vec::with_capacity(readers.len());
    let mut connection = db.pool().acquire().await?;
    for reader in readers {
        let new = NewToken::generate()?;
        token::create(&mut connection, UserId(*reader), "bench", &new, None).await?;
        tokens.push(new.expose().to_owned());
    }
    Ok(tokens)
}

/// A community in which a few have most of the followers and do most of what is done. Its follows and likes are written without triggers,
/// which would take most of an hour at full size; counts of followers are made after. Returns how many follows there are.
async fn fill(db: &TestDb, size: &Size) -> u64 {
    let triggers = "SELECT GROUP_CONCAT(CONCAT('DROP TRIGGER ', trigger_name) SEPARATOR ';') FROM information_schema.triggers
                    WHERE trigger_schema = DATABASE() AND event_object_table IN ('user_follows', 'workflow_likes')";
    if let Some(drops) = db.shell().text(triggers).await {
        db.execute(&drops).await;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    insert(
        db,
        "users (id, username, email, password, last_active_at)",
        (1..=size.people).map(|id| format!("({id}, 'producer-{id}', 'producer-{id}@example.org', '!', NOW())")),
    )
    .await;
    let fame = Zipf::new(size.people as f64, 1.0).expect("a law");
    let pick = |rng: &mut ChaCha8Rng| fame.sample(rng) as u64;
    insert(
        db,
        "workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published)",
        (1..=size.racks).map(|id| {
            let author = if id == 1 { STAR } else { 1 + (id * 7919) % size.people };
            format!("({id}, {author}, 'Rack {id}', 'rack-{id}', 'instrument', 'none', TRUE)")
        }),
    )
    .await;
    let circles = Exp::new(1.0 / FOLLOWEES).expect("a law");
    let mut follows = 0;
    let mut pairs = Vec::new();
    for reader in 1..=size.people {
        let mut followees = BTreeSet::new();
        for _ in 0..(circles.sample(&mut rng) as usize).min(2_000) {
            followees.insert(pick(&mut rng));
        }
        followees.remove(&STAR);
        if reader > 1 && reader <= size.star_followers + 1 {
            followees.insert(STAR);
        }
        followees.remove(&reader);
        follows += followees.len() as u64;
        pairs.extend(followees.into_iter().map(|followee| format!("({reader}, {followee})")));
        if pairs.len() > 50 * ROWS {
            insert(db, "user_follows (follower_id, following_id)", pairs.drain(..)).await;
        }
    }
    insert(db, "user_follows (follower_id, following_id)", pairs.drain(..)).await;
    let mut liked = BTreeSet::new();
    let (mut likes, mut activities) = (Vec::new(), Vec::new());
    for _ in 0..size.activities {
        let actor = pick(&mut rng);
        let rack = rng.random_range(1..=size.racks);
        if !liked.insert((actor, rack)) {
            continue;
        }
        let seconds = rng.random_range(0..DAYS * 86_400);
        likes.push(format!("({rack}, {actor})"));
        activities.push(format!(
            "({actor}, 'workflow_like', '{{\"workflow_id\": {rack}}}', NOW() - INTERVAL {seconds} SECOND)"
        ));
        if likes.len() > 50 * ROWS {
            insert(db, "workflow_likes (workflow_id, user_id)", likes.drain(..)).await;
            insert(
                db,
                "user_activities (user_id, activity_type, activity_data, created_at)",
                activities.drain(..),
            )
            .await;
        }
    }
    insert(db, "workflow_likes (workflow_id, user_id)", likes.drain(..)).await;
    insert(
        db,
        "user_activities (user_id, activity_type, activity_data, created_at)",
        activities.drain(..),
    )
    .await;
    db.execute(
        "UPDATE users JOIN (SELECT following_id, COUNT(*) AS followers FROM user_follows GROUP BY following_id) AS counted
           ON counted.following_id = users.id SET users.followers_count = counted.followers;
         ANALYZE TABLE user_follows, user_activities, users, workflows, workflow_likes;
         INSERT INTO feed_pulled_authors (author_id) SELECT id FROM users WHERE followers_count > 5000",
    )
    .await;
    follows
}

async fn insert(db: &TestDb, into: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut sql = format!("INSERT INTO {into} VALUES ");
        for (number, row) in rows.by_ref().take(ROWS).enumerate() {
            let _ = write!(sql, "{}{row}", if number > 0 { ", " } else { "" });
        }
        db.execute(&sql).await;
    }
}

/// Of sorted times, by the nearest rank.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

fn print(name: &str, times: &[Duration]) {
    let ms = |percent| format!("{:.1} ms", percentile(times, percent).as_secs_f64() * 1000.0);
    println!("{name:<28} {:>9}  {:>9}  {:>9}  {:>8}", ms(50), ms(99), ms(100), times.len());
}
