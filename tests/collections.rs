//! Collections: their order, who sees them, and what is in them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, User, reverb_rack};

fn ids(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_u64().expect("an id")).collect()
}

async fn racks(app: &TestApp, author: &User, count: usize) -> Vec<u64> {
    let mut made = Vec::new();
    for n in 0..count {
        let name = format!("Kept {n}");
        made.push(app.published(author, reverb_rack(&name), json!({ "title": name })).await);
    }
    made
}

async fn make(app: &TestApp, owner: &User, draft: Value) -> u64 {
    let made = app.send(owner, Method::POST, "/v1/collections", Some(draft)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_u64().expect("an id");
    assert_eq!(made.header("location"), format!("/v1/collections/{id}"));
    id
}

#[tokio::test]
async fn entries_stand_where_they_are_put() {
    let app = TestApp::start_with(|settings| settings.community.max_collection_workflows = 4).await;
    let (author, keeper) = (app.user("producer-001").await, app.user("producer-002").await);
    let racks = racks(&app, &author, 5).await;
    let id = make(&app, &keeper, json!({"name": "Kept", "description": "For later"})).await;
    let path = |rack: usize, rest: &str| format!("/v1/collections/{id}/workflows/{}{rest}", racks[rack]);
    let order = async || ids(&app.get(&format!("/v1/collections/{id}/workflows")).await.body);
    for rack in [0, 1, 2, 0] {
        let put = app.send(&keeper, Method::PUT, &path(rack, ""), None).await;
        assert_eq!(put.status, StatusCode::NO_CONTENT, "{}", put.body);
    }
    assert_eq!(order().await, [racks[0], racks[1], racks[2]]);
    app.send(&keeper, Method::PUT, &path(0, "?at=end"), None).await;
    assert_eq!(order().await, [racks[1], racks[2], racks[0]]);
    app.send(&keeper, Method::PUT, &path(3, &format!("?before={}", racks[2])), None)
        .await;
    assert_eq!(order().await, [racks[1], racks[3], racks[2], racks[0]]);
    app.send(&keeper, Method::PUT, &path(0, "?at=start"), None).await;
    assert_eq!(order().await, [racks[0], racks[1], racks[3], racks[2]]);
    // Into the same place until there is no room between the neighbours, and on.
    for n in 0..30 {
        let (mover, neighbour) = if n % 2 == 0 { (1, 3) } else { (3, 1) };
        app.send(
            &keeper,
            Method::PUT,
            &path(mover, &format!("?before={}", racks[neighbour])),
            None,
        )
        .await;
        assert_eq!(order().await, [racks[0], racks[mover], racks[neighbour], racks[2]]);
    }
    // Pages hold while entries move behind them.
    let first = app.get(&format!("/v1/collections/{id}/workflows?limit=2")).await.body;
    let next = first["next"].as_str().expect("a next page");
    let second = app
        .get(&format!("/v1/collections/{id}/workflows?limit=2&cursor={next}"))
        .await
        .body;
    assert_eq!((ids(&second).len(), &second["next"]), (2, &Value::Null));

    app.send(&keeper, Method::PUT, &path(4, ""), None)
        .await
        .assert_problem(StatusCode::CONFLICT, "collection_full");
    let refused = app
        .send(&keeper, Method::PUT, &path(0, &format!("?before={}", racks[4])), None)
        .await;
    assert_eq!(refused.refused_fields(), ["before"]);
    let refused = app.send(&keeper, Method::PUT, &path(0, "?at=middle"), None).await;
    assert_eq!(refused.refused_fields(), ["at"]);
    for _ in 0..2 {
        let out = app.send(&keeper, Method::DELETE, &path(0, ""), None).await;
        assert_eq!(out.status, StatusCode::NO_CONTENT);
    }
    // A workflow that is hidden is not shown, and counted; one that is deleted is gone.
    app.post_as(&author, &format!("/v1/workflows/{}/unpublish", racks[2])).await;
    app.send(&author, Method::DELETE, &format!("/v1/workflows/{}", racks[3]), None)
        .await;
    assert_eq!(order().await, [racks[1]]);
    let shown = app.get(&format!("/v1/collections/{id}")).await.body;
    assert_eq!(
        (&shown["workflows"], &shown["covers"][0]["workflow_id"]),
        (&json!(2), &json!(racks[1]))
    );
    app.send(&keeper, Method::PUT, &path(2, ""), None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_private_collection_is_its_owners_alone() {
    let app = TestApp::start_with(|settings| settings.community.max_collections = 2).await;
    let (author, keeper) = (app.user("producer-001").await, app.user("producer-002").await);
    let rack = racks(&app, &author, 1).await[0];
    let private = make(&app, &keeper, json!({"name": "Secret", "is_public": false})).await;
    let public = make(&app, &keeper, json!({"name": "Shown"})).await;
    app.send(&keeper, Method::POST, "/v1/collections", Some(json!({"name": "One more"})))
        .await
        .assert_problem(StatusCode::CONFLICT, "too_many_collections");
    for id in [private, public] {
        app.send(&keeper, Method::PUT, &format!("/v1/collections/{id}/workflows/{rack}"), None)
            .await;
    }
    for path in [
        format!("/v1/collections/{private}"),
        format!("/v1/collections/{private}/workflows"),
    ] {
        app.get_as(&author, &path)
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.get_as(&keeper, &path).await.status, StatusCode::OK);
    }
    assert_eq!(ids(&app.get_as(&keeper, "/v1/me/collections").await.body), [public, private]);
    assert_eq!(ids(&app.get("/v1/users/producer-002/collections").await.body), [public]);
    assert_eq!(
        ids(&app.get(&format!("/v1/workflows/{rack}/collections")).await.body),
        [public]
    );
    app.send(&author, Method::DELETE, &format!("/v1/collections/{public}"), None)
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    let path = format!("/v1/collections/{public}");
    let changed = app
        .send(
            &keeper,
            Method::PATCH,
            &path,
            Some(json!({"is_public": false, "description": "Now hidden"})),
        )
        .await;
    assert_eq!(
        (&changed.body["name"], &changed.body["description"]),
        (&json!("Shown"), &json!("Now hidden"))
    );
    let changed = app
        .send(&keeper, Method::PATCH, &path, Some(json!({"description": null})))
        .await;
    assert_eq!(
        (&changed.body["is_public"], &changed.body["description"]),
        (&json!(false), &Value::Null)
    );
    for name in ["", "a\nb"] {
        let refused = app.send(&keeper, Method::PATCH, &path, Some(json!({ "name": name }))).await;
        assert_eq!(refused.refused_fields(), ["name"]);
    }
    app.get_as(&author, &path)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(
        app.send(&keeper, Method::DELETE, &path, None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM collection_workflows").await, 1);
}
