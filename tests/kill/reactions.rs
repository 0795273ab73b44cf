//! What people do to each other's racks while everything is killed: what was acknowledged is there, once, and feeds show it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use reqwest::Method;

use super::*;
use crate::program::cookbook;

/// People, who all follow each other.
const PEOPLE: usize = 5;

/// Things that each of them does.
const DEEDS: usize = 80;

/// Racks, of somebody else.
const RACKS: u64 = 6;

/// How often each is killed.
const KILLS: [(Target, usize); 3] = [(Target::Program, 5), (Target::Database, 3), (Target::Redis, 4)];

/// Who does things and does not give up.
#[derive(Debug)]
struct Person {
    http: reqwest::Client,
    base: String,
    username: String,
    token: String,
}

/// What a person knows to be so, since it was acknowledged.
#[derive(Debug, Default)]
struct Known {
    likes: BTreeMap<u64, bool>,
    stars: BTreeMap<u64, u64>,
    comments: BTreeSet<u64>,
    /// Comments that were made by a process that died with its answer.
    lost_answers: usize,
    views: i64,
}

impl Person {
    /// Asks until it is done.
    async fn until_done(&self, method: Method, path: &str, body: Option<Value>, key: Option<&str>) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut request = self
                .http
                .request(method.clone(), format!("{}{path}", self.base))
                .bearer_auth(&self.token);
            if let Some(body) = &body {
                request = request.json(body);
            }
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    if let Ok(body) = answer.text().await {
                        return serde_json::from_str(&body).unwrap_or_default();
                    }
                }
                Ok(answer) if answer.status() == StatusCode::CONFLICT && key.is_some() => {
                    let problem: Value = answer.json().await.unwrap_or_default();
                    if problem["code"] == "answer_lost" {
                        return problem;
                    }
                    // The first try may be under way still, or the claim of a dead process on the key.
                }
                Ok(answer) => assert!(answer.status().is_server_error(), "{method} {path}: {answer:?}"),
                Err(_) => {}
            }
            assert!(Instant::now() < deadline, "{method} {path} is not done within {PATIENCE:?}");
            tokio::time::sleep(REST).await;
        }
    }

    /// Does things at random.
    async fn live(&self, dice: &mut StdRng, acknowledged: &AtomicUsize) -> Known {
        let mut known = Known::default();
        for deed in 0..DEEDS {
            let rack = dice.random_range(1..=RACKS);
            let path = format!("/v1/workflows/{rack}");
            match dice.random_range(0..5) {
                0 => {
                    let is_liked = dice.random_bool(0.7);
                    let method = if is_liked { Method::PUT } else { Method::DELETE };
                    self.until_done(method, &format!("{path}/like"), None, None).await;
                    known.likes.insert(rack, is_liked);
                }
                1 => {
                    let stars = dice.random_range(1..=5);
                    let body = json!({ "stars": stars });
                    self.until_done(Method::PUT, &format!("{path}/rating"), Some(body), None)
                        .await;
                    known.stars.insert(rack, stars);
                }
                2 => {
                    let body = json!({"content": format!("{} says {deed}", self.username)});
                    let key = format!("{}-{deed}", self.username);
                    let made = self
                        .until_done(Method::POST, &format!("{path}/comments"), Some(body), Some(&key))
                        .await;
                    match made["id"].as_u64() {
                        Some(id) => drop(known.comments.insert(id)),
                        None => known.lost_answers += 1,
                    }
                }
                _ => {
                    let path = format!("{path}/views?session={}-{deed}", self.username);
                    self.until_done(Method::POST, &path, None, None).await;
                    known.views += 1;
                }
            }
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        known
    }

    /// Ids of all activities in this person's feed, page by page.
    async fn feed(&self) -> Vec<u64> {
        let mut activities = Vec::new();
        let mut path = "/v1/feed?limit=20".to_owned();
        loop {
            let page = self.until_done(Method::GET, &path, None, None).await;
            for entry in page["items"].as_array().expect("entries") {
                let of_entry = entry["activities"].as_array().expect("activities");
                activities.extend(of_entry.iter().map(|activity| activity["id"].as_u64().expect("an id")));
            }
            let Some(next) = page["next"].as_str() else {
                return activities;
            };
            path = format!("/v1/feed?limit=20&cursor={next}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_reaction_survives_and_feeds_show_it() {
    let seed = std::env::var("COOKBOOK_TEST_SEED").map_or_else(|_| rand::random(), |text| text.parse().unwrap());
    eprintln!("the kills of this run come again with COOKBOOK_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let plan = plan(&mut dice, &KILLS, PEOPLE * DEEDS);

    let folder = folder();
    let address = free_address();
    let mut settings = settings(&address);
    // A dead process' claim on an idempotency key ends after twice as long.
    settings.push(("COOKBOOK_HTTP__REQUEST_TIMEOUT_S", "4".to_owned()));
    let up = Up::start_with(folder.path(), &settings);
    token(folder.path(), "producer-001");
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let people: Vec<Arc<Person>> = (0..PEOPLE)
        .map(|person| {
            let username = format!("producer-{:03}", 11 + person);
            Arc::new(Person {
                http: http.clone(),
                base: format!("http://{address}"),
                token: token(folder.path(), &username),
                username,
            })
        })
        .collect();
    let author = "SELECT CAST(id AS SIGNED) FROM users WHERE username = 'producer-001'";
    let author = up.shell().integer(author).await;
    let racks: Vec<String> = (1..=RACKS)
        .map(|rack| format!("({rack}, {author}, 'Rack {rack}', 'rack-{rack}', 'instrument', 'none.adg', TRUE, 'no_file')"))
        .collect();
    let racks = racks.join(", ");
    up.shell()
        .execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published, parse_state) VALUES {racks}"
        ))
        .await;
    for person in &people {
        for other in people.iter().filter(|other| other.username != person.username) {
            let path = format!("/v1/users/{}/follow", other.username);
            person.until_done(Method::PUT, &path, None, None).await;
        }
        // Kept from the first reading on.
        person.feed().await;
    }

    let acknowledged = Arc::new(AtomicUsize::new(0));
    let killer = {
        let (acknowledged, folder) = (Arc::clone(&acknowledged), folder.path().to_owned());
        tokio::task::spawn_blocking(move || carry_out(plan, up, &acknowledged, &folder, &settings))
    };
    let mut lives = JoinSet::new();
    for person in &people {
        let (person, acknowledged) = (Arc::clone(person), Arc::clone(&acknowledged));
        let mut dice = StdRng::seed_from_u64(dice.random());
        lives.spawn(async move {
            let known = person.live(&mut dice, &acknowledged).await;
            (person, known)
        });
    }
    let lived = lives.join_all().await;
    let up = killer.await.unwrap();
    // The last kill may have been a moment ago.
    people[0].until_done(Method::GET, "/v1/activity", None, None).await;
    let shell = up.shell();

    for (person, known) in &lived {
        let id = format!("(SELECT id FROM users WHERE username = '{}')", person.username);
        for (rack, is_liked) in &known.likes {
            let likes = format!("SELECT COUNT(*) FROM workflow_likes WHERE workflow_id = {rack} AND user_id = {id}");
            assert_eq!(
                shell.integer(&likes).await,
                i64::from(*is_liked),
                "{} likes {rack}",
                person.username
            );
        }
        for (rack, stars) in &known.stars {
            let rated = format!(
                "SELECT COUNT(*) FROM workflow_ratings WHERE workflow_id = {rack} AND user_id = {id} AND rating = {stars}"
            );
            assert_eq!(
                shell.integer(&rated).await,
                1,
                "{} gives {rack} {stars} stars",
                person.username
            );
        }
        for comment in &known.comments {
            let said = format!("SELECT COUNT(*) FROM workflow_comments WHERE id = {comment} AND user_id = {id}");
            assert_eq!(shell.integer(&said).await, 1, "comment {comment}");
        }
        let views = shell
            .integer(&format!("SELECT COUNT(*) FROM workflow_views WHERE user_id = {id}"))
            .await;
        assert!(
            views >= known.views,
            "{views} of {} acknowledged views of {}",
            known.views,
            person.username
        );
        // Said once, however often it was asked for.
        let said = shell
            .integer(&format!("SELECT COUNT(*) FROM workflow_comments WHERE user_id = {id}"))
            .await;
        let known_comments = known.comments.len() + known.lost_answers;
        assert_eq!(said, known_comments as i64, "comments of {}", person.username);
        eprintln!("{}: {} comments, {} answers lost", person.username, said, known.lost_answers);
    }
    for (deed, kind) in [
        ("workflow_likes", "workflow_like"),
        ("workflow_ratings", "workflow_rating"),
        ("workflow_comments", "workflow_comment"),
    ] {
        let deeds = shell.integer(&format!("SELECT COUNT(*) FROM {deed}")).await;
        let activities = shell
            .integer(&format!(
                "SELECT COUNT(*) FROM user_activities WHERE activity_type = '{kind}'"
            ))
            .await;
        assert_eq!(deeds, activities, "{kind}");
        let column = if deed == "workflow_comments" {
            "comments_count"
        } else {
            "likes_count"
        };
        if kind != "workflow_rating" {
            let counted = shell
                .integer(&format!("SELECT CAST(SUM({column}) AS SIGNED) FROM workflows"))
                .await;
            assert_eq!(deeds, counted, "{column}");
        }
    }

    // The same with what was kept through all this, and with what is made anew; and all of it.
    let mut kept = Vec::new();
    for person in &people {
        let id = format!("(SELECT id FROM users WHERE username = '{}')", person.username);
        let all = shell
            .integer(&format!(
                "SELECT COUNT(*) FROM user_activities AS activity JOIN user_follows AS follow ON follow.following_id = activity.user_id
                 WHERE follow.follower_id = {id}"
            ))
            .await;
        // What was done last is copied within moments: a worker that died has to be missed first.
        let deadline = Instant::now() + PATIENCE;
        let mut feed = person.feed().await;
        while feed.len() as i64 != all && Instant::now() < deadline {
            tokio::time::sleep(REST).await;
            feed = person.feed().await;
        }
        assert_eq!(feed.len() as i64, all, "the feed of {}", person.username);
        kept.push(feed);
    }
    let rebuilt = cookbook(folder.path()).args(["feed", "rebuild"]).output().unwrap();
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    for (person, kept) in people.iter().zip(kept) {
        assert_eq!(person.feed().await, kept, "the feed of {} made anew", person.username);
    }
}
