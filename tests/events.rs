//! Views and downloads: what is kept of them, and what counts.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode, header};
use serde_json::json;

use crate::app::{TestApp, User, reverb_rack};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn rack(app: &TestApp, author: &User) -> u64 {
    app.published(author, reverb_rack("Seen"), json!({"title": "Seen"})).await
}

/// Sends a request with a user agent, signed in or not, and gives its status.
async fn ask(app: &TestApp, user: Option<&User>, agent: &str, method: Method, path: &str) -> StatusCode {
    let mut request = app.request(method, path).header(header::USER_AGENT, agent);
    if let Some(user) = user {
        request = request.bearer_auth(&user.token);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status();
    response.bytes().await.expect("the body");
    status
}

/// What a table's rows say of each event, in order.
async fn kept(app: &TestApp, table: &str) -> Vec<String> {
    let text = app
        .db
        .shell()
        .text(&format!(
            "SELECT CAST(GROUP_CONCAT(CONCAT(COALESCE(user_id, '-'), ' ', COALESCE(discount_reason, 'counts')) ORDER BY id) AS CHAR)
             FROM {table}"
        ))
        .await;
    text.map(|text| text.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_view_is_told_by_a_beacon_and_counts_once_a_moment() {
    let app = TestApp::start().await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = rack(&app, &author).await;
    let path = format!("/v1/workflows/{id}/views");
    for (user, agent, query) in [
        (None, FIREFOX, "?session=a"),
        (None, FIREFOX, "?session=a"),
        (None, FIREFOX, "?session=b"),
        (Some(&fan), FIREFOX, "?session=a"),
        (Some(&fan), FIREFOX, "?session=b"),
        (Some(&author), FIREFOX, ""),
        (None, "Googlebot/2.1 (+http://www.google.com/bot.html)", ""),
    ] {
        let status = ask(&app, user, agent, Method::POST, &format!("{path}{query}")).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let fan_id = fan.id;
    assert_eq!(
        kept(&app, "workflow_views").await,
        [
            "- counts".to_owned(),
            "- repeat".to_owned(),
            "- counts".to_owned(),
            format!("{fan_id} counts"),
            format!("{fan_id} repeat"),
            format!("{} own", author.id)
        ],
        "and nothing of the bot"
    );
    let wrong = "SELECT COUNT(*) FROM workflow_views WHERE counted <> (discount_reason IS NULL)";
    assert_eq!(app.db.integer(wrong).await, 0);
    let addresses = app
        .db
        .shell()
        .text(
            "SELECT CAST(GROUP_CONCAT(DISTINCT ip_address, ' ', COALESCE(session_id, 'no session')) AS CHAR) FROM workflow_views",
        )
        .await
        .unwrap_or_default();
    let is_hidden = |pair: &str| !pair.contains("127.0.0") && !pair.ends_with(" a") && !pair.ends_with(" b");
    assert!(addresses.split(',').all(is_hidden), "{addresses}");
    let hashes: BTreeSet<&str> = addresses.split(',').filter_map(|pair| pair.split(' ').next()).collect();
    assert!(hashes.len() == 1 && hashes.iter().all(|hash| hash.len() == 32), "{addresses}");
    assert_eq!(
        app.db
            .integer("SELECT COUNT(*) FROM workflow_views WHERE network_hash IS NULL")
            .await,
        0
    );

    let long = format!("{path}?session={}", "x".repeat(200));
    assert_eq!(
        ask(&app, None, FIREFOX, Method::POST, &long).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    app.post_as(&author, &format!("/v1/workflows/{id}/unpublish")).await;
    assert_eq!(
        ask(&app, Some(&fan), FIREFOX, Method::POST, &path).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        ask(&app, Some(&author), FIREFOX, Method::POST, &path).await,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_download_is_kept_with_the_reason_why_it_does_not_count() {
    let app = TestApp::start_with(|settings| settings.events.addresses = config::AddressPolicy::Truncated).await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = rack(&app, &author).await;
    let path = format!("/v1/workflows/{id}/file");
    for (user, agent) in [
        (Some(&fan), FIREFOX),
        (Some(&fan), FIREFOX),
        (Some(&author), FIREFOX),
        (None, "SomeCrawler/1.0"),
        (None, FIREFOX),
    ] {
        assert_eq!(ask(&app, user, agent, Method::GET, &path).await, StatusCode::OK);
    }
    let fan_id = fan.id;
    assert_eq!(
        kept(&app, "workflow_downloads").await,
        [
            format!("{fan_id} counts"),
            format!("{fan_id} repeat"),
            format!("{} own", author.id),
            "- bot".to_owned(),
            "- counts".to_owned()
        ]
    );
    assert_eq!(app.get(&format!("/v1/workflows/{id}")).await.body["counts"]["downloads"], 2);
    let cut = "SELECT COUNT(*) FROM workflow_downloads WHERE ip_address = '127.0.0.0' AND user_agent IS NOT NULL";
    assert_eq!(app.db.integer(cut).await, 5);
}

#[tokio::test]
async fn reading_a_page_is_a_view_where_the_operator_says_so() {
    let app = TestApp::start_with(|settings| settings.events.view_on_read = true).await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = rack(&app, &author).await;
    assert_eq!(
        ask(&app, Some(&fan), FIREFOX, Method::GET, &format!("/v1/workflows/{id}")).await,
        StatusCode::OK
    );
    let view = format!("{} counts", fan.id);
    for _ in 0..200 {
        if kept(&app, "workflow_views").await == [view.as_str()] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{:?}", kept(&app, "workflow_views").await);
}

#[tokio::test]
async fn an_author_reads_a_workflows_numbers_by_day_and_nobody_else_does() {
    let app = TestApp::start().await;
    let (author, other) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app.published(&author, reverb_rack("Plate"), json!({"title": "Plate"})).await;
    app.db
        .execute(&format!(
            "INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
               ({id}, {other}, '2026-03-02 10:00:00'), ({id}, {other}, '2026-03-02 15:00:00'), ({id}, {author}, '2026-03-02 16:00:00')",
            other = other.id,
            author = author.id
        ))
        .await;
    let day = "2026-03-02".parse().expect("a day");
    jobs::roll_up_day(app.db.pool(), day).await.expect("roll up");
    let of = |days: &str| format!("/v1/workflows/{id}/stats?{days}");
    let found = app.get_as(&author, &of("from=2026-03-01&to=2026-03-03")).await;
    let days: Vec<_> = found.body["days"]
        .as_array()
        .expect("days")
        .iter()
        .map(|day| (&day["day"], &day["views"], &day["unique_viewers"]))
        .collect();
    let nothing = json!(0);
    assert_eq!(
        days,
        [
            (&json!("2026-03-01"), &nothing, &nothing),
            (&json!("2026-03-02"), &json!(2), &json!(1)),
            (&json!("2026-03-03"), &nothing, &nothing)
        ]
    );
    let month = app.get_as(&author, &format!("/v1/workflows/{id}/stats")).await;
    assert_eq!(month.body["days"].as_array().expect("days").len(), 30);
    for refused in [
        "from=2025-01-01&to=2026-01-02",
        "from=2026-03-02&to=2026-03-01",
        "to=-0001-12-31",
        "to=0000-01-10",
        "from=%2B70000-01-01&to=%2B70000-01-02",
    ] {
        app.get_as(&author, &of(refused))
            .await
            .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }
    app.get_as(&author, &of("from=yesterday"))
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_query");
    app.get_as(&other, &of(""))
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    app.get(&of(""))
        .await
        .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
}
