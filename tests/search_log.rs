//! What was searched, what was done with the hits, and that no search waits for its note.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::app::{Answer, TestApp, answer, reverb_rack};

/// Sends events as nobody.
async fn report(app: &TestApp, events: Value) -> Answer {
    answer(
        app.request(Method::POST, "/v1/search/events")
            .json(&json!({ "events": events })),
    )
    .await
}

/// Waits until a count is as expected: notes are written a moment later.
async fn eventually(app: &TestApp, query: &str, expected: i64) {
    for _ in 0..200 {
        if app.db.integer(query).await == expected {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("`{query}` gives {}, not {expected}", app.db.integer(query).await);
}

#[tokio::test]
async fn searches_and_what_was_done_with_their_hits_are_noted_without_naming_anybody() {
    let app = TestApp::start_with(|settings| settings.search_log.settle_ms = 300).await;
    let user = app.user("producer-001").await;
    let id = app
        .published(&user, reverb_rack("Echo"), json!({ "title": "Echo Chamber", "genre": "Dub" }))
        .await;

    // Typed letter by letter, then narrowed.
    let mut ids = Vec::new();
    for text in ["e", "ech", "Écho"] {
        let found = app.get(&format!("/v1/search?q={text}")).await;
        assert_eq!(found.body["total"], 1, "{}", found.body);
        ids.push(found.body["query_id"].as_str().expect("a query id").to_owned());
    }
    let narrowed = app.get("/v1/search?q=echo&genre=Dub").await;
    let nothing = app.get("/v1/search?q=theremin").await;
    assert_ne!(narrowed.body["query_id"], nothing.body["query_id"]);
    eventually(&app, "SELECT COUNT(*) FROM searches", 3).await;
    eventually(
        &app,
        "SELECT COUNT(*) FROM searches WHERE text = 'echo' AND filters IS NULL AND hits = 1",
        1,
    )
    .await;
    eventually(
        &app,
        "SELECT COUNT(*) FROM searches WHERE text = 'echo' AND filters = 'genre=dub'",
        1,
    )
    .await;
    eventually(
        &app,
        "SELECT COUNT(*) FROM searches WHERE text = 'theremin' AND hits = 0 AND took_us > 0",
        1,
    )
    .await;
    assert_eq!(app.db.integer("SELECT COUNT(DISTINCT actor_hash) FROM searches").await, 1);

    // A click on an answer that a longer text has replaced counts for that.
    let narrowed_id = narrowed.body["query_id"].clone();
    let taken = report(
        &app,
        json!([
            { "query_id": ids[0], "kind": "click", "workflow_id": id, "position": 1 },
            { "query_id": narrowed_id, "kind": "play", "workflow_id": id, "position": 1 },
            { "query_id": narrowed_id, "kind": "download", "workflow_id": id, "position": 1 },
            { "query_id": narrowed_id, "kind": "click", "workflow_id": id, "position": 2 },
        ]),
    )
    .await;
    assert_eq!((taken.status, &taken.body), (StatusCode::ACCEPTED, &json!({ "accepted": 4 })));
    eventually(&app, "SELECT COUNT(*) FROM search_events", 3).await;
    let clicks = "SELECT COUNT(*) FROM search_events e JOIN searches s ON s.query_id = e.query_id WHERE e.kind = 'click' AND s.text = 'echo'";
    assert_eq!(
        app.db.integer(clicks).await,
        1,
        "the narrowed search had one hit, so nothing was at position 2"
    );
    report(
        &app,
        json!([{ "query_id": ids[2], "kind": "click", "workflow_id": id, "position": 1 }]),
    )
    .await;
    let again = report(
        &app,
        json!([{ "query_id": ids[2], "kind": "play", "workflow_id": id, "position": 1 }]),
    )
    .await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    eventually(&app, "SELECT COUNT(*) FROM search_events", 4).await;
    assert_eq!(app.db.integer(clicks).await, 1, "the same click twice is one");
}

#[tokio::test]
async fn reports_on_hits_are_checked() {
    let app = TestApp::start().await;
    let old = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
    let in_future = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
    let event =
        |query_id: &str, position: u32| json!({ "query_id": query_id, "kind": "click", "workflow_id": 1, "position": position });
    let refused = report(
        &app,
        json!([event(old, 1), event("x", 1), event(in_future, 1), event(old, 0)]),
    )
    .await;
    refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    assert_eq!(
        refused.refused_fields(),
        ["events[1].query_id", "events[2].query_id", "events[3].position"]
    );
    let unknown = report(&app, json!([event(old, 1)])).await;
    assert_eq!(unknown.refused_fields(), ["events[0].query_id"], "it is old, and in no table");
    app.db
        .execute(&format!(
            "INSERT INTO searches (query_id, text, hits) VALUES ('{old}', 'x', 5)"
        ))
        .await;
    assert_eq!(
        report(&app, json!([event(old, 6)])).await.refused_fields(),
        ["events[0].position"]
    );
    assert_eq!(report(&app, json!([event(old, 5)])).await.status, StatusCode::ACCEPTED);
    eventually(&app, "SELECT COUNT(*) FROM search_events WHERE position = 5", 1).await;

    for events in [json!([]), json!(vec![event(old, 1); 101])] {
        assert_eq!(report(&app, events).await.refused_fields(), ["events"]);
    }
    let bogus = report(
        &app,
        json!([{ "query_id": old, "kind": "stare", "workflow_id": 1, "position": 1 }]),
    )
    .await;
    bogus.assert_problem(StatusCode::BAD_REQUEST, "wrong_json");
}

#[tokio::test]
async fn a_search_neither_waits_nor_fails_when_its_note_cannot_be_written() {
    let app = TestApp::start_with(|settings| {
        settings.search_log.settle_ms = 0;
        settings.search_log.queue = 2;
    })
    .await;
    app.db.execute("RENAME TABLE searches TO searches_away").await;
    for n in 0..50 {
        let found = app.get(&format!("/v1/search?q=nothing{n}")).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.body);
        assert!(found.body["query_id"].is_string());
    }
    app.db.execute("RENAME TABLE searches_away TO searches").await;
    // Those that still waited are written once the table is there; the rest were dropped.
    for _ in 0..200 {
        if app.db.integer("SELECT COUNT(*) FROM searches").await > 0 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let kept = app.db.integer("SELECT COUNT(*) FROM searches").await;
    assert!((1..50).contains(&kept), "{kept} of 50 were written");
}
