//! Discussions: threads, tombstones, pins, and what is written in them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, User, reverb_rack};

async fn write(app: &TestApp, user: &User, workflow: u64, content: &str, parent: Option<u64>) -> u64 {
    let draft = json!({"content": content, "parent_id": parent});
    let written = app
        .send(user, Method::POST, &format!("/v1/workflows/{workflow}/comments"), Some(draft))
        .await;
    assert_eq!(written.status, StatusCode::CREATED, "{}", written.body);
    let id = written.body["id"].as_u64().expect("an id");
    assert_eq!(written.header("location"), format!("/v1/comments/{id}"));
    id
}

fn ids(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_u64().expect("an id")).collect()
}

async fn comments_of(app: &TestApp, workflow: u64) -> Value {
    app.get(&format!("/v1/workflows/{workflow}")).await.body["counts"]["comments"].clone()
}

#[tokio::test]
async fn threads_and_replies_come_in_pages_of_stable_order() {
    let app = TestApp::start().await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app
        .published(&author, reverb_rack("Talked"), json!({"title": "Talked"}))
        .await;
    let mut threads = Vec::new();
    for n in 0..5 {
        threads.push(write(&app, &fan, id, &format!("Thread {n}"), None).await);
    }
    let mut replies = Vec::new();
    for n in 0..3 {
        replies.push(write(&app, &author, id, &format!("Reply {n}"), Some(threads[1])).await);
    }
    let first = app.get(&format!("/v1/workflows/{id}/comments?limit=2")).await.body;
    assert_eq!(ids(&first), [threads[4], threads[3]]);
    // What is written meanwhile shifts no page.
    write(&app, &fan, id, "Late", None).await;
    let next = first["next"].as_str().expect("a next page");
    let second = app
        .get(&format!("/v1/workflows/{id}/comments?limit=2&cursor={next}"))
        .await
        .body;
    assert_eq!(ids(&second), [threads[2], threads[1]]);
    assert_eq!(second["items"][1]["replies"], 3);
    let of_thread = app.get(&format!("/v1/comments/{}/replies?limit=2", threads[1])).await.body;
    assert_eq!(ids(&of_thread), replies[..2]);
    let next = of_thread["next"].as_str().expect("a next page");
    let rest = app
        .get(&format!("/v1/comments/{}/replies?limit=2&cursor={next}", threads[1]))
        .await
        .body;
    assert_eq!((ids(&rest), &rest["next"]), (vec![replies[2]], &Value::Null));
    assert_eq!(comments_of(&app, id).await, 9);

    let pin = format!("/v1/comments/{}/pin", threads[0]);
    app.send(&fan, Method::PUT, &pin, None)
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    for thread in [threads[2], threads[0]] {
        let pinned = app
            .send(&author, Method::PUT, &format!("/v1/comments/{thread}/pin"), None)
            .await;
        assert_eq!(pinned.status, StatusCode::NO_CONTENT);
    }
    app.send(&author, Method::PUT, &format!("/v1/comments/{}/pin", replies[0]), None)
        .await
        .assert_problem(StatusCode::CONFLICT, "is_reply");
    let first = app.get(&format!("/v1/workflows/{id}/comments?limit=2")).await.body;
    assert_eq!(first["pinned"]["id"], threads[0], "the last pin takes the place");
    app.send(&author, Method::DELETE, &format!("/v1/comments/{}/pin", threads[2]), None)
        .await;
    let first = app.get(&format!("/v1/workflows/{id}/comments?limit=2")).await.body;
    assert_eq!(first["pinned"]["id"], threads[0], "unpinning another leaves it");
    app.send(&author, Method::DELETE, &pin, None).await;
    let first = app.get(&format!("/v1/workflows/{id}/comments?limit=2")).await.body;
    assert_eq!(first["pinned"], Value::Null);
}

#[tokio::test]
async fn a_comment_that_is_answered_leaves_a_tombstone_which_goes_with_its_last_reply() {
    let app = TestApp::start().await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app
        .published(&author, reverb_rack("Graves"), json!({"title": "Graves"}))
        .await;
    let top = write(&app, &fan, id, "Top", None).await;
    let middle = write(&app, &author, id, "Middle", Some(top)).await;
    let last = write(&app, &fan, id, "Last", Some(middle)).await;
    app.send(&author, Method::PUT, &format!("/v1/comments/{top}/like"), None)
        .await;
    let path = format!("/v1/comments/{top}");
    let deleted = app.send(&fan, Method::DELETE, &path, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let grave = app.get(&path).await.body;
    assert_eq!(
        (
            &grave["state"],
            &grave["author"],
            &grave["content"],
            &grave["likes"],
            &grave["replies"]
        ),
        (&json!("deleted"), &Value::Null, &Value::Null, &json!(0), &json!(1)),
        "{grave}"
    );
    let texts = app
        .db
        .integer(&format!(
            "SELECT COUNT(*) FROM workflow_comments WHERE id = {top} AND content = ''"
        ))
        .await;
    assert_eq!(texts, 1, "the text is gone from the database too");
    for (method, path) in [
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PUT, format!("{path}/like")),
    ] {
        let body = (method == Method::PATCH).then(|| json!({"content": "Back"}));
        app.send(&fan, method, &path, body)
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let reply = json!({"content": "Late", "parent_id": top});
    let refused = app
        .send(&fan, Method::POST, &format!("/v1/workflows/{id}/comments"), Some(reply))
        .await;
    assert_eq!(refused.refused_fields(), ["parent_id"]);
    // The middle one is answered too.
    app.send(&author, Method::DELETE, &format!("/v1/comments/{middle}"), None)
        .await;
    assert_eq!(comments_of(&app, id).await, 3);
    let activities = "SELECT COUNT(*) FROM user_activities WHERE activity_type = 'workflow_comment'";
    assert_eq!(app.db.integer(activities).await, 1);
    // The author of the workflow may take away what others write.
    app.send(&author, Method::DELETE, &format!("/v1/comments/{last}"), None).await;
    assert_eq!(comments_of(&app, id).await, 0);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflow_comments").await, 0);
    assert_eq!(app.db.integer(activities).await, 0);
}

#[tokio::test]
async fn what_is_written_is_checked_kept_as_it_is_and_marked_up() {
    let app = TestApp::start_with(|settings| settings.community.comment_max_depth = 2).await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app.published(&author, reverb_rack("Words"), json!({"title": "Words"})).await;
    let content = "Hi @Producer-001 & @nobody,\n<b>see</b> https://example.org/x";
    let comment = write(&app, &fan, id, content, None).await;
    let body = app.get(&format!("/v1/comments/{comment}")).await.body;
    assert_eq!(body["content"]["text"], content);
    assert_eq!(
        body["content"]["entities"],
        json!([
            {"kind": "mention", "start": 3, "end": 16, "username": "producer-001"},
            {"kind": "link", "start": 39, "end": 60, "url": "https://example.org/x"}
        ])
    );
    assert!(
        body["content"]["html"]
            .as_str()
            .is_some_and(|html| html.contains("&lt;b&gt;see&lt;/b&gt;"))
    );
    let path = format!("/v1/workflows/{id}/comments");
    for content in ["", " \n", "a\u{7}b", &"x".repeat(4001)] {
        let refused = app.send(&fan, Method::POST, &path, Some(json!({ "content": content }))).await;
        assert_eq!(refused.refused_fields(), ["content"], "{content:.20}");
    }
    let reply = write(&app, &fan, id, "Reply", Some(comment)).await;
    let too_deep = json!({"content": "x", "parent_id": reply});
    app.send(&fan, Method::POST, &path, Some(too_deep))
        .await
        .assert_problem(StatusCode::CONFLICT, "too_deep");
    let elsewhere = app
        .published(&author, reverb_rack("Elsewhere"), json!({"title": "Elsewhere"}))
        .await;
    let wrong = json!({"content": "x", "parent_id": comment});
    let refused = app
        .send(
            &fan,
            Method::POST,
            &format!("/v1/workflows/{elsewhere}/comments"),
            Some(wrong),
        )
        .await;
    assert_eq!(refused.refused_fields(), ["parent_id"]);

    let change = json!({"content": "Better"});
    app.send(
        &author,
        Method::PATCH,
        &format!("/v1/comments/{comment}"),
        Some(change.clone()),
    )
    .await
    .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    let changed = app
        .send(&fan, Method::PATCH, &format!("/v1/comments/{comment}"), Some(change))
        .await;
    assert_eq!(changed.body["content"]["text"], "Better");
    assert!(changed.body["edited_at"].is_string());
    for (method, is_liked, likes) in [(Method::PUT, true, 1), (Method::PUT, true, 1), (Method::DELETE, false, 0)] {
        let liked = app.send(&author, method, &format!("/v1/comments/{comment}/like"), None).await;
        assert_eq!(liked.body, json!({"is_liked": is_liked, "likes": likes}));
    }
    app.db
        .execute(&format!("UPDATE users SET suspended_at = NOW() WHERE id = {}", fan.id))
        .await;
    let page = app.get(&path).await.body;
    assert_eq!(
        (&page["items"][0]["state"], &page["items"][0]["author"]),
        (&json!("hidden"), &Value::Null)
    );
}
