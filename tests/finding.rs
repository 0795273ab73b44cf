//! Search over HTTP: its parameters, reading one's own write, limits, and bytes that nobody meant.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, answer, reverb_rack};

/// Inserts published workflows by plain SQL and lets the index follow.
async fn fill(app: &TestApp, rows: &[(&str, &str)]) {
    let user = app.user("producer-001").await;
    for (at, (title, more)) in (1..).zip(rows) {
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        app.db
            .shell()
            .execute(&format!(
                "INSERT INTO workflows SET user_id = {}, title = '{title}', slug = 'row-{at}', rack_type = 'instrument',
                   adg_file_path = 'none.adg', is_published = TRUE{more}",
                user.id
            ))
            .await;
    }
    app.follow().await;
}

#[tokio::test]
async fn conditions_orders_and_spreads_are_asked_for_by_parameters() {
    let app = TestApp::start().await;
    fill(
        &app,
        &[
            (
                "One",
                "genre = 'Techno', key_signature = 'Am', bpm = 128, published_at = '2026-01-05'",
            ),
            (
                "Two",
                "genre = 'techno', key_signature = 'C', bpm = 64, published_at = '2026-01-25'",
            ),
            (
                "Three",
                "genre = 'House', key_signature = 'Em', bpm = 126, published_at = '2026-02-05', preview_audio_path = 'x'",
            ),
            (
                "Four",
                "genre = 'House', key_signature = 'F#', bpm = 129, published_at = '2026-03-05', is_featured = TRUE",
            ),
        ],
    )
    .await;
    for (query, found) in [
        ("genre=TECHNO", &[2, 1][..]),
        ("genre=techno&genre=house&sort=newest", &[4, 3, 2, 1]),
        ("genre_none=techno", &[4, 3]),
        ("genre_all=techno&genre_all=house", &[]),
        ("key=8A", &[1]),
        ("key=8A&harmony=compatible", &[3, 2, 1]),
        ("bpm=120-128&sort=bpm", &[3, 1]),
        ("bpm=60-70&bpm=129", &[4, 2]),
        ("tempo=128&sort=bpm_distance", &[1, 4, 3]),
        ("tempo=128&half_double=true&sort=bpm_distance", &[1, 4, 3, 2]),
        ("tempo=128&tempo_within=1&sort=bpm_distance", &[1, 4]),
        ("mix_with=1", &[3]),
        ("has_preview=true", &[3]),
        ("has_preview_audio=false&is_featured=false", &[2, 1]),
        ("is_featured=true", &[4]),
        ("uploaded_since=2026-01-20&sort=newest", &[4, 3, 2]),
        ("uploaded_since=2026-02-05T00:00:00Z", &[4, 3]),
        ("own_live=12&own_edition=suite", &[]),
    ] {
        assert_eq!(app.search(query).await, found, "{query}");
    }
    let answer = app.get("/v1/search?limit=0&numbers=bpm,uploaded&bpm=120-&facets=genre").await;
    let numbers = &answer.body["numbers"];
    assert_eq!((&answer.body["total"], &answer.body["hits"]), (&json!(3), &json!([])));
    assert_eq!(
        (&numbers["bpm"]["min"], &numbers["bpm"]["max"]),
        (&json!(64.0), &json!(129.0))
    );
    let months = numbers["uploaded"]["steps"].as_array().expect("steps");
    assert_eq!(months.iter().map(|step| step["count"].clone()).collect::<Vec<_>>(), [1, 1, 1]);
    let mixed = app.get("/v1/search?mix_with=1").await;
    assert_eq!(mixed.body["mix"], json!({"with": 1, "key": "Am", "bpm": 128.0}));
    let nothing = app.get("/v1/search?mix_with=99").await;
    assert_eq!(nothing.refused_fields(), ["mix_with"]);

    let seen = app.get("/v1/facets/genre?q=te&bpm=120-").await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert_eq!(
        seen.body["values"],
        json!([{"value": "Techno", "count": 1, "selected": false}])
    );
    app.get("/v1/facets/colour")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    let suggested = app.get("/v1/suggest?q=tec").await;
    assert_eq!(
        suggested.body["items"],
        json!([{"kind": "genre", "value": "Techno", "count": 2}])
    );
    assert_eq!(app.get("/v1/suggest?q=x&limit=0").await.refused_fields(), ["limit"]);
}

#[tokio::test]
async fn random_order_is_the_same_for_a_seed_and_its_pages_join() {
    let app = TestApp::start().await;
    let rows: Vec<(String, &str)> = (0..25).map(|at| (format!("Row {at}"), "")).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(title, more)| (title.as_str(), *more)).collect();
    fill(&app, &rows).await;
    let all = app.search("sort=random&seed=7&limit=100").await;
    assert_eq!(all.len(), 25);
    assert_eq!(app.search("sort=random&seed=7&limit=100").await, all);
    assert_ne!(app.search("sort=random&seed=8&limit=100").await, all);
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        // The cursor carries the seed: later pages need not name it.
        let seed = if cursor.is_empty() { "&seed=7" } else { "" };
        let page = app.get(&format!("/v1/search?sort=random&limit=4{seed}{cursor}")).await;
        let hits = page.body["hits"].as_array().expect("hits");
        pages.extend(hits.iter().map(|hit| hit["id"].as_u64().expect("an id")));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, all);
}

#[tokio::test]
async fn whoever_writes_can_read_what_they_wrote() {
    let app = TestApp::start_with(|settings| settings.search.wait_for_ms = 2_000).await;
    let user = app.user("producer-001").await;
    let id = app.published(&user, reverb_rack("Before"), json!({"title": "Before"})).await;
    let path = format!("/v1/workflows/{id}");
    let changed = app
        .send(&user, Method::PATCH, &path, Some(json!({"title": "Zanzibar"})))
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let position: u64 = changed.headers["index-position"]
        .to_str()
        .expect("text")
        .parse()
        .expect("a position");
    assert!(app.search("q=zanzibar").await.is_empty(), "nobody has followed the log yet");

    let waiting = app.request(Method::GET, &format!("/v1/search?q=zanzibar&wait_for={position}"));
    let waiting = tokio::spawn(async move { answer(waiting).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    app.follow().await;
    let found = waiting.await.expect("an answer");
    assert_eq!((found.status, &found.body["total"]), (StatusCode::OK, &json!(1)));
    assert!(found.body["position"].as_u64() >= Some(position));

    let started = Instant::now();
    app.db.execute("INSERT INTO index_log (workflow_id) VALUES (1)").await;
    let never = app.get(&format!("/v1/search?wait_for={}", position + 1)).await;
    never.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    assert!(never.headers.contains_key(RETRY_AFTER));
    assert!(started.elapsed() < Duration::from_secs(10), "the wait is bounded");
}

#[tokio::test]
async fn a_search_over_its_budget_is_503_and_so_is_one_too_many() {
    let app = TestApp::start_with(|settings| settings.search.budget_ms = 0).await;
    fill(&app, &[("One", "")]).await;
    for path in [
        "/v1/search?q=one",
        "/v1/facets/tag?text=one",
        "/v1/suggest?q=one",
        "/v1/workflows/1/similar",
    ] {
        let late = app.get(path).await;
        late.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "timed_out");
        assert!(late.headers.contains_key(RETRY_AFTER), "{path}");
    }
    drop(app);

    let app = TestApp::start_with(|settings| {
        settings.search.queue_ms = 1;
        settings.search.queue_per_core = 1;
    })
    .await;
    fill(&app, &[("One", "")]).await;
    let requests: Vec<_> = (0..300)
        .map(|_| tokio::spawn(answer(app.request(Method::GET, "/v1/search?q=one"))))
        .collect();
    let (mut answered, mut shed) = (0, 0);
    for request in requests {
        let answer = request.await.expect("an answer");
        match answer.status {
            StatusCode::OK => answered += 1,
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(answer.headers.contains_key(RETRY_AFTER));
                shed += 1;
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    assert!(answered > 0 && shed > 0, "{answered} were answered, {shed} were not");
}

/// A number that looks random and is always the same: xorshift (Marsaglia 2003).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Bytes of all sorts, percent-encoded: letters, grammar of other engines, control characters, broken UTF-8.
fn noise(state: &mut u64, most: u64) -> String {
    const PIECES: [&str; 20] = [
        "warm", "\"", "-", "(", ")", "AND", "OR", ":", "*", "~2", "^9", "[1 TO", "bpm:120-", "key:Am", "\u{0}", "\u{1f}", "日本",
        "e\u{301}", " ", "808",
    ];
    let mut bytes = Vec::new();
    for _ in 0..next(state) % (most + 1) {
        if next(state).is_multiple_of(3) {
            bytes.push((next(state) >> 32) as u8);
        } else {
            bytes.extend(PIECES[(next(state) % 20) as usize].as_bytes());
        }
    }
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// A body for a facade whose texts and filters are noise; now and then it ends early.
fn noisy_body(state: &mut u64, is_meilisearch: bool) -> String {
    const PIECES: [&str; 24] = [
        "genre", "bpm", "tag", " = ", " != ", ":", ">=", " AND ", " OR ", "NOT ", "(", ")", "[", "]", "'", "\"", "\\", " TO ",
        " IN ", " EXISTS", "12", "-", "a", "é",
    ];
    let mut text = |most: u64| -> String {
        let pieces = (0..next(state) % most).map(|_| PIECES[(next(state) % 24) as usize]);
        pieces.collect()
    };
    let (words, filter, other) = (text(6), text(12), text(8));
    let body = if is_meilisearch {
        json!({ "q": words, "filter": [filter, [other]], "facets": ["*"], "attributesToHighlight": ["*"], "attributesToCrop": ["*"] })
    } else {
        json!({ "requests": [{ "indexName": "workflows", "query": words, "filters": filter, "facetFilters": [[other]], "facets": ["*"] }] })
    };
    let mut body = body.to_string();
    if next(state).is_multiple_of(8) {
        let mut end = (next(state) as usize) % (body.len() + 1);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        body.truncate(end);
    }
    body
}

/// How long random requests are sent: some seconds, or as many as this variable says.
fn noise_seconds() -> u64 {
    std::env::var("COOKBOOK_TEST_NOISE_S").map_or(5, |seconds| seconds.parse().expect("seconds"))
}

#[tokio::test]
async fn random_bytes_as_texts_and_conditions_are_answered_or_refused() {
    const NAMES: [&str; 32] = [
        "q",
        "genre",
        "key",
        "device",
        "plugin_none",
        "tag_all",
        "kind",
        "difficulty",
        "author",
        "bpm",
        "rating",
        "likes",
        "tempo",
        "tempo_within",
        "half_double",
        "mix_with",
        "own_live",
        "own_edition",
        "own_plugin",
        "uploaded_since",
        "has_preview",
        "opens_in",
        "sort",
        "seed",
        "limit",
        "cursor",
        "facets",
        "numbers",
        "facet_limit",
        "harmony",
        "needs",
        "category_device",
    ];
    const GOOD: [&str; 12] = [
        "", "128", "120-130", "Am", "true", "suite", "12", "1", "newest", "30d", "bpm", "exact",
    ];
    let app = TestApp::start().await;
    fill(
        &app,
        &[
            ("Warm pad", "genre = 'Techno', bpm = 128, key_signature = 'Am'"),
            ("Dark 808", ""),
        ],
    )
    .await;
    let started = Instant::now();
    let mut state = 0x5eed_u64;
    let (mut sent, mut answered) = (0, 0);
    while started.elapsed() < Duration::from_secs(noise_seconds()) {
        let mut query = String::new();
        for _ in 0..=next(&mut state) % 5 {
            let name = NAMES[(next(&mut state) % 32) as usize];
            let value = if next(&mut state).is_multiple_of(2) {
                GOOD[(next(&mut state) % 12) as usize].to_owned()
            } else {
                noise(&mut state, 12)
            };
            query.push_str(&format!("{name}={value}&"));
        }
        let kind = next(&mut state) % 6;
        let path = match kind {
            0 => format!("/v1/suggest?q={}", noise(&mut state, 40)),
            1 => format!("/v1/facets/tag?text={}&{query}", noise(&mut state, 6)),
            2 => "/indexes/workflows/search".to_owned(),
            3 => "/1/indexes/*/queries".to_owned(),
            _ => format!("/v1/search?{query}"),
        };
        let asked = Instant::now();
        let got = match kind {
            2 | 3 => answer(app.request(Method::POST, &path).body(noisy_body(&mut state, kind == 2))).await,
            _ => app.get(&path).await,
        };
        assert!(!got.status.is_server_error(), "{path}: {}", got.body);
        assert!(
            asked.elapsed() < app.settings.search.budget() + Duration::from_secs(3),
            "{path} took {:?}",
            asked.elapsed()
        );
        assert!(got.body != Value::Null, "{path}");
        sent += 1;
        answered += usize::from(got.status == StatusCode::OK);
    }
    assert!(answered > 20, "{answered} of {sent}");
    println!("{sent} random requests, {answered} of them answered, none failed");
}
