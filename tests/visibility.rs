//! What others see: one definition, for pages and for search, whoever wrote the row.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, reverb_rack};
use crate::program::{Up, folder};

#[tokio::test]
async fn each_condition_alone_hides_a_workflow_from_pages_and_from_search() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let id = app.published(&user, reverb_rack("Seen"), json!({"title": "Seen"})).await;
    let other = app.user("producer-002").await;
    let asked = app.published(&other, reverb_rack("Asked"), json!({"title": "Asked"})).await;
    app.db
        .shell()
        .execute(&format!(
            "UPDATE workflows SET content_hash = NULL, genre = 'Unheard' WHERE id = {id}"
        ))
        .await;
    app.follow().await;
    // Every answer that could show it without a search for it.
    let shown = async || -> Vec<bool> {
        let suggested = app.get("/v1/suggest?q=seen").await.body["items"].clone();
        let author = app.get("/v1/suggest?q=producer-001").await.body["items"].clone();
        let values = app.get("/v1/facets/genre?q=unh").await.body["values"].clone();
        let totals = app.get("/v1/search?limit=0&facets=genre").await.body["facets"]["genre"]["values"].clone();
        let similar = app.get(&format!("/v1/workflows/{asked}/similar")).await.body["items"].clone();
        let similar_to_it = app.get(&format!("/v1/workflows/{id}/similar")).await;
        let lists = [suggested, author, values, totals, similar];
        let full = lists.iter().map(|list| list.as_array().is_some_and(|list| !list.is_empty()));
        full.chain([similar_to_it.status == StatusCode::OK]).collect()
    };
    let path = format!("/v1/workflows/{id}");
    for (hide, show) in [
        (
            "UPDATE workflows SET is_published = FALSE WHERE title = 'Seen'",
            "UPDATE workflows SET is_published = TRUE",
        ),
        (
            "UPDATE workflows SET published_at = NOW() + INTERVAL 1 HOUR WHERE title = 'Seen'",
            "UPDATE workflows SET published_at = NOW() - INTERVAL 1 HOUR",
        ),
        (
            "UPDATE workflows SET taken_down_at = NOW() WHERE title = 'Seen'",
            "UPDATE workflows SET taken_down_at = NULL",
        ),
        (
            "UPDATE users SET is_active = FALSE WHERE username = 'producer-001'",
            "UPDATE users SET is_active = TRUE",
        ),
        (
            "UPDATE users SET suspended_at = NOW() WHERE username = 'producer-001'",
            "UPDATE users SET suspended_at = NULL",
        ),
        (
            "UPDATE workflows SET is_published = NULL WHERE title = 'Seen'",
            "UPDATE workflows SET is_published = TRUE, published_at = NULL",
        ),
    ] {
        assert_eq!(app.get(&path).await.status, StatusCode::OK);
        assert_eq!(app.search("q=seen").await, [id]);
        assert_eq!(shown().await, [true; 6], "before {hide}");
        app.db.shell().execute(hide).await;
        app.follow().await;
        for sub in ["", "/file", "/rack"] {
            let asked = app.get(&format!("{path}{sub}")).await;
            asked.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        assert!(app.search("q=seen").await.is_empty(), "{hide}");
        assert_eq!(shown().await, [false; 6], "{hide}");
        app.db.shell().execute(show).await;
        app.follow().await;
    }
    assert_eq!(app.search("q=seen").await, [id]);
}

#[tokio::test]
async fn what_is_published_for_later_is_shown_by_every_answer_when_its_time_comes_without_a_write() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    app.db
        .shell()
        .execute(&format!(
            "INSERT INTO workflows SET user_id = {}, title = 'Sunrise', slug = 'sunrise', rack_type = 'instrument', genre = 'Dawn',
               adg_file_path = 'none.adg', is_published = TRUE, published_at = NOW() + INTERVAL 3 SECOND",
            user.id
        ))
        .await;
    app.follow().await;
    let shown = async || -> Vec<bool> {
        let found = !app.search("q=sunrise").await.is_empty();
        let totals = app.get("/v1/search?limit=0&facets=genre").await.body;
        let suggested = app.get("/v1/suggest?q=daw").await.body["items"].clone();
        let values = app.get("/v1/facets/genre?q=daw").await.body["values"].clone();
        let page = app.get("/v1/workflows/1").await.status == StatusCode::OK;
        let full = [totals["facets"]["genre"]["values"].clone(), suggested, values].map(|list| list != json!([]));
        [&full[..], &[found, page, totals["total"] == 1]].concat()
    };
    assert_eq!(shown().await, [false; 6]);
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(shown().await, [true; 6]);
}

#[tokio::test]
async fn a_row_of_plain_sql_is_a_page_at_once_is_marked_without_a_file_once_and_may_be_changed() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    app.db
        .shell()
        .execute(&format!(
            "INSERT INTO workflows (user_id, title, description, slug, rack_type, adg_file_path, is_published)
             VALUES ({}, 'Plain row', 'Inserted by hand', 'plain-row', 'instrument', '/srv/old/path with ../dots/x.adg', TRUE)",
            user.id
        ))
        .await;
    let page = app.get("/v1/workflows/1").await;
    assert_eq!(
        (page.status, &page.body["title"], &page.body["file"]),
        (StatusCode::OK, &json!("Plain row"), &Value::Null)
    );
    app.get("/v1/workflows/1/file")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.follow().await;
    assert_eq!(app.search("q=inserted").await, [1]);
    app.sweep_pending().await;
    app.run_jobs().await;
    assert_eq!(app.get("/v1/workflows/1").await.body["parse"]["state"], "no_file");
    app.sweep_pending().await;
    assert_eq!(app.waiting_jobs().await, 0);
    let changed = app
        .send(
            &user,
            reqwest::Method::PATCH,
            "/v1/workflows/1",
            Some(json!({"title": "Plainer"})),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    for action in ["unpublish", "publish"] {
        let done = app.post_as(&user, &format!("/v1/workflows/1/{action}")).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    }
}

#[tokio::test]
async fn a_row_of_plain_sql_whose_path_names_a_stored_file_is_parsed_and_can_be_downloaded() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let file = reverb_rack("Adopted");
    let place = app.settings.files_dir().join("legacy/2019");
    std::fs::create_dir_all(&place).expect("make a folder");
    std::fs::write(place.join("adopted.adg"), &file).expect("write a file");
    app.db
        .shell()
        .execute(&format!(
            "INSERT INTO workflows (user_id, title, slug, rack_type, adg_file_path, is_published)
             VALUES ({}, 'Adopted', 'adopted', 'instrument', 'legacy/2019/adopted.adg', TRUE)",
            user.id
        ))
        .await;
    app.sweep_pending().await;
    app.run_jobs().await;
    let page = app.get("/v1/workflows/1").await;
    assert_eq!(
        (&page.body["parse"]["state"], &page.body["kind"]),
        (&json!("parsed"), &json!("audio_effect")),
        "{}",
        page.body
    );
    let response = app
        .request(reqwest::Method::GET, "/v1/workflows/1/file")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.bytes().await.expect("the file"), file);
    app.follow().await;
    assert_eq!(app.search("q=shimmerize").await, [1]);
}

mod up {
    //! With everything running, as users run it.
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_row_of_plain_sql_is_found_over_http_soon() {
        let folder = folder();
        let up = Up::start(folder.path());
        let http = reqwest::Client::new();
        let shell = up.shell();
        shell
            .execute("INSERT INTO users (username, email, password) VALUES ('producer-001', 'producer-001@example.org', '!')")
            .await;
        for n in 1..=5 {
            shell
                .execute(&format!(
                    "INSERT INTO workflows (user_id, title, description, slug, rack_type, adg_file_path, is_published)
                     VALUES (1, 'Row {n}', 'zanzibar{n}', 'row-{n}', 'instrument', 'none', TRUE)"
                ))
                .await;
            let inserted = std::time::Instant::now();
            let url = format!("{}/v1/search?q=zanzibar{n}", up.base);
            let found = async || {
                let answer: Value = http.get(&url).send().await.expect("an answer").json().await.expect("JSON");
                answer["total"] == 1
            };
            while !found().await {
                // The promise is a second, which the benchmark measures; a busy machine gets more here.
                assert!(inserted.elapsed() < Duration::from_secs(10), "row {n} is not found");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let page = http
                .get(format!("{}/v1/workflows/{n}", up.base))
                .send()
                .await
                .expect("an answer");
            assert_eq!(page.status(), StatusCode::OK);
        }
    }
}
