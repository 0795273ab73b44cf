//! Every error is problem+json, also those that the framework finds by itself.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{TestApp, answer, reverb_rack};

#[tokio::test]
async fn what_the_framework_refuses_is_a_problem_too() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    app.get("/nothing").await.assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.get("/v1/").await.assert_problem(StatusCode::NOT_FOUND, "not_found");
    let wrong_method = app.send(&user, Method::PUT, "/v1/tags", None).await;
    wrong_method.assert_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert!(wrong_method.header("allow").contains("GET"));
    app.get("/v1/tags?limit=many")
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_query");
    // Text to search for is never an error, whatever its bytes.
    assert_eq!(app.get("/v1/search?q=%ff%fe%00").await.status, StatusCode::OK);

    let id = app.published(&user, reverb_rack("Body"), json!({"title": "Body"})).await;
    let patch = || {
        app.request(Method::PATCH, &format!("/v1/workflows/{id}"))
            .bearer_auth(&user.token)
    };
    for (body, code) in [
        ("{\"title\":", "malformed_json"),
        ("", "malformed_json"),
        ("[1]", "wrong_json"),
        ("{\"x\":1}", "wrong_json"),
    ] {
        let asked = answer(patch().header("content-type", "application/json").body(body)).await;
        asked.assert_problem(StatusCode::BAD_REQUEST, code);
    }
    answer(patch().body("title=x"))
        .await
        .assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    let large = json!({"title": "x".repeat(app.settings.http.max_body_bytes)});
    answer(patch().json(&large))
        .await
        .assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
}

#[tokio::test]
async fn every_wrong_search_parameter_is_named_at_once() {
    let app = TestApp::start().await;
    let long = "x".repeat(2049);
    let refused = app
        .get(&format!(
            "/v1/search?q={long}&sort=best&limit=1000&bpm=fast&kind=drums&colour=red&cursor=zzz&facets=genre,mood"
        ))
        .await;
    refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    assert_eq!(
        refused.refused_fields(),
        ["q", "sort", "limit", "bpm", "kind", "colour", "cursor", "facets"]
    );
    let many: String = (0..65).map(|n| format!("&tag=t{n}")).collect();
    let refused = app.get(&format!("/v1/search?q=x{many}")).await;
    assert_eq!(refused.refused_fields(), ["selections"]);
    let other_order = app.get("/v1/search?sort=likes&cursor=newest.1.2.0").await;
    assert_eq!(other_order.refused_fields(), ["cursor"], "{}", other_order.body);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_503_with_a_time_to_try_again() {
    let app = TestApp::start_with(|settings| settings.http.request_timeout_s = 1).await;
    let user = app.user("producer-001").await;
    let address = app.url("").trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).await.expect("connect");
    let head = format!(
        "POST /v1/workflows HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n",
        user.token
    );
    connection.write_all(head.as_bytes()).await.expect("send the head");
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut said))
        .await
        .expect("an answer in time")
        .expect("read the answer");
    let said = String::from_utf8_lossy(&said).to_lowercase();
    assert!(said.starts_with("http/1.1 503"), "{said}");
    assert!(said.contains("content-type: application/problem+json"), "{said}");
    assert!(
        said.contains("retry-after: ") && said.contains("\"code\":\"timed_out\""),
        "{said}"
    );
}

#[tokio::test]
async fn a_position_that_search_does_not_reach_in_time_is_503() {
    let app = TestApp::start().await;
    app.db.execute("INSERT INTO index_log (workflow_id) VALUES (1)").await;
    let end = app.db.integer("SELECT CAST(MAX(id) AS SIGNED) FROM index_log").await;
    app.get(&format!("/v1/search?wait_for={end}"))
        .await
        .assert_problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    // Nobody's write.
    for position in [format!("{}", end + 1), "9223372036854775808".to_owned()] {
        app.get(&format!("/v1/suggest?q=x&wait_for={position}"))
            .await
            .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }
}

#[tokio::test]
async fn answers_carry_careful_headers_and_an_id_of_the_client_if_it_is_harmless() {
    let app = TestApp::start().await;
    let asked = answer(app.request(Method::GET, "/v1/tags").header("x-request-id", "trace-17")).await;
    assert_eq!(asked.header("x-request-id"), "trace-17");
    let asked = answer(app.request(Method::GET, "/v1/tags").header("x-request-id", "a b\"c")).await;
    assert_eq!(asked.header("x-request-id").len(), 26);
    assert_eq!(asked.header("x-content-type-options"), "nosniff");
    assert!(asked.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn search_and_health_answer_while_the_database_is_gone() {
    let app = TestApp::start_with(|settings| settings.database.acquire_timeout_s = 1).await;
    let user = app.user("producer-001").await;
    let id = app
        .published(&user, reverb_rack("Offline"), json!({"title": "Offline"}))
        .await;
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);
    // As good as a server that is gone: nothing in this process gets a connection any more.
    app.api_db.close().await;
    assert_eq!(app.search("q=offline").await, [id]);
    let health = app.get("/readyz").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&health.body["status"], &health.body["database"]),
        (&json!("degraded"), &json!("down")),
        "{}",
        health.body
    );
    assert_eq!(app.get("/livez").await.status, StatusCode::OK);
    app.get(&format!("/v1/workflows/{id}"))
        .await
        .assert_problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
}

#[tokio::test]
async fn the_openapi_document_is_what_it_was() {
    let app = TestApp::start().await;
    let document = app.get("/v1/openapi.json").await;
    assert_eq!(document.status, StatusCode::OK);
    let text = document.body.to_string();
    for named in text.split("\"$ref\":\"#").skip(1) {
        let pointer = named.split('"').next().unwrap_or_default();
        assert!(document.body.pointer(pointer).is_some(), "nothing is at `#{pointer}`");
    }
    insta::assert_json_snapshot!("openapi", document.body, { ".info.version" => "[version]" });
    let docs = app.request(Method::GET, "/v1/docs/").send().await.expect("an answer");
    assert_eq!(docs.status(), StatusCode::OK);
    let page = docs.text().await.expect("a page");
    assert!(!page.contains("https://"), "the page loads something from elsewhere: {page}");
}
