//! Feeds over HTTP, of deeds that plain SQL wrote.

use std::time::Duration;

use config::Secret;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use store::UserId;
use store::queue::{self, TendFeeds};
use tokio::time::timeout;

use crate::app::{TestApp, User};

/// Four people: the first follows the second and the third.
struct Circle {
    app: TestApp,
    reader: User,
    friend: User,
    other: User,
    stranger: User,
}

impl Circle {
    async fn new() -> Self {
        Self::of(TestApp::start().await).await
    }

    async fn of(app: TestApp) -> Self {
        let (reader, friend, other, stranger) = (
            app.user("producer-001").await,
            app.user("producer-002").await,
            app.user("producer-003").await,
            app.user("producer-004").await,
        );
        let circle = Self {
            app,
            reader,
            friend,
            other,
            stranger,
        };
        circle.follow(circle.reader.id, circle.friend.id).await;
        circle.follow(circle.reader.id, circle.other.id).await;
        circle
    }

    async fn follow(&self, follower: UserId, followee: UserId) {
        let sql = format!("INSERT INTO user_follows (follower_id, following_id) VALUES ({follower}, {followee})");
        self.app.db.execute(&sql).await;
    }

    /// A published workflow of somebody with its activity, some minutes ago. Returns its id.
    async fn upload(&self, author: &User, minutes_ago: u32) -> i64 {
        let id = self
            .app
            .db
            .integer("SELECT CAST(COALESCE(MAX(id), 0) + 1 AS SIGNED) FROM workflows")
            .await;
        let author = author.id;
        self.app
            .db
            .execute(&format!(
                "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published)
                   VALUES ({id}, {author}, 'Rack {id}', 'rack-{id}', 'instrument', 'none', TRUE);
                 INSERT INTO user_activities (user_id, activity_type, activity_data, created_at)
                   VALUES ({author}, 'workflow_upload', '{{\"workflow_id\": {id}}}', NOW() - INTERVAL {minutes_ago} MINUTE)"
            ))
            .await;
        id
    }

    async fn like(&self, who: &User, workflow: i64, minutes_ago: u32) {
        let insert = format!(
            "INSERT INTO workflow_likes (user_id, workflow_id) VALUES ({}, {workflow})",
            who.id
        );
        self.app.db.execute(&insert).await;
        self.note(who, "workflow_like", &json!({ "workflow_id": workflow }), minutes_ago)
            .await;
    }

    /// An activity alone.
    async fn note(&self, who: &User, kind: &str, data: &Value, minutes_ago: u32) {
        let who = who.id;
        self.app
            .db
            .execute(&format!(
                "INSERT INTO user_activities (user_id, activity_type, activity_data, created_at)
                   VALUES ({who}, '{kind}', '{data}', NOW() - INTERVAL {minutes_ago} MINUTE)"
            ))
            .await;
    }

    /// What the schedule does every second.
    async fn tend(&self) {
        let mut db = self.app.db.pool().acquire().await.expect("a connection");
        queue::enqueue(&mut db, &TendFeeds {}, None).await.expect("enqueue");
        drop(db);
        self.app.run_jobs().await;
    }

    /// Opens a stream.
    async fn stream(&self, viewer: &User, last_event_id: Option<&str>) -> Listening {
        let mut request = self.app.request(Method::GET, "/v1/feed/stream").bearer_auth(&viewer.token);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listening {
            response,
            heard: String::new(),
        }
    }

    /// All entries of a list, read in pages of `limit`.
    async fn entries(&self, viewer: &User, list: &str, limit: usize) -> Vec<Value> {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.app.get_as(viewer, &format!("{list}?limit={limit}{cursor}")).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            let items = page.body["items"].as_array().expect("items");
            assert!(items.len() <= limit);
            entries.extend(items.iter().cloned());
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return entries,
            }
        }
    }

    /// Kind, actor and workflow of each activity of somebody's feed.
    async fn feed(&self, viewer: &User) -> Vec<(String, u64, Option<i64>)> {
        let mut lines = Vec::new();
        for entry in self.entries(viewer, "/v1/feed", 20).await {
            for activity in entry["activities"].as_array().expect("activities") {
                lines.push((
                    entry["kind"].as_str().expect("a kind").to_owned(),
                    entry["actor"]["id"].as_u64().expect("an id"),
                    activity["workflow"]["id"].as_i64(),
                ));
            }
        }
        lines
    }
}

#[tokio::test]
async fn a_feed_is_what_followees_did_the_newest_first_with_what_it_refers_to() {
    let circle = Circle::new().await;
    let (first, second) = (
        circle.upload(&circle.stranger, 90).await,
        circle.upload(&circle.friend, 80).await,
    );
    circle.like(&circle.friend, first, 70).await;
    let (friend, other, stranger) = (circle.friend.id, circle.other.id, circle.stranger.id);
    circle
        .app
        .db
        .execute(&format!(
            "INSERT INTO workflow_comments (user_id, workflow_id, content) VALUES ({other}, {first}, '<b>Warm</b> & wide');
             INSERT INTO workflow_ratings (user_id, workflow_id, rating) VALUES ({other}, {second}, 5);
             INSERT INTO user_follows (follower_id, following_id) VALUES ({friend}, {stranger})"
        ))
        .await;
    let comment = json!({"workflow_id": first, "comment_id": 1});
    circle.note(&circle.other, "workflow_comment", &comment, 60).await;
    let rating = json!({"workflow_id": second, "rating": 2});
    circle.note(&circle.other, "workflow_rating", &rating, 50).await;
    circle
        .note(&circle.friend, "user_follow", &json!({ "following_id": stranger }), 40)
        .await;
    let entries = circle.entries(&circle.reader, "/v1/feed", 2).await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["follow", "rating", "comment", "like", "upload"]);
    assert_eq!(entries[0]["actor"]["username"], "producer-002");
    assert_eq!(entries[0]["activities"][0]["user"]["username"], "producer-004");
    assert_eq!(entries[1]["activities"][0]["rating"], 5, "as it is now");
    assert_eq!(entries[2]["activities"][0]["comment"]["beginning"], "<b>Warm</b> & wide");
    assert_eq!(
        entries[3]["activities"][0]["workflow"],
        json!({"id": first, "title": "Rack 1", "slug": "rack-1", "kind": "instrument",
               "author": {"id": circle.stranger.id, "username": "producer-004", "display_name": null}})
    );
    assert_eq!(entries[4]["activities"][0]["workflow"]["id"], second);
    // Everybody's list has the stranger's upload too, and who follows nobody has an empty feed.
    assert_eq!(circle.entries(&circle.reader, "/v1/activity", 3).await.len(), 6);
    assert_eq!(
        circle
            .entries(&circle.reader, "/v1/users/producer-002/activity", 2)
            .await
            .len(),
        3
    );
    let nobody = circle.app.get("/v1/users/nobody/activity").await;
    nobody.assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert!(circle.feed(&circle.stranger).await.is_empty());
    circle
        .app
        .get("/v1/feed")
        .await
        .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
    for cursor in ["1", "x.y", "1.-1", "99999999999.1", "-1.1"] {
        circle
            .app
            .get(&format!("/v1/activity?cursor={cursor}"))
            .await
            .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }
}

#[tokio::test]
async fn each_thing_alone_hides_an_activity_at_once() {
    let circle = Circle::new().await;
    let mine = circle.upload(&circle.friend, 30).await;
    let theirs = circle.upload(&circle.stranger, 20).await;
    circle.like(&circle.friend, theirs, 10).await;
    let upload = ("upload".to_owned(), circle.friend.id.0, Some(mine));
    let like = ("like".to_owned(), circle.friend.id.0, Some(theirs));
    let both = vec![like.clone(), upload.clone()];
    let (friend, stranger) = (circle.friend.id, circle.stranger.id);
    let reader = circle.reader.id;
    for (hide, show, left) in [
        (
            format!("UPDATE workflows SET is_published = FALSE WHERE id = {theirs}"),
            format!("UPDATE workflows SET is_published = TRUE WHERE id = {theirs}"),
            vec![upload.clone()],
        ),
        (
            format!("UPDATE workflows SET published_at = NOW() + INTERVAL 1 HOUR WHERE id = {mine}"),
            format!("UPDATE workflows SET published_at = NULL WHERE id = {mine}"),
            vec![like.clone()],
        ),
        (
            format!("UPDATE workflows SET taken_down_at = NOW() WHERE id = {theirs}"),
            format!("UPDATE workflows SET taken_down_at = NULL WHERE id = {theirs}"),
            vec![upload.clone()],
        ),
        (
            format!("UPDATE users SET suspended_at = NOW() WHERE id = {stranger}"),
            format!("UPDATE users SET suspended_at = NULL WHERE id = {stranger}"),
            vec![upload.clone()],
        ),
        (
            format!("UPDATE users SET is_active = FALSE WHERE id = {friend}"),
            format!("UPDATE users SET is_active = TRUE WHERE id = {friend}"),
            vec![],
        ),
        (
            format!("DELETE FROM user_follows WHERE follower_id = {reader} AND following_id = {friend}"),
            format!("INSERT INTO user_follows (follower_id, following_id) VALUES ({reader}, {friend})"),
            vec![],
        ),
        (
            format!("DELETE FROM workflow_likes WHERE user_id = {friend}"),
            format!("INSERT INTO workflow_likes (user_id, workflow_id) VALUES ({friend}, {theirs})"),
            vec![upload.clone()],
        ),
        (
            "UPDATE user_activities SET is_public = FALSE WHERE activity_type = 'workflow_like'".to_owned(),
            "UPDATE user_activities SET is_public = TRUE".to_owned(),
            vec![upload.clone()],
        ),
    ] {
        assert_eq!(circle.feed(&circle.reader).await, both);
        circle.app.db.execute(&hide).await;
        assert_eq!(circle.feed(&circle.reader).await, left, "{hide}");
        circle.app.db.execute(&show).await;
    }
    assert_eq!(circle.feed(&circle.reader).await, both);
}

#[tokio::test]
async fn a_burst_is_one_entry_and_pages_of_any_size_have_the_same_entries() {
    let circle = Circle::new().await;
    for n in 0..30 {
        circle.upload(&circle.friend, 400 - n).await;
    }
    circle.upload(&circle.other, 200).await;
    circle.upload(&circle.friend, 100).await;
    circle.upload(&circle.friend, 69).await;
    circle.upload(&circle.friend, 40).await;
    let entries = circle.entries(&circle.reader, "/v1/feed", 100).await;
    let sizes: Vec<_> = entries
        .iter()
        .map(|entry| entry["activities"].as_array().expect("activities").len())
        .collect();
    assert_eq!(sizes, [2, 1, 1, 20, 10], "half an hour apart, and 20 at most");
    for limit in [1, 2, 3, 4] {
        assert_eq!(
            circle.entries(&circle.reader, "/v1/feed", limit).await,
            entries,
            "pages of {limit}"
        );
    }
}

#[tokio::test]
async fn activities_of_one_second_are_in_the_order_of_their_ids_and_none_is_lost_between_pages() {
    let circle = Circle::new().await;
    for _ in 0..150 {
        for author in [&circle.friend, &circle.other] {
            circle.upload(author, 0).await;
        }
    }
    circle
        .app
        .db
        .execute("UPDATE user_activities SET created_at = '2026-03-01 12:00:00'")
        .await;
    for limit in [1, 7, 100] {
        let ids: Vec<_> = circle
            .entries(&circle.reader, "/v1/feed", limit)
            .await
            .iter()
            .map(|entry| entry["activities"][0]["workflow"]["id"].as_i64().expect("an id"))
            .collect();
        assert_eq!(ids, (1..=300).rev().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_feed_that_is_kept_ready_is_the_same_and_follows_what_happens() {
    for redis in [test_support::redis_url(), String::new(), "redis://127.0.0.1:1".to_owned()] {
        let app = TestApp::start_with(|settings| settings.redis.url = Secret::new(&redis)).await;
        let circle = Circle::of(app).await;
        let mine = circle.upload(&circle.friend, 30).await;
        let before = circle.feed(&circle.reader).await;
        assert_eq!(before.len(), 1);
        let kept = "SELECT COUNT(*) FROM user_feed_cache";
        assert_eq!(circle.app.db.integer(kept).await, 0, "asked for, and not filled yet");
        circle.tend().await;
        assert_eq!(circle.app.db.integer(kept).await, 1);
        assert_eq!(circle.feed(&circle.reader).await, before);
        // What comes is copied, old or new.
        circle.like(&circle.other, mine, 1).await;
        circle.upload(&circle.other, 60).await;
        circle.upload(&circle.stranger, 60).await;
        circle.tend().await;
        assert_eq!(circle.app.db.integer(kept).await, 3);
        let all = circle.feed(&circle.reader).await;
        let kinds: Vec<_> = all.iter().map(|(kind, who, _)| (kind.as_str(), *who)).collect();
        let (friend, other) = (circle.friend.id.0, circle.other.id.0);
        assert_eq!(kinds, [("like", other), ("upload", friend), ("upload", other)]);
        // A follow brings what there was, and its end takes it away.
        circle.follow(circle.reader.id, circle.stranger.id).await;
        circle.tend().await;
        assert_eq!(circle.app.db.integer(kept).await, 4);
        assert_eq!(circle.feed(&circle.reader).await.len(), 4);
        let ended = format!("DELETE FROM user_follows WHERE following_id = {}", circle.other.id);
        circle.app.db.execute(&ended).await;
        assert_eq!(circle.feed(&circle.reader).await.len(), 2, "at once");
        circle.tend().await;
        assert_eq!(circle.app.db.integer(kept).await, 2);
        assert_eq!(circle.feed(&circle.reader).await.len(), 2);
        circle.app.db.execute("DELETE FROM user_activities").await;
        assert!(circle.feed(&circle.reader).await.is_empty());
        circle.tend().await;
        assert_eq!(circle.app.db.integer(kept).await, 0);
        assert_eq!(circle.app.db.integer("SELECT COUNT(*) FROM feed_marks").await, 0);
    }
}

/// An open stream.
struct Listening {
    response: Response,
    heard: String,
}

impl Listening {
    /// Listens until something was heard that contains this. Returns all that was heard.
    async fn until(&mut self, wanted: &str) -> String {
        let heard = timeout(Duration::from_secs(20), async {
            while !self.heard.contains(wanted) {
                let Some(chunk) = self.response.chunk().await.expect("the stream goes on") else {
                    break;
                };
                self.heard.push_str(std::str::from_utf8(&chunk).expect("text"));
            }
        });
        heard.await.unwrap_or_else(|_| panic!("`{wanted}` is not in {}", self.heard));
        assert!(self.heard.contains(wanted), "`{wanted}` is not in {}", self.heard);
        std::mem::take(&mut self.heard)
    }

    /// Listens until an event with an id, and gives the id.
    async fn id(&mut self) -> String {
        let heard = self.until("id: ").await;
        let (_, id) = heard.rsplit_once("id: ").expect("an id");
        id.lines().next().expect("a line").to_owned()
    }
}

#[tokio::test]
async fn a_stream_tells_what_is_new_and_after_a_break_what_was_missed() {
    let circle = Circle::of(TestApp::start_with(|settings| settings.feed.heartbeat_s = 1).await).await;
    circle.upload(&circle.friend, 5).await;
    let mut stream = circle.stream(&circle.reader, None).await;
    stream.id().await;
    let new = circle.upload(&circle.friend, 0).await;
    let told = stream.until("event: activity").await + &stream.until("\n\n").await;
    assert!(told.contains(&format!("\"title\":\"Rack {new}\"")), "{told}");
    assert!(
        !told.contains("\"title\":\"Rack 1\""),
        "what was there before is no news: {told}"
    );
    let id = stream.id().await;
    drop(stream);
    // A stranger's, one of long ago, and one that is hidden are not told of; two others are.
    circle.upload(&circle.stranger, 0).await;
    circle.upload(&circle.friend, 60 * 24 * 30).await;
    let hidden = circle.upload(&circle.friend, 0).await;
    circle
        .app
        .db
        .execute(&format!("UPDATE workflows SET is_published = FALSE WHERE id = {hidden}"))
        .await;
    let missed = [circle.upload(&circle.other, 0).await, circle.upload(&circle.friend, 0).await];
    let mut again = circle.stream(&circle.reader, Some(&id)).await;
    let told = again.until("id: ").await;
    for rack in missed {
        assert!(told.contains(&format!("\"title\":\"Rack {rack}\"")), "{told}");
    }
    assert_eq!(told.matches("event: activity").count(), 2, "{told}");
    // Far behind, or no id of ours: from now on.
    let mut behind = circle.stream(&circle.reader, Some("{\"cursor\":9000000,\"gaps\":[]}")).await;
    behind.until("event: reset").await;
    let mut odd = circle.stream(&circle.reader, Some("nonsense")).await;
    odd.id().await;
    circle
        .app
        .get("/v1/feed/stream")
        .await
        .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
}

#[tokio::test]
async fn streams_are_bounded_and_end_at_shutdown() {
    let circle = Circle::of(TestApp::start_with(|settings| settings.feed.max_streams = 7).await).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(circle.stream(&circle.reader, None).await);
    }
    let path = "/v1/feed/stream";
    let sixth = circle.app.get_as(&circle.reader, path).await;
    sixth.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    for _ in 0..2 {
        open.push(circle.stream(&circle.friend, None).await);
    }
    let eighth = circle.app.get_as(&circle.other, path).await;
    eighth.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    // Who leaves makes room.
    open.pop();
    let mut late = None;
    for _ in 0..100 {
        let request = circle.app.request(Method::GET, path).bearer_auth(&circle.other.token);
        let response = request.send().await.expect("an answer");
        if response.status() == StatusCode::OK {
            late = Some(response);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(late.is_some(), "no room was made");
    circle.app.stop();
    for mut stream in open {
        let ended = timeout(Duration::from_secs(3), async {
            while let Ok(Some(_)) = stream.response.chunk().await {}
        });
        ended.await.expect("the stream ends");
    }
}
