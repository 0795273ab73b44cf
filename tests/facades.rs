//! What the facades promise beyond what clients try: refusals, other sites' pages, odd bodies.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer, reverb_rack};

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    // As browsers send it, to do without a preflight.
    let request = app
        .request(Method::POST, path)
        .header("content-type", "text/plain")
        .body(body.to_string());
    answer(request).await
}

#[tokio::test]
async fn everything_that_writes_is_refused_with_the_apis_own_errors_also_to_admins() {
    let app = TestApp::start().await;
    let admin = app.user("producer-001").await;
    app.db.execute("UPDATE users SET is_admin = TRUE").await;
    for (method, path) in [
        (Method::POST, "/indexes"),
        (Method::DELETE, "/indexes/workflows"),
        (Method::PATCH, "/indexes/workflows"),
        (Method::POST, "/indexes/workflows/documents"),
        (Method::DELETE, "/indexes/workflows/documents"),
        (Method::PATCH, "/indexes/workflows/settings"),
        (Method::GET, "/keys"),
        (Method::GET, "/tasks/1"),
        (Method::POST, "/swap-indexes"),
        (Method::POST, "/dumps"),
    ] {
        let refused = app.send(&admin, method.clone(), path, Some(json!([{ "id": 1 }]))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {}", refused.body);
        assert_eq!(refused.body["code"], "invalid_api_key", "{method} {path}");
        assert_eq!(refused.body["type"], "auth");
    }
    for (method, path) in [
        (Method::PUT, "/1/indexes/workflows/7"),
        (Method::POST, "/1/indexes/workflows/batch"),
        (Method::POST, "/1/indexes/workflows/clear"),
        (Method::GET, "/1/keys"),
    ] {
        let refused = app.send(&admin, method.clone(), path, Some(json!({}))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {}", refused.body);
        assert_eq!(refused.body["status"], 403, "{method} {path}");
    }
}

#[tokio::test]
async fn pages_of_any_site_may_ask_and_keys_in_the_address_do_not_matter() {
    let app = TestApp::start().await;
    for path in [
        "/multi-search",
        "/1/indexes/*/queries?x-algolia-api-key=k&x-algolia-application-id=a",
    ] {
        let preflight = app
            .request(Method::OPTIONS, path)
            .header("origin", "https://racks.example.org")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-algolia-api-key",
            );
        let preflight = answer(preflight).await;
        assert!(preflight.status.is_success(), "{path}: {}", preflight.status);
        assert_eq!(preflight.header("access-control-allow-origin"), "*");
        assert!(preflight.header("access-control-allow-methods").contains("POST"));
        let headers = preflight.header("access-control-allow-headers");
        assert_eq!(headers, "authorization,content-type,x-algolia-api-key");
    }
    let body =
        json!({ "requests": [{ "indexName": "workflows", "params": "query=warm&hitsPerPage=0&facets=%5B%22genre%22%5D" }] });
    let found = post(&app, "/1/indexes/*/queries?x-algolia-api-key=k", body).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    assert_eq!(found.body["results"][0]["hitsPerPage"], 0);
    let asked = app
        .request(Method::POST, "/multi-search")
        .header("origin", "https://racks.example.org")
        .json(&json!({ "queries": [], "federation": null }));
    let asked = answer(asked).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    assert_eq!(asked.headers.get_all("access-control-allow-origin").iter().count(), 1);
}

#[tokio::test]
async fn odd_bodies_are_answered_in_the_apis_own_words() {
    let app = TestApp::start().await;
    let search = "/indexes/workflows/search";
    let code = |answer: &Answer| answer.body["code"].as_str().unwrap_or_default().to_owned();
    let empty = answer(app.request(Method::POST, search)).await;
    assert_eq!(
        (empty.status, code(&empty)),
        (StatusCode::BAD_REQUEST, "missing_payload".to_owned())
    );
    let broken = answer(app.request(Method::POST, search).body("{")).await;
    assert_eq!(code(&broken), "malformed_payload");
    for (body, expected) in [
        (json!([]), "bad_request"),
        (json!({ "q": 5 }), "invalid_search_q"),
        (json!({ "filter": "genre =" }), "invalid_search_filter"),
        (json!({ "filter": "NOT ".repeat(4000) }), "invalid_search_filter"),
        (
            json!({ "filter": (0..600).map(|n| format!("tag = {n}")).collect::<Vec<_>>() }),
            "invalid_search_filter",
        ),
        (json!({ "hybrid": { "embedder": "x" } }), "invalid_search_hybrid_query"),
        (json!({ "page": "1" }), "invalid_search_page"),
    ] {
        let refused = post(&app, search, body.clone()).await;
        assert_eq!(
            (refused.status, code(&refused)),
            (StatusCode::BAD_REQUEST, expected.to_owned()),
            "{body}"
        );
        let link = format!("https://docs.meilisearch.com/errors#{expected}");
        assert_eq!(refused.body["link"], json!(link));
    }
    let federated = post(&app, "/multi-search", json!({ "queries": [], "federation": {} })).await;
    assert_eq!(code(&federated), "invalid_multi_search_federation");
    let inside = json!({ "queries": [{ "indexUid": "workflows" }, { "indexUid": "racks" }] });
    let inside = post(&app, "/multi-search", inside).await;
    assert_eq!(
        (inside.status, code(&inside)),
        (StatusCode::NOT_FOUND, "index_not_found".to_owned())
    );
    assert_eq!(inside.body["message"], "Inside `.queries[1]`: Index `racks` not found.");
    let none = post(&app, "/1/indexes/*/queries", json!({})).await;
    assert_eq!((none.status, &none.body["status"]), (StatusCode::BAD_REQUEST, &json!(400)));
    let unknown = post(&app, "/1/indexes/racks/query", json!({})).await;
    assert_eq!(
        (unknown.status, &unknown.body["message"]),
        (StatusCode::NOT_FOUND, &json!("Index racks does not exist"))
    );
}

#[tokio::test]
async fn what_is_not_public_is_not_there() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let id = app
        .published(&user, reverb_rack("Echo"), json!({ "title": "Echo Chamber", "genre": "Dub" }))
        .await;
    let paths = [
        format!("/indexes/workflows/documents/{id}"),
        format!("/1/indexes/workflows/{id}"),
    ];
    for path in &paths {
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
    }
    let found = post(
        &app,
        "/indexes/workflows/search",
        json!({ "q": "echo", "filter": "genre = dub" }),
    )
    .await;
    assert_eq!(found.body["estimatedTotalHits"], 1, "{}", found.body);
    app.post_as(&user, &format!("/v1/workflows/{id}/unpublish")).await;
    app.follow().await;
    for path in &paths {
        assert_eq!(app.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let found = post(&app, "/indexes/workflows/search", json!({ "q": "echo" })).await;
    assert_eq!(found.body["estimatedTotalHits"], 0);
}

#[tokio::test]
async fn what_stands_before_a_facade_speaks_its_words_too() {
    let app = TestApp::start_with(|settings| {
        settings.limits.enabled = true;
        settings.limits.search_per_minute = 6;
        settings.http.max_body_bytes = 2000;
        settings.http.cors_origins = vec!["https://ours.example.org".to_owned()];
    })
    .await;
    let other_method = answer(app.request(Method::DELETE, "/indexes/workflows/search")).await;
    assert_eq!(
        (other_method.status, &other_method.body["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("bad_request"))
    );
    assert!(other_method.header("allow").contains("POST"));
    let large = json!({ "q": "x".repeat(3000) });
    let large = post(&app, "/indexes/workflows/search", large).await;
    assert_eq!(
        (large.status, &large.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("payload_too_large"))
    );
    let mut last = Vec::new();
    for path in ["/indexes/workflows/search", "/1/indexes/workflows/query"] {
        for _ in 0..8 {
            last.push(post(&app, path, json!({ "facets": ["genre"] })).await);
        }
    }
    let (meilisearch, algolia) = (&last[7], &last[15]);
    assert_eq!(
        (meilisearch.status, &meilisearch.body["code"], &meilisearch.body["type"]),
        (
            StatusCode::TOO_MANY_REQUESTS,
            &json!("too_many_search_requests"),
            &json!("system")
        )
    );
    assert!(meilisearch.header("retry-after").parse::<u32>().is_ok());
    assert!(meilisearch.header("ratelimit").contains("search"));
    assert_eq!(
        (algolia.status, &algolia.body),
        (
            StatusCode::TOO_MANY_REQUESTS,
            &json!({ "message": "Too many requests", "status": 429 })
        )
    );
    // Pages of other sites may read those errors, and nothing but the facades.
    let from = |path: &str| app.request(Method::GET, path).header("origin", "https://racks.example.org");
    let facade = answer(from("/indexes/workflows/search?q=x")).await;
    assert_eq!(facade.header("access-control-allow-origin"), "*");
    let native = answer(from("/v1/tags")).await;
    assert!(!native.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn texts_are_cut_and_marked_as_each_client_says() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let prose = format!("{}it\nends in <shimmer>", "One of many racks for pads. ".repeat(20));
    let metadata = json!({ "title": "Shimmer & Glue", "description": prose, "tags": ["Shimmer"] });
    app.published(&user, reverb_rack("Echo"), metadata).await;
    app.follow().await;
    let asked = json!({
        "q": "shimmer", "attributesToHighlight": ["title", "tag"], "attributesToCrop": ["excerpt:4"], "cropMarker": "..",
        "highlightPreTag": "[", "highlightPostTag": "]", "attributesToRetrieve": ["title"], "matchingStrategy": "all",
    });
    let found = post(&app, "/indexes/workflows/search", asked).await.body;
    let hit = &found["hits"][0];
    assert_eq!(
        hit["_formatted"],
        json!({ "title": "[Shimmer] & Glue", "tag": ["[shimmer]"], "excerpt": "..it ends in <shimmer>" })
    );
    assert_eq!(hit["title"], "Shimmer & Glue");
    let asked = json!({
        "query": "shimmer", "attributesToSnippet": ["excerpt:3"], "attributesToHighlight": ["title", "excerpt"],
        "highlightPreTag": "[", "highlightPostTag": "]",
    });
    let found = post(&app, "/1/indexes/workflows/query", asked).await.body;
    let hit = &found["hits"][0];
    assert_eq!(hit["_snippetResult"]["excerpt"]["value"], "…ends in <[shimmer]>");
    assert_eq!(hit["_highlightResult"]["title"]["value"], "[Shimmer] & Glue");
    // The excerpt itself ends before the word.
    assert_eq!(hit["_highlightResult"]["excerpt"]["matchLevel"], "none");
    assert_eq!(hit["_highlightResult"]["excerpt"]["value"], hit["excerpt"]);
}

#[tokio::test]
async fn words_may_be_missing_as_each_api_has_it() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    for (id, title) in [(1, "Warm Tape"), (2, "Warm Pad"), (3, "Tape Stop")] {
        app.db
            .execute(&format!(
                "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published)
                 VALUES ({id}, {}, '{title}', 'rack-{id}', 'instrument', 'none.adg', TRUE)",
                user.id
            ))
            .await;
    }
    app.follow().await;
    let ids = |body: &Value, name: &str| -> Vec<String> {
        let hits = body["hits"].as_array().expect("hits").iter();
        hits.map(|hit| hit[name].to_string().trim_matches('"').to_owned()).collect()
    };
    for (strategy, expected) in [
        (json!(null), vec!["1", "2"]),
        (json!("last"), vec!["1", "2"]),
        (json!("all"), vec!["1"]),
    ] {
        let asked = json!({ "q": "warm tape ", "matchingStrategy": strategy });
        let found = post(&app, "/indexes/workflows/search", asked).await.body;
        assert_eq!(ids(&found, "id"), expected, "{strategy}");
        assert_eq!(found["estimatedTotalHits"], expected.len());
    }
    let wrong = post(&app, "/indexes/workflows/search", json!({ "matchingStrategy": "some" }))
        .await
        .body;
    assert_eq!(wrong["code"], "invalid_search_matching_strategy");
    let found = post(&app, "/1/indexes/workflows/query", json!({ "query": "warm tape" }))
        .await
        .body;
    assert_eq!((ids(&found, "objectID"), &found["nbHits"]), (vec!["1".to_owned()], &json!(1)));
}
