//! What admins do to others, and the account of it.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{TestApp, reverb_rack};

#[tokio::test]
async fn what_admins_do_is_written_down_with_its_reason() {
    let app = TestApp::start().await;
    let (author, admin) = (app.user("producer-001").await, app.user("producer-002").await);
    app.db
        .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", admin.id))
        .await;
    let id = app.published(&author, reverb_rack("Plate"), json!({"title": "Plate"})).await;
    let act = async |path: &str, reason: &str| {
        let done = app.send(&admin, Method::POST, path, Some(json!({"reason": reason}))).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT, "{path}: {}", done.body);
        app.follow().await;
    };
    let workflow = format!("/v1/admin/workflows/{id}");
    let refused = app
        .send(
            &admin,
            Method::POST,
            &format!("{workflow}/take-down"),
            Some(json!({"reason": " "})),
        )
        .await;
    assert_eq!(refused.refused_fields(), ["reason"]);
    act(&format!("{workflow}/feature"), "fine work").await;
    assert_eq!(app.get(&format!("/v1/workflows/{id}")).await.body["is_featured"], json!(true));
    act(&format!("{workflow}/take-down"), "not theirs").await;
    act(&format!("{workflow}/take-down"), "not theirs").await;
    app.get(&format!("/v1/workflows/{id}"))
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.search("q=plate").await, [0_u64; 0]);
    let own = app.get_as(&author, &format!("/v1/workflows/{id}")).await;
    assert_eq!(own.body["taken_down"]["reason"], json!("not theirs"));
    act(&format!("{workflow}/restore"), "it is").await;
    assert_eq!(app.search("q=plate").await, [id]);
    act("/v1/admin/users/producer-001/suspend", "spam").await;
    app.get("/v1/users/producer-001")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.search("q=plate").await, [0_u64; 0]);
    assert_eq!(app.get_as(&author, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    act("/v1/admin/users/producer-001/unsuspend", "a mistake").await;
    act("/v1/admin/users/producer-001/verify", "met them").await;
    assert_eq!(app.get("/v1/users/producer-001").await.body["is_verified"], json!(true));
    assert_eq!(app.search("q=plate").await, [id]);
    app.send(
        &admin,
        Method::POST,
        "/v1/admin/users/producer-002/suspend",
        Some(json!({"reason": "oops"})),
    )
    .await
    .assert_problem(StatusCode::CONFLICT, "oneself");

    let mut seen = Vec::new();
    let mut path = "/v1/admin/audit?limit=2".to_owned();
    loop {
        let page = app.get_as(&admin, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        for entry in page.body["items"].as_array().expect("entries") {
            assert_eq!(entry["actor"], json!("producer-002"));
            assert!(entry["at"].is_string());
            let of = |name: &str| entry[name].as_str().expect("text").to_owned();
            seen.push((of("action"), of("subject_kind"), of("reason")));
        }
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/v1/admin/audit?limit=2&cursor={next}");
    }
    let expected = [
        ("verify", "user", "met them"),
        ("unsuspend", "user", "a mistake"),
        ("suspend", "user", "spam"),
        ("restore", "workflow", "it is"),
        ("take_down", "workflow", "not theirs"),
        ("feature", "workflow", "fine work"),
    ];
    let expected = expected.map(|(action, kind, reason)| (action.to_owned(), kind.to_owned(), reason.to_owned()));
    assert_eq!(seen, expected, "each once, newest first; what changed nothing is not there");
}
