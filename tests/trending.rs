//! What trends, as clients see it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, reverb_rack};

/// Downloads of a workflow by `people`, an hour ago.
async fn downloads(app: &TestApp, workflow: u64, people: std::ops::Range<u64>) {
    for person in people {
        app.db
            .execute(&format!(
                "INSERT INTO workflow_downloads (workflow_id, user_id, created_at) VALUES ({workflow}, {person}, NOW() - INTERVAL 1 HOUR)"
            ))
            .await;
    }
}

async fn list(app: &TestApp, query: &str) -> Vec<Value> {
    let answer = app.get(&format!("/v1/trending{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["items"].as_array().expect("items").clone()
}

fn ids(items: &[Value]) -> Vec<u64> {
    items
        .iter()
        .map(|item| item["workflow"]["id"].as_u64().expect("an id"))
        .collect()
}

#[tokio::test]
async fn what_trends_is_listed_with_its_reasons_and_leaves_the_list_when_it_is_hidden() {
    let app = TestApp::start().await;
    let author = app.user("producer-001").await;
    for person in 100..120 {
        app.db
            .execute(&format!(
                "INSERT INTO users (id, username, email, password, created_at)
                 VALUES ({person}, 'listener-{person}', 'l{person}@example.org', 'x', NOW() - INTERVAL 1 YEAR)"
            ))
            .await;
    }
    let before = app.get("/v1/trending").await;
    assert_eq!((before.status, &before.body["as_of"]), (StatusCode::OK, &Value::Null));

    let (techno, house) = (
        json!({"title": "Rumble", "genre": "Techno", "tags": ["dark", "sub"]}),
        json!({"title": "Organ", "genre": "House", "tags": ["warm"]}),
    );
    let techno = app.published(&author, reverb_rack("Rumble"), techno).await;
    let house = app.published(&author, reverb_rack("Organ"), house).await;
    downloads(&app, techno, 100..106).await;
    downloads(&app, house, 100..104).await;
    app.compute_trending().await;
    // What was learnt of the time before the first generation is good for two seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;

    let items = list(&app, "").await;
    assert_eq!(ids(&items), [techno, house]);
    assert_eq!((&items[0]["rank"], &items[0]["movement"]), (&json!(1), &Value::Null));
    assert_eq!(items[0]["parts"]["downloads"], 6);
    let (score, observed) = (items[0]["score"].as_f64(), items[0]["parts"]["observed"].as_f64());
    assert_eq!(score, observed, "nothing is usual for it");
    assert_eq!(items[0]["workflow"]["tags"], json!(["dark", "sub"]));
    for (query, expected) in [
        ("?genre=house", vec![house]),
        ("?tag=SUB&window=24h", vec![techno]),
        ("?kind=instrument", vec![]),
        ("?kind=audio_effect&limit=1&window=30d", vec![techno]),
        ("?genre=techno&tag=warm", vec![]),
    ] {
        assert_eq!(ids(&list(&app, query).await), expected, "{query}");
    }
    let creators = app.get("/v1/trending/creators").await.body;
    assert_eq!(creators["items"][0]["creator"]["username"], "producer-001");
    assert_eq!(creators["items"][0]["parts"]["actors"], 6, "people, not events");

    for wrong in ["?window=1y", "?limit=0", "?limit=101", "?limit=x"] {
        app.get(&format!("/v1/trending{wrong}"))
            .await
            .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }

    downloads(&app, house, 104..115).await;
    app.compute_trending().await;
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let items = list(&app, "").await;
    assert_eq!(ids(&items), [house, techno]);
    assert_eq!((&items[0]["movement"], &items[1]["movement"]), (&json!(1), &json!(-1)));

    // At once, and not with the next generation.
    app.db
        .execute(&format!("UPDATE workflows SET taken_down_at = NOW() WHERE id = {house}"))
        .await;
    let items = list(&app, "").await;
    assert_eq!((ids(&items), &items[0]["rank"]), (vec![techno], &json!(1)));
    app.db.execute("UPDATE users SET suspended_at = NOW()").await;
    assert!(list(&app, "").await.is_empty());
    assert_eq!(app.get("/v1/trending/creators").await.body["items"], json!([]));
}
