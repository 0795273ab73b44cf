//! Two hundred people at once, on few racks: no deadlock reaches anybody, and afterwards every count is what the rows say.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{count_repair, recount};
use tokio::task::JoinSet;

use crate::app::{TestApp, answer};

const CLIENTS: usize = 200;

/// Few, so that everybody meets.
const RACKS: u64 = 24;

/// How many of the clients have racks: each an equal share.
const AUTHORS: u64 = 8;

/// How long, unless `COOKBOOK_TEST_CONCURRENCY_S` says otherwise.
const SECONDS: u64 = 15;

/// What a client may be told: done, gone, not theirs, or refused for a reason that others brought about.
const EXPECTED: [StatusCode; 7] = [
    StatusCode::OK,
    StatusCode::CREATED,
    StatusCode::NO_CONTENT,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// One request at random.
fn request(client: u64, random: &mut ChaCha8Rng, comments: &[u64]) -> (&'static str, Method, String, Option<Value>) {
    let rack = random.random_range(1..=RACKS);
    let workflow = format!("/v1/workflows/{rack}");
    let user = format!("/v1/users/producer-{:03}", random.random_range(1..=CLIENTS));
    let comment = comments.choose(random).map(|id| format!("/v1/comments/{id}"));
    if client < AUTHORS && random.random_range(0..50) == 0 {
        let own = random.random_range(0..RACKS / AUTHORS) * AUTHORS + client + 1;
        return ("delete workflow", Method::DELETE, format!("/v1/workflows/{own}"), None);
    }
    match (random.random_range(0..1000), comment) {
        (0..180, _) => ("like", Method::PUT, workflow + "/like", None),
        (180..300, _) => ("unlike", Method::DELETE, workflow + "/like", None),
        (300..420, _) => {
            let stars = random.random_range(1..=5);
            ("rate", Method::PUT, workflow + "/rating", Some(json!({ "stars": stars })))
        }
        (420..490, _) => ("unrate", Method::DELETE, workflow + "/rating", None),
        (490..590, _) => ("follow", Method::PUT, user + "/follow", None),
        (590..650, _) => ("unfollow", Method::DELETE, user + "/follow", None),
        (650..700, Some(comment)) => ("like comment", Method::PUT, comment + "/like", None),
        (700..730, Some(comment)) => ("unlike comment", Method::DELETE, comment + "/like", None),
        (730..790, Some(comment)) => ("delete comment", Method::DELETE, comment, None),
        (790..860, _) => ("view", Method::POST, workflow + "/views", None),
        (860..900, _) => ("read", Method::GET, workflow + "/comments", None),
        (random_parent, _) => {
            let parent = (random_parent % 2 == 0).then(|| comments.choose(random)).flatten();
            let draft = json!({"content": "Noted", "parent_id": parent});
            ("comment", Method::POST, workflow + "/comments", Some(draft))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_at_once_leave_true_counts_and_meet_no_error_of_ours() {
    let seconds = std::env::var("COOKBOOK_TEST_CONCURRENCY_S").map_or(SECONDS, |text| text.parse().expect("seconds"));
    let app = TestApp::start_with(|settings| {
        // A slow machine is not what is tested.
        settings.database.acquire_timeout_s = 30;
    })
    .await;
    let mut users = Vec::new();
    for n in 1..=CLIENTS {
        users.push(app.user(&format!("producer-{n:03}")).await);
    }
    for rack in 1..=RACKS {
        app.db
            .execute(&format!(
                "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published, parse_state)
                 VALUES ({rack}, {}, 'Rack {rack}', 'rack-{rack}', 'instrument', 'none.adg', TRUE, 'no_file')",
                users[usize::try_from((rack - 1) % AUTHORS).expect("few")].id
            ))
            .await;
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let http = reqwest::Client::new();
    let base = app.url("");
    let mut clients = JoinSet::new();
    for (n, user) in users.into_iter().enumerate() {
        let (http, base) = (http.clone(), base.clone());
        let n = n as u64;
        clients.spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(n);
            let mut done: BTreeMap<(&str, u16), u64> = BTreeMap::new();
            // Of this client's own and of others': ids ascend.
            let mut comments: Vec<u64> = Vec::new();
            while Instant::now() < until {
                let (name, method, path, body) = request(n, &mut random, &comments);
                let mut asked = http.request(method, format!("{base}{path}")).bearer_auth(&user.token);
                if let Some(body) = body {
                    asked = asked.json(&body);
                }
                let answered = answer(asked).await;
                assert!(
                    EXPECTED.contains(&answered.status),
                    "{name} {path}: {} {}",
                    answered.status,
                    answered.body
                );
                if let Some(id) = answered.body["id"].as_u64().filter(|_| name == "comment") {
                    comments.push(id);
                    comments.push(random.random_range(1..=id));
                }
                *done.entry((name, answered.status.as_u16())).or_default() += 1;
            }
            done
        });
    }
    let mut all: BTreeMap<(&str, u16), u64> = BTreeMap::new();
    while let Some(ended) = clients.join_next().await {
        for (key, count) in ended.expect("no client met an error of ours") {
            *all.entry(key).or_default() += count;
        }
    }
    let total: u64 = all.values().sum();
    println!("{total} requests in {seconds} s: {all:?}");
    assert!(total > CLIENTS as u64, "too few to tell: {total}");
    assert!(all.contains_key(&("like", 200)) && all.contains_key(&("comment", 201)));

    let pool = app.db.pool();
    while count_repair::apply(pool).await.expect("apply noted repairs") > 0 {}
    let mut db = pool.acquire().await.expect("a connection");
    let wrong = recount::differences(&mut db).await.expect("recount");
    assert!(wrong.is_empty(), "counts differ from the rows: {wrong:?}");
    // Every deed has its activity, and every activity its deed.
    for (deed, join, kind) in [
        (
            "workflow_likes",
            "d.workflow_id = a.workflow_id AND d.user_id = a.user_id",
            "workflow_like",
        ),
        (
            "workflow_ratings",
            "d.workflow_id = a.workflow_id AND d.user_id = a.user_id",
            "workflow_rating",
        ),
        (
            "user_follows",
            "d.following_id = a.following_id AND d.follower_id = a.user_id",
            "user_follow",
        ),
        (
            "(SELECT * FROM workflow_comments WHERE deleted_at IS NULL)",
            "d.id = a.comment_id AND d.user_id = a.user_id",
            "workflow_comment",
        ),
    ] {
        let activities = format!("(SELECT * FROM user_activities WHERE activity_type = '{kind}')");
        for (one, other) in [
            (format!("{deed} AS d"), format!("{activities} AS a")),
            (format!("{activities} AS a"), format!("{deed} AS d")),
        ] {
            let alone = app
                .db
                .integer(&format!(
                    "SELECT COUNT(*) FROM {one} LEFT JOIN {other} ON {join} WHERE {}.id IS NULL",
                    &other[other.len() - 1..]
                ))
                .await;
            assert_eq!(alone, 0, "{one} without {other}");
        }
        let count = app.db.integer(&format!("SELECT COUNT(*) FROM {deed} AS d")).await;
        let noted = app.db.integer(&format!("SELECT COUNT(*) FROM {activities} AS a")).await;
        assert_eq!(count, noted, "{kind}");
    }
    let graves = "SELECT COUNT(*) FROM workflow_comments c WHERE c.deleted_at IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM workflow_comments r WHERE r.parent_id = c.id)";
    assert_eq!(app.db.integer(graves).await, 0, "tombstones that nobody answers");
}
