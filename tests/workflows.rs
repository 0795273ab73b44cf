//! A workflow after its upload: changed, downloaded, deleted, listed, and by whom.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, User, answer, reverb_rack};

async fn patch(app: &TestApp, user: &User, id: u64, changes: Value) -> crate::app::Answer {
    app.send(user, Method::PATCH, &format!("/v1/workflows/{id}"), Some(changes))
        .await
}

#[tokio::test]
async fn a_change_leaves_absent_fields_empties_null_ones_and_keeps_the_slug() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let metadata =
        json!({"title": "Before", "description": "Old", "genre": "dub", "bpm": 70, "key": "8A", "tags": ["one", "two"]});
    let id = app.published(&user, reverb_rack("Change"), metadata).await;
    let changed = patch(
        &app,
        &user,
        id,
        json!({"title": " After ", "genre": null, "bpm": 140.5, "tags": ["two", "Three"], "difficulty": "advanced"}),
    )
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let body = &changed.body;
    assert_eq!((&body["title"], &body["slug"]), (&json!("After"), &json!("before")));
    assert_eq!((&body["genre"], &body["description"]), (&Value::Null, &json!("Old")));
    assert_eq!(
        (&body["bpm"], &body["key"], &body["key_signature"]),
        (&json!(140.5), &json!("Am"), &json!("8A"))
    );
    assert_eq!(body["tags"], json!(["three", "two"]));
    let cleared = patch(
        &app,
        &user,
        id,
        json!({"bpm": null, "key": null, "tags": null, "difficulty": null}),
    )
    .await;
    assert_eq!(
        (&cleared.body["bpm"], &cleared.body["key"]),
        (&Value::Null, &Value::Null),
        "{}",
        cleared.body
    );
    assert_eq!(
        (&cleared.body["tags"], &cleared.body["difficulty"]),
        (&json!([]), &json!("intermediate"))
    );
    app.follow().await;
    assert_eq!(app.search("q=after").await, [id]);
    assert!(app.search("q=before").await.is_empty());

    patch(&app, &user, id, json!({"title": null}))
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    patch(&app, &user, id, json!({"bpm": 1000, "key": "q"}))
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    patch(&app, &user, id, json!({"slug": "mine"}))
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "wrong_json");
}

#[tokio::test]
async fn any_notation_of_a_key_finds_a_rack_by_any_other() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let id = app
        .published(&user, reverb_rack("Key"), json!({"title": "Keyed", "key": "Gb minor"}))
        .await;
    for key in ["F%23m", "11A", "4m", "fis-moll"] {
        assert_eq!(app.search(&format!("key={key}")).await, [id], "`{key}`");
    }
    assert!(app.search("key=C").await.is_empty());
}

#[tokio::test]
async fn deleting_takes_everything_along_and_counts_are_right_at_once() {
    let app = TestApp::start().await;
    let (user, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app
        .published(
            &user,
            reverb_rack("Gone"),
            json!({"title": "Gone", "tags": ["short", "lived"]}),
        )
        .await;
    app.db
        .shell()
        .execute(&format!(
            "INSERT INTO workflow_likes (workflow_id, user_id) VALUES ({id}, {fan});
             INSERT INTO workflow_comments (workflow_id, user_id, content) VALUES ({id}, {fan}, 'nice');
             INSERT INTO workflow_collections (user_id, name) VALUES ({fan}, 'Mine');
             INSERT INTO collection_workflows (collection_id, workflow_id) VALUES (1, {id})",
            fan = fan.id
        ))
        .await;
    assert_eq!(
        app.db
            .integer("SELECT CAST(workflows_count AS SIGNED) FROM workflow_collections")
            .await,
        1
    );
    let deleted = app.send(&user, Method::DELETE, &format!("/v1/workflows/{id}"), None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    for (what, count) in [
        ("COUNT(*) FROM workflows", 0),
        ("COUNT(*) FROM workflow_likes", 0),
        ("COUNT(*) FROM parsed_racks", 0),
        ("COUNT(*) FROM user_activities", 0),
        ("CAST(SUM(usage_count) AS SIGNED) FROM workflow_tags", 0),
        ("CAST(SUM(workflows_count) AS SIGNED) FROM workflow_collections", 0),
        ("CAST(SUM(workflows_count) AS SIGNED) FROM users", 0),
    ] {
        assert_eq!(app.db.integer(&format!("SELECT {what}")).await, count, "{what}");
    }
    app.follow().await;
    assert!(app.search("q=gone").await.is_empty());
    app.get_as(&user, &format!("/v1/workflows/{id}"))
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn anothers_workflow_is_404_while_private_and_403_to_change_once_public() {
    let app = TestApp::start().await;
    let (owner, other, admin) = (
        app.user("producer-001").await,
        app.user("producer-002").await,
        app.user("producer-003").await,
    );
    app.db
        .shell()
        .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", admin.id))
        .await;
    let uploaded = app.upload(&owner, reverb_rack("Mine"), json!({"title": "Mine"})).await;
    app.run_jobs().await;
    let path = format!("/v1/workflows/{}", uploaded.body["id"]);
    for (method, sub, body) in [
        (Method::GET, "", None),
        (Method::GET, "/file", None),
        (Method::GET, "/rack", None),
        (Method::PATCH, "", Some(json!({"title": "Theirs"}))),
        (Method::POST, "/publish", None),
        (Method::POST, "/unpublish", None),
        (Method::DELETE, "", None),
    ] {
        let asked = app.send(&other, method.clone(), &format!("{path}{sub}"), body.clone()).await;
        asked.assert_problem(StatusCode::NOT_FOUND, "not_found");
        if method != Method::GET {
            let mut request = app.request(method, &format!("{path}{sub}"));
            if let Some(body) = body {
                request = request.json(&body);
            }
            answer(request)
                .await
                .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        }
    }
    assert_eq!(app.get_as(&admin, &path).await.status, StatusCode::OK);
    assert_eq!(app.post_as(&owner, &format!("{path}/publish")).await.status, StatusCode::OK);
    app.send(&other, Method::DELETE, &path, None)
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    assert_eq!(app.post_as(&admin, &format!("{path}/unpublish")).await.status, StatusCode::OK);
    app.get(&path).await.assert_problem(StatusCode::NOT_FOUND, "not_found");
    for id in [
        "0",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "+1",
        "1x",
        "%F0%9F%8E%B9",
        "",
    ] {
        let asked = app.get(&format!("/v1/workflows/{id}")).await;
        asked.assert_problem(StatusCode::NOT_FOUND, "not_found");
    }
}

#[tokio::test]
async fn a_token_that_is_wrong_or_ended_or_of_a_suspended_account_is_401() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let list = "/v1/me/workflows";
    assert_eq!(app.get_as(&user, list).await.status, StatusCode::OK);
    app.get(list)
        .await
        .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
    for header in ["Bearer", "Bearer nonsense", "Basic dXNlcjpwYXNz", "nonsense"] {
        let asked = answer(app.request(Method::GET, "/v1/workflows/1").header("authorization", header)).await;
        asked.assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        assert!(asked.header("www-authenticate").starts_with("Bearer"));
    }
    for (end, undo) in [
        (
            "UPDATE users SET suspended_at = NOW()",
            "UPDATE users SET suspended_at = NULL",
        ),
        ("UPDATE users SET is_active = FALSE", "UPDATE users SET is_active = TRUE"),
        (
            "UPDATE api_tokens SET expires_at = NOW() - INTERVAL 1 SECOND",
            "UPDATE api_tokens SET expires_at = NULL",
        ),
        (
            "UPDATE api_tokens SET revoked_at = NOW()",
            "UPDATE api_tokens SET revoked_at = NULL",
        ),
    ] {
        app.db.shell().execute(end).await;
        app.get_as(&user, list)
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        app.db.shell().execute(undo).await;
        assert_eq!(app.get_as(&user, list).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_download_is_the_bytes_that_were_uploaded_and_is_counted_once() {
    let app = TestApp::start().await;
    let (owner, other) = (app.user("producer-001").await, app.user("producer-002").await);
    let file = reverb_rack("Bytes");
    let id = app
        .published(&owner, file.clone(), json!({"title": "Röck \"n\" Roll/1"}))
        .await;
    let path = format!("/v1/workflows/{id}/file");
    let response = app
        .request(Method::GET, &path)
        .bearer_auth(&other.token)
        .send()
        .await
        .expect("an answer");
    let headers = response.headers().clone();
    assert_eq!(response.bytes().await.expect("the file"), file);
    let disposition = headers["content-disposition"].to_str().expect("plain ASCII");
    assert!(
        disposition.starts_with("attachment; filename=\"R_ck _n_ Roll_1.adg\""),
        "{disposition}"
    );
    assert!(
        disposition.ends_with("filename*=UTF-8''R%C3%B6ck%20_n_%20Roll_1.adg"),
        "{disposition}"
    );
    assert_eq!(headers["content-length"].to_str().ok(), Some(file.len().to_string().as_str()));
    let etag = headers["etag"].clone();
    let unchanged = answer(app.request(Method::GET, &path).header("if-none-match", etag)).await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    assert_eq!(app.get_as(&owner, &path).await.status, StatusCode::OK);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflow_downloads").await, 2);
    assert_eq!(app.get(&format!("/v1/workflows/{id}")).await.body["counts"]["downloads"], 1);
}

#[tokio::test]
async fn lists_are_pages_without_gaps_or_repeats() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let tags: Vec<String> = (0..=n).map(|t| format!("tag {t}")).collect();
        ids.push(
            app.published(
                &user,
                reverb_rack(&n.to_string()),
                json!({"title": "Same title", "tags": tags}),
            )
            .await,
        );
    }
    ids.reverse();
    let pages = |start: &'static str, key: &'static str| {
        let (app, user) = (&app, &user);
        async move {
            let (mut found, mut next) = (Vec::new(), None::<String>);
            loop {
                let cursor = next.map(|next| format!("&cursor={next}")).unwrap_or_default();
                let page = app.get_as(user, &format!("{start}{cursor}")).await;
                assert_eq!(page.status, StatusCode::OK, "{}", page.body);
                found.extend(
                    page.body["items"]
                        .as_array()
                        .expect("items")
                        .iter()
                        .map(|item| item[key].clone()),
                );
                next = page.body["next"].as_str().map(ToOwned::to_owned);
                if next.is_none() {
                    return found;
                }
            }
        }
    };
    assert_eq!(pages("/v1/me/workflows?limit=2", "id").await, ids);
    let tags = pages("/v1/tags?limit=2", "name").await;
    assert_eq!(tags, ["tag 0", "tag 1", "tag 2", "tag 3", "tag 4"]);
    assert_eq!(pages("/v1/tags?limit=2&prefix=TAG", "name").await, tags);
    assert_eq!(pages("/v1/tags?prefix=tag%20_", "name").await, Vec::<Value>::new());
    for query in ["limit=0", "limit=101", "cursor=nonsense"] {
        for list in ["/v1/tags", "/v1/me/workflows"] {
            app.get_as(&user, &format!("{list}?{query}"))
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
        }
    }
    // What only private workflows carry is nobody's business.
    let hidden = app
        .upload(&user, reverb_rack("Hidden"), json!({"title": "Hidden", "tags": ["secret"]}))
        .await;
    assert_eq!(hidden.status, StatusCode::ACCEPTED);
    assert_eq!(pages("/v1/tags?prefix=secret", "name").await, Vec::<Value>::new());
    app.run_jobs().await;
}

#[tokio::test]
async fn two_who_change_one_workflow_at_once_both_succeed() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let id = app.published(&user, reverb_rack("Busy"), json!({"title": "Busy"})).await;
    let changes = (0..10).map(|n| {
        patch(
            &app,
            &user,
            id,
            json!({"tags": [format!("a{}", n % 3), format!("b{}", n % 2), "c"]}),
        )
    });
    for answer in futures::future::join_all(changes).await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let counted = app
        .db
        .integer("SELECT CAST(SUM(usage_count) AS SIGNED) FROM workflow_tags")
        .await;
    assert_eq!(counted, 3);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflow_tag_pivot").await, 3);
}
