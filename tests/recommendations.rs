//! Recommendations, as clients see them.

use std::time::{Duration, Instant};

use config::Secret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::queue::{self, ComputeRecommendations};
use tokio::time::sleep;

use crate::app::{TestApp, User, reverb_rack};

/// Computes what goes together, as the schedule does.
async fn compute(app: &TestApp) {
    let mut db = app.db.pool().acquire().await.expect("a connection");
    queue::enqueue(&mut db, &ComputeRecommendations::default(), None)
        .await
        .expect("enqueue");
    drop(db);
    app.run_jobs().await;
}

/// A word that nothing else is called.
fn title(id: u64) -> String {
    let letter = |number: u64| char::from(b'a' + (number % 26) as u8);
    format!("q{}{}z", letter(id / 26), letter(id))
}

/// Authors 201 to 230 with one published workflow each: number `n` is of author `200 + n`. All are in the index.
async fn fill(app: &TestApp, more: impl Fn(u64) -> String) {
    for id in 1..=30_u64 {
        let more = more(id);
        app.db
            .execute(&format!(
                "INSERT INTO users (id, username, email, password) VALUES (200 + {id}, 'producer-{id}', 'p{id}@example.org', 'x');
                 INSERT INTO workflows SET id = {id}, user_id = 200 + {id}, title = '{}', slug = 'rack-{id}', rack_type = 'instrument',
                   adg_file_path = 'x', parse_state = 'no_file', is_published = TRUE, published_at = NOW() - INTERVAL {id} DAY{more}",
                title(id)
            ))
            .await;
    }
    app.follow().await;
}

/// Listeners 301 and on, each of whom downloaded these.
async fn listeners(app: &TestApp, from: u64, count: u64, workflows: &[u64]) {
    for id in from..from + count {
        app.db
            .execute(&format!(
                "INSERT INTO users (id, username, email, password) VALUES ({id}, 'listener-{id}', 'l{id}@example.org', 'x')"
            ))
            .await;
        for workflow in workflows {
            app.db
                .execute(&format!(
                    "INSERT INTO workflow_downloads (workflow_id, user_id, created_at) VALUES ({workflow}, {id}, NOW() - INTERVAL 40 DAY)"
                ))
                .await;
        }
    }
}

async fn recommended(app: &TestApp, user: &User, query: &str) -> Vec<Value> {
    let answer = app.get_as(user, &format!("/v1/recommendations{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["items"].as_array().expect("items").clone()
}

fn ids(items: &[Value]) -> Vec<u64> {
    items
        .iter()
        .map(|item| item["workflow"]["id"].as_u64().expect("an id"))
        .collect()
}

/// Those that were chosen by a score.
fn scored(items: &[Value]) -> Vec<u64> {
    ids(&items
        .iter()
        .filter(|item| !item["score"].is_null())
        .cloned()
        .collect::<Vec<_>>())
}

async fn download(app: &TestApp, user: &User, workflow: u64) {
    app.db
        .execute(&format!(
            "INSERT INTO workflow_downloads (workflow_id, user_id) VALUES ({workflow}, {})",
            user.id
        ))
        .await;
}

#[tokio::test]
async fn what_goes_with_what_you_took_comes_first_and_says_why_at_once() {
    let app = TestApp::start().await;
    fill(&app, |_| String::new()).await;
    listeners(&app, 301, 6, &[1, 2, 3]).await;
    listeners(&app, 401, 6, &[4, 5, 6]).await;
    listeners(&app, 501, 1, &[1, 4]).await;
    let me = app.user("producer-me").await;
    assert_eq!(app.get_as(&me, "/v1/recommendations").await.body["as_of"], Value::Null);
    compute(&app).await;
    assert!(scored(&recommended(&app, &me, "").await).is_empty(), "you took nothing yet");

    // With the neighbours that are stored, and without computing anything.
    download(&app, &me, 1).await;
    let items = recommended(&app, &me, "").await;
    assert_eq!(scored(&items)[..3], [3, 2, 4]);
    assert_eq!(items[0]["reason"]["kind"], "downloaded");
    assert_eq!(
        items[0]["reason"]["workflow"],
        json!({"id": 1, "slug": "rack-1", "title": title(1)})
    );
    assert_eq!(items[0]["reason"]["text"], format!("because you downloaded “{}”", title(1)));
    assert_eq!(items.len(), 20, "filled up");
    assert!(!ids(&items).contains(&1));
    assert!(app.get_as(&me, "/v1/recommendations").await.body["as_of"].is_string());

    // What was shown and chosen is counted, for reports.
    let shown = app
        .db
        .integer("SELECT CAST(COALESCE(SUM(uses), 0) AS SIGNED) FROM usage_hourly WHERE kind = 'recommendation_shown'");
    assert_eq!(shown.await % 20, 0, "every list so far had twenty");
    for (workflow, from) in [
        (29, "?from=recommendations"),
        (29, "?from=recommendations&session=again"),
        (28, "?from=recommendations"),
        (27, ""),
    ] {
        let seen = app.post_as(&me, &format!("/v1/workflows/{workflow}/views{from}")).await;
        assert_eq!(seen.status, StatusCode::NO_CONTENT);
    }
    app.post_as(&me, "/v1/workflows/29/views?from=nowhere")
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_query");
    let followed = "SELECT CAST(COALESCE(SUM(uses), 0) AS SIGNED) FROM usage_hourly WHERE kind = 'recommendation_followed'";
    let until = Instant::now() + Duration::from_secs(30);
    while app.db.integer(followed).await < 2 && Instant::now() < until {
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(app.db.integer(followed).await, 2);

    let liked = app.send(&me, Method::PUT, "/v1/workflows/5/like", None).await;
    assert_eq!(liked.status, StatusCode::OK);
    let items = recommended(&app, &me, "?limit=4").await;
    assert_eq!(items.len(), 4);
    let of_like = items
        .iter()
        .find(|item| item["workflow"]["id"] == 6)
        .expect("it goes with what is liked");
    assert_eq!(of_like["reason"]["text"], format!("because you liked “{}”", title(5)));
    for wrong in ["?limit=0", "?limit=101", "?limit=x"] {
        app.get_as(&me, &format!("/v1/recommendations{wrong}"))
            .await
            .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }
}

#[tokio::test]
async fn what_must_not_be_shown_is_not_and_the_list_stays_as_long() {
    let app = TestApp::start().await;
    // Workflow 11 has the content of workflow 2, and 12 that of a workflow of mine.
    let content = |id: u64| match id {
        2 | 11 => ", content_hash = UNHEX(SHA2('a', 256))".to_owned(),
        12 => ", content_hash = UNHEX(SHA2('b', 256))".to_owned(),
        _ => String::new(),
    };
    fill(&app, content).await;
    listeners(&app, 301, 6, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]).await;
    let me = app.user("producer-me").await;
    app.db
        .execute(&format!(
            "INSERT INTO workflows SET id = 100, user_id = {0}, title = 'Mine', slug = 'mine', rack_type = 'instrument', adg_file_path = 'x',
               parse_state = 'no_file', is_published = TRUE, content_hash = UNHEX(SHA2('b', 256));
             INSERT INTO workflow_downloads (workflow_id, user_id) VALUES (100, 301), (100, 302)",
            me.id
        ))
        .await;
    compute(&app).await;
    download(&app, &me, 1).await;
    let mut shown = scored(&recommended(&app, &me, "?limit=30").await);
    shown.sort_unstable();
    assert!(!shown.contains(&1) && !shown.contains(&100), "{shown:?}");
    assert!(!shown.contains(&12), "the same content as a workflow of yours");
    assert_eq!(shown.iter().filter(|id| [2, 11].contains(*id)).count(), 1, "no content twice");

    // Looked at, taken down, of somebody suspended, of somebody who blocks me, not published any more, to come.
    app.db
        .execute(&format!(
            "INSERT INTO workflow_views (workflow_id, user_id) VALUES (2, {0});
             UPDATE workflows SET taken_down_at = NOW() WHERE id = 3;
             UPDATE users SET suspended_at = NOW() WHERE id = 204;
             INSERT INTO user_blocks (blocker_id, blocked_id) VALUES (205, {0});
             UPDATE workflows SET is_published = FALSE WHERE id = 6;
             UPDATE workflows SET published_at = NOW() + INTERVAL 1 DAY WHERE id = 7",
            me.id
        ))
        .await;
    let dismissed = app.send(&me, Method::PUT, "/v1/workflows/8/not-interested", None).await;
    assert_eq!(
        (dismissed.status, &dismissed.body["is_not_interested"]),
        (StatusCode::OK, &json!(true))
    );
    let items = recommended(&app, &me, "").await;
    let mut shown = scored(&items);
    shown.sort_unstable();
    assert_eq!(shown, [9, 10, 13], "11 has the content of 2, which was looked at");
    assert_eq!(items.len(), 20, "other reasons fill it up");
    for hidden in [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 100] {
        assert!(!ids(&items).contains(&hidden), "{hidden}");
    }

    let list = app.get_as(&me, "/v1/me/not-interested").await;
    assert_eq!(list.body["items"][0]["id"], 8);
    app.send(&me, Method::DELETE, "/v1/workflows/8/not-interested", None).await;
    assert!(ids(&recommended(&app, &me, "").await).contains(&8));
    assert_eq!(app.get_as(&me, "/v1/me/not-interested").await.body["items"], json!([]));
    app.send(&me, Method::PUT, "/v1/workflows/3/not-interested", None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn of_one_author_there_are_two_at_most() {
    let app = TestApp::start().await;
    fill(&app, |_| String::new()).await;
    app.db
        .execute("UPDATE workflows SET user_id = 202 WHERE id BETWEEN 2 AND 9")
        .await;
    listeners(&app, 301, 6, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    compute(&app).await;
    let me = app.user("producer-me").await;
    download(&app, &me, 1).await;
    let items = recommended(&app, &me, "").await;
    assert_eq!(items.len(), 20);
    let of_one = items.iter().filter(|item| item["workflow"]["author"]["id"] == 202).count();
    assert_eq!(of_one, 2);
    assert!(scored(&items).contains(&10), "what comes next takes their place");
}

#[tokio::test]
async fn who_did_nothing_yet_gets_followees_then_what_trends_then_what_is_new() {
    let app = TestApp::start_with(|settings| {
        settings.recommendations.explore_every = 0;
        settings.recommendations.alike = 0.0;
    })
    .await;
    fill(&app, |id| {
        if id <= 20 {
            ", genre = 'Techno'".to_owned()
        } else {
            ", genre = 'House'".to_owned()
        }
    })
    .await;
    app.db.execute("UPDATE users SET created_at = NOW() - INTERVAL 1 YEAR").await;
    for (workflow, people) in [(15, 5), (25, 4)] {
        for person in 0..people {
            app.db
                .execute(&format!(
                    "INSERT INTO workflow_downloads (workflow_id, user_id, created_at) VALUES ({workflow}, 201 + {person}, NOW() - INTERVAL 1 HOUR)"
                ))
                .await;
        }
    }
    app.compute_trending().await;
    let me = app.user("producer-me").await;
    app.send(&me, Method::PUT, "/v1/users/producer-30/follow", None).await;
    let items = recommended(&app, &me, "?limit=5").await;
    assert_eq!(ids(&items), [30, 15, 25, 1, 2]);
    let kinds: Vec<&str> = items
        .iter()
        .map(|item| item["reason"]["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, ["followed", "trending", "trending", "new", "new"]);
    assert_eq!(items[0]["reason"]["text"], "by producer-30, whom you follow");

    // Whoever took House gets what trends in House first.
    download(&app, &me, 28).await;
    let items = recommended(&app, &me, "?limit=30").await;
    let place = |id: u64| ids(&items).iter().position(|shown| *shown == id).expect("it is listed");
    assert!(place(25) < place(15));
    assert_eq!(items[place(25)]["reason"]["kind"], "genre");
    assert_eq!(items[place(25)]["reason"]["text"], "trends in House");
}

#[tokio::test]
async fn some_places_are_for_what_is_new_and_they_stay_for_the_day() {
    let app = TestApp::start().await;
    fill(&app, |_| String::new()).await;
    let all: Vec<u64> = (1..=30).collect();
    listeners(&app, 301, 3, &all[..20]).await;
    compute(&app).await;
    let me = app.user("producer-me").await;
    download(&app, &me, 1).await;
    let items = recommended(&app, &me, "?limit=16").await;
    let tried: Vec<usize> = (1..=16).filter(|rank| items[rank - 1]["reason"]["kind"] == "new").collect();
    assert_eq!(tried, [8, 16]);
    assert_eq!(ids(&recommended(&app, &me, "?limit=16").await), ids(&items));
}

#[tokio::test]
async fn what_nobody_took_yet_is_found_by_what_is_in_it() {
    let app = TestApp::start().await;
    let author = app.user("producer-001").await;
    let other = app.user("producer-002").await;
    let taken = app.published(&author, reverb_rack("Taken"), json!({"title": "Taken"})).await;
    let fresh = app.published(&other, reverb_rack("Fresh"), json!({"title": "Fresh"})).await;
    let me = app.user("producer-me").await;
    download(&app, &me, taken).await;
    let items = recommended(&app, &me, "").await;
    assert_eq!(ids(&items), [fresh]);
    assert_eq!(items[0]["reason"]["kind"], "alike");
    let text = items[0]["reason"]["text"].as_str().expect("a text");
    assert!(text.starts_with("uses ") && text.ends_with(" like “Taken”"), "{text}");
    assert!(
        items[0]["reason"]["values"]
            .as_array()
            .is_some_and(|values| !values.is_empty())
    );
}

#[tokio::test]
async fn lists_are_the_same_without_redis() {
    for url in [test_support::redis_url(), String::new(), "redis://127.0.0.1:1".to_owned()] {
        let app = TestApp::start_with(|settings| settings.redis.url = Secret::new(&url)).await;
        fill(&app, |_| String::new()).await;
        listeners(&app, 301, 4, &[1, 2, 3]).await;
        compute(&app).await;
        let me = app.user("producer-me").await;
        download(&app, &me, 1).await;
        assert_eq!(scored(&recommended(&app, &me, "").await)[..2], [3, 2], "{url}");
    }
}

#[tokio::test]
async fn similar_racks_are_those_that_the_same_people_took_too_and_the_database_may_be_away() {
    let app = TestApp::start_with(|settings| settings.database.acquire_timeout_s = 1).await;
    fill(&app, |_| String::new()).await;
    listeners(&app, 301, 8, &[1, 17]).await;
    compute(&app).await;
    let similar = app.get("/v1/workflows/1/similar?limit=50").await;
    assert_eq!(similar.status, StatusCode::OK, "{}", similar.body);
    let first = &similar.body["items"][0];
    assert_eq!(first["workflow"]["id"], 17);
    assert_eq!(first["reasons"][0]["kind"], "behaviour");
    let sum: f64 = first["reasons"]
        .as_array()
        .expect("reasons")
        .iter()
        .filter_map(|reason| reason["score"].as_f64())
        .sum();
    let score = first["workflow"]["score"].as_f64().expect("a score");
    assert!((score - sum).abs() < 1e-5, "{score} is not the sum {sum}");

    app.api_db.close().await;
    let started = std::time::Instant::now();
    let similar = app.get("/v1/workflows/1/similar").await;
    assert_eq!(similar.status, StatusCode::OK, "{}", similar.body);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(!similar.body.to_string().contains("behaviour"));
}
