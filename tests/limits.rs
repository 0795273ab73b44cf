//! What happens under load and abuse: limits, repeated requests, slow clients, pages of other origins.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{TestApp, answer, reverb_rack};

/// `r=` and `q=` of the headers.
fn left_of(answer: &crate::app::Answer) -> (u32, u32) {
    let number = |header: &str, name: &str| {
        let parts = answer.header(header).split(';');
        let found = parts.filter_map(|part| part.strip_prefix(name)?.parse().ok()).next();
        found.unwrap_or_else(|| panic!("`{header}: {}` has no `{name}`", answer.header(header)))
    };
    (number("ratelimit", "r="), number("ratelimit-policy", "q="))
}

/// Asks until it is refused, and returns how often it was allowed.
async fn ask_until_refused(app: &TestApp, at_most: usize) -> usize {
    for n in 0..at_most {
        let asked = app.get("/v1/search?q=x").await;
        if asked.status == StatusCode::TOO_MANY_REQUESTS {
            asked.assert_problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
            let seconds: u64 = asked.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&seconds));
            assert_eq!(left_of(&asked), (0, 20));
            return n;
        }
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    }
    at_most
}

fn limited(settings: &mut config::Settings) {
    settings.limits.enabled = true;
    settings.limits.search_per_minute = 20;
    settings.limits.address_factor = 2;
}

#[tokio::test]
async fn requests_are_counted_by_kind_token_and_address_and_the_headers_say_so() {
    let app = TestApp::start_with(limited).await;
    let first = app.get("/v1/search?q=x").await;
    assert_eq!(left_of(&first), (19, 20));
    assert!(
        first.header("ratelimit").starts_with("\"search\";r=19;t="),
        "{}",
        first.header("ratelimit")
    );
    assert_eq!(first.header("ratelimit-policy"), "\"search\";q=20;w=60");
    // One more every three seconds.
    let allowed = ask_until_refused(&app, 40).await;
    assert!((19..=21).contains(&allowed), "{allowed}");
    // Other kinds are not affected, nor those who are signed in, until their address is.
    assert_eq!(app.get("/v1/tags").await.status, StatusCode::OK);
    let user = app.user("producer-001").await;
    assert_eq!(app.get_as(&user, "/v1/search?q=x").await.status, StatusCode::OK);
    let mut refused = 0;
    for n in 0..60 {
        let made_up = app.request(Method::GET, "/v1/search?q=x").bearer_auth(format!("made-up-{n}"));
        refused += usize::from(answer(made_up).await.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(
        refused >= 15,
        "a made-up token for each request does not help: {refused} of 60 refused"
    );
    assert_eq!(app.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn processes_share_their_limits_over_redis_and_limit_by_themselves_without() {
    let redis = std::env::var("COOKBOOK_TEST_REDIS_URL").expect("`COOKBOOK_TEST_REDIS_URL`");
    // A database of Redis' own, since all tests come from one address.
    let with_redis = |url: String| {
        move |settings: &mut config::Settings| {
            limited(settings);
            settings.redis.url = config::Secret::new(url);
            settings.redis.timeout_ms = 1000;
        }
    };
    let url = format!("{}/9", redis.trim_end_matches('/').trim_end_matches("/0"));
    let one = TestApp::start_with(with_redis(url.clone())).await;
    let other = TestApp::start_with(with_redis(url)).await;
    let (mut allowed, mut turn) = (0, 0);
    while turn < 60 {
        let app = if turn % 2 == 0 { &one } else { &other };
        allowed += usize::from(app.get("/v1/search?q=x").await.status == StatusCode::OK);
        turn += 1;
    }
    assert!((20..=22).contains(&allowed), "{allowed} of 60 over both together");
    // Nothing listens there.
    let alone = TestApp::start_with(with_redis("redis://127.0.0.1:1".to_owned())).await;
    let allowed = ask_until_refused(&alone, 60).await;
    assert!((20..=21).contains(&allowed), "{allowed}");
}

#[tokio::test]
async fn a_repeated_post_is_done_once_and_answered_alike() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    app.db
        .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", user.id))
        .await;
    let id = app.published(&user, reverb_rack("Plate"), json!({"title": "Plate"})).await;
    let path = format!("/v1/admin/workflows/{id}/feature");
    let send = async |key: &str, reason: &str| {
        let request = app.request(Method::POST, &path).bearer_auth(&user.token);
        answer(request.header("idempotency-key", key).json(&json!({"reason": reason}))).await
    };
    let refused = send("key-0", "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Nothing was done, so the key is free.
    let answers = futures::future::join_all((0..20).map(|_| send("key-0", "fine work"))).await;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        assert_eq!(answer.header("index-position"), answers[0].header("index-position"));
    }
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed") == "true")
        .count();
    assert_eq!(replayed, 19, "one was done, the others were told of it");
    send("key-0", "other work")
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
    send(&"k".repeat(256), "fine work")
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_idempotency_key");
    // The same key is another of another user; and an answer ends.
    let other = app.user("producer-002").await;
    let theirs = app.request(Method::POST, &path).bearer_auth(&other.token);
    let theirs = answer(
        theirs
            .header("idempotency-key", "key-0")
            .json(&json!({"reason": "fine work"})),
    )
    .await;
    theirs.assert_problem(StatusCode::FORBIDDEN, "forbidden");
    app.db
        .execute("UPDATE idempotent_requests SET created_at = created_at - INTERVAL 25 HOUR")
        .await;
    let late = send("key-0", "other work").await;
    assert_eq!(
        (late.status, late.header("idempotency-replayed")),
        (StatusCode::NO_CONTENT, "")
    );
}

#[tokio::test]
async fn no_secret_is_kept_for_a_repeated_request() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let make = async || {
        let request = app.request(Method::POST, "/v1/me/tokens").bearer_auth(&user.token);
        answer(request.header("idempotency-key", "key-0").json(&json!({"name": "backup"}))).await
    };
    let (one, other) = (make().await, make().await);
    assert_eq!((one.status, other.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_ne!(one.body["token"], other.body["token"]);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM idempotent_requests").await, 0);
}

/// Connects, sends something, and returns how long the server keeps a connection on which nothing follows.
async fn kept_open(app: &TestApp, said: &[u8]) -> Duration {
    let address = app.url("").trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).await.expect("connect");
    connection.write_all(said).await.expect("send");
    let started = Instant::now();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), connection.read_to_end(&mut rest))
        .await
        .expect("the server closes it")
        .ok();
    started.elapsed()
}

#[tokio::test]
async fn connections_that_say_nothing_or_take_nothing_are_closed() {
    let app = TestApp::start_with(|settings| {
        settings.http.header_timeout_s = 1;
        settings.http.stalled_write_s = 1;
        settings.http.max_connections = 3;
    })
    .await;
    for said in [&b""[..], b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let kept = kept_open(&app, said).await;
        assert!(
            kept < Duration::from_secs(5),
            "{kept:?} after `{}`",
            String::from_utf8_lossy(said)
        );
    }
    // More than may be open, all silent: they go, and whoever waits is served.
    let address = app.url("").trim_start_matches("http://").to_owned();
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(&address).await.expect("connect"));
    }
    assert_eq!(app.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_other_origins_may_call_only_if_they_are_named() {
    let origin = "https://cookbook.example.org";
    let preflight = |app: &TestApp, origin: &str| {
        app.request(Method::OPTIONS, "/v1/me")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization,content-type")
    };
    let open = TestApp::start_with(|settings| settings.http.cors_origins = vec![origin.to_owned()]).await;
    let allowed = answer(preflight(&open, origin)).await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.header("access-control-allow-origin"), origin);
    assert!(allowed.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(
        answer(preflight(&open, "https://evil.example.org"))
            .await
            .header("access-control-allow-origin"),
        ""
    );
    let got = answer(open.request(Method::GET, "/v1/tags").header("origin", origin)).await;
    assert!(got.header("access-control-expose-headers").contains("ratelimit"));
    assert_eq!(got.header("access-control-allow-credentials"), "");
    let closed = TestApp::start().await;
    assert_eq!(
        answer(preflight(&closed, origin)).await.header("access-control-allow-origin"),
        ""
    );
}

#[tokio::test]
async fn clients_behind_a_proxy_are_told_apart_and_nobody_else_is_believed() {
    let ask = async |app: &TestApp, forwarded: &str| {
        let asked = answer(
            app.request(Method::GET, "/v1/search?q=x")
                .header("x-forwarded-for", forwarded),
        )
        .await;
        left_of(&asked).0
    };
    let behind = TestApp::start_with(|settings| {
        limited(settings);
        settings.http.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    })
    .await;
    assert_eq!(ask(&behind, "198.51.100.1").await, 19);
    assert_eq!(ask(&behind, "198.51.100.1").await, 18);
    assert_eq!(ask(&behind, "198.51.100.2").await, 19);
    assert_eq!(
        ask(&behind, "1.2.3.4, 198.51.100.2").await,
        18,
        "what a client pretends is not believed"
    );
    let direct = TestApp::start_with(limited).await;
    assert_eq!(ask(&direct, "198.51.100.1").await, 19);
    assert_eq!(ask(&direct, "198.51.100.2").await, 18);
}
