//! Reports, the overview, the timetable and metrics, as admins have them.

use std::process::Output;

use chrono::{Days, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::queue::inspect;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{TestApp, User, answer, reverb_rack};
use crate::program::{cookbook, error_of};

/// An app with an admin, and a rack that was downloaded.
async fn community() -> (TestApp, User) {
    let app = TestApp::start().await;
    let admin = app.user("producer-001").await;
    app.db
        .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", admin.id))
        .await;
    let title = json!({"title": "<script>alert(1)</script>", "genre": "Techno"});
    let rack = app.published(&admin, reverb_rack("Warm"), title).await;
    app.db
        .execute(&format!(
            "INSERT INTO workflow_downloads (workflow_id, created_at, ip_address) VALUES ({rack}, NOW() - INTERVAL 1 DAY, '192.0.2.1')"
        ))
        .await;
    (app, admin)
}

#[tokio::test]
async fn admins_have_reports_made_and_read_them_in_every_form() {
    let (app, admin) = community().await;
    let day = Utc::now().date_naive() - Days::new(1);
    let path = format!("/v1/admin/reports/daily/{day}");
    app.get_as(&admin, &path)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    let asked = app.post_as(&admin, &path).await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (StatusCode::ACCEPTED, path.as_str())
    );
    assert_eq!(asked.body, json!({"report": "daily", "period": day.to_string(), "url": path}));
    app.run_jobs().await;

    let report = app.get_as(&admin, &path).await;
    assert_eq!(
        (report.status, report.header("content-type")),
        (StatusCode::OK, "application/json")
    );
    let figure = |section: &str, key: &str| -> Value {
        let of = |list: &Value, key: &str| {
            list.as_array()
                .expect("a list")
                .iter()
                .find(|item| item["key"] == key)
                .cloned()
        };
        let section = of(&report.body["sections"], section).expect("a section");
        of(&section["figures"], key).expect("a figure")
    };
    assert_eq!(figure("attention", "downloads")["value"], 1);
    assert_eq!(figure("recommendations", "shown")["value"], Value::Null);
    assert!(figure("recommendations", "shown")["no_data"].is_string());

    for (asked, accept, media_type) in [
        ("?format=html", "*/*", "text/html; charset=utf-8"),
        ("", "text/html,*/*;q=0.8", "text/html; charset=utf-8"),
        ("?format=csv", "*/*", "text/csv; charset=utf-8; header=present"),
        ("?format=parquet", "text/html", "application/vnd.apache.parquet"),
    ] {
        let request = app.request(Method::GET, &format!("{path}{asked}")).header("accept", accept);
        let sent = request.bearer_auth(&admin.token).send().await.expect("an answer");
        assert_eq!(sent.status(), StatusCode::OK);
        assert_eq!(sent.headers()["content-type"], media_type);
        let policy = sent.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("script-src"),
            "{policy}"
        );
        let bytes = sent.bytes().await.expect("a body");
        let text = String::from_utf8_lossy(&bytes);
        match media_type {
            "text/html; charset=utf-8" => assert!(!text.contains("<script") && text.contains("alert(1)")),
            "application/vnd.apache.parquet" => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
            _ => assert!(text.starts_with("section,kind,item,row,detail,column,unit,value,before,note\n")),
        }
    }

    let list = app.get_as(&admin, "/v1/admin/reports").await.body;
    assert_eq!(
        (&list["items"][0]["url"], &list["items"][0]["version"]),
        (&json!(path), &json!(1))
    );
    assert_eq!(
        app.get_as(&admin, "/v1/admin/reports?report=monthly").await.body["items"],
        json!([])
    );
    for (method, wrong) in [
        (Method::GET, "/v1/admin/reports?report=hourly".to_owned()),
        (Method::GET, "/v1/admin/reports/daily/2026-02-30".to_owned()),
        (Method::GET, format!("{path}?format=pdf")),
        (Method::POST, "/v1/admin/reports/hourly/2026-03-01".to_owned()),
        (Method::POST, format!("/v1/admin/reports/daily/{}", day + Days::new(3))),
    ] {
        let refused = app.send(&admin, method, &wrong, None).await;
        refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    }
}

#[tokio::test]
async fn pages_of_the_list_of_reports_follow_each_other() {
    let (app, admin) = community().await;
    for day in 1..=5 {
        app.db
            .execute(&format!(
                "INSERT INTO reports (report, period, zone, starts_at, ends_at, figures, shape)
                 VALUES ('daily', '2026-03-0{day}', 'UTC', '2026-03-0{day}', '2026-03-0{}', '{{}}', 1)",
                day + 1
            ))
            .await;
    }
    let (mut path, mut periods) = ("/v1/admin/reports?limit=2".to_owned(), Vec::new());
    loop {
        let page = app.get_as(&admin, &path).await.body;
        periods.extend(
            page["items"]
                .as_array()
                .expect("items")
                .iter()
                .map(|item| item["period"].clone()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/admin/reports?limit=2&cursor={next}");
    }
    assert_eq!(
        periods,
        ["2026-03-05", "2026-03-04", "2026-03-03", "2026-03-02", "2026-03-01"]
    );
}

#[tokio::test]
async fn the_overview_is_of_now_and_jobs_show_what_is_dead() {
    let (app, admin) = community().await;
    let overview = app.get_as(&admin, "/v1/admin/overview").await;
    assert_eq!(overview.status, StatusCode::OK, "{}", overview.body);
    assert_eq!(
        overview.body["uploads"],
        json!({"total": 1, "parsed": 1, "failed": 0, "pending": 0, "no_file": 0})
    );
    assert_eq!(
        (&overview.body["new_accounts"], &overview.body["dead_letters"]),
        (&json!(1), &json!(0))
    );
    app.db
        .execute(
            "INSERT INTO queue_jobs (id, queue, job, status, attempts, run_at, done_at, last_result)
             VALUES (REPEAT('0', 26), 'parse-rack', '{}', 'Killed', 5, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 'the disk is full');
             INSERT INTO schedules (name, last_fired_at, expression, zone, next_at)
             VALUES ('report-daily', '2026-03-01 06:00:00', '0 0 6 * * *', 'UTC', UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)",
        )
        .await;
    let jobs = app.get_as(&admin, "/v1/admin/jobs").await.body;
    assert_eq!(
        (&jobs["dead"][0]["error"], &jobs["queues"][0]["status"]),
        (&json!("the disk is full"), &json!("dead"))
    );
    assert_eq!(
        (&jobs["timetable"][0]["name"], &jobs["timetable"][0]["times"]),
        (&json!("report-daily"), &json!("0 0 6 * * *"))
    );
    assert!(jobs["timetable"][0]["next_at"].is_string());
    assert_eq!(app.get_as(&admin, "/v1/admin/overview").await.body["dead_letters"], 1);
    let mut db = app.db.pool().acquire().await.expect("a connection");
    inspect::retry_all(&mut db, None).await.expect("retry");
    app.db.execute("DELETE FROM queue_jobs WHERE id = REPEAT('0', 26)").await;
}

#[tokio::test]
async fn metrics_count_requests_searches_and_jobs_under_names_that_nobody_can_make_up() {
    let (app, admin) = community().await;
    app.get("/v1/search?q=warm").await;
    app.get("/v1/nothing/here").await;
    let odd = Method::from_bytes(b"BREW").expect("a method");
    answer(app.request(odd, "/v1/search")).await;
    let sent = app.request(Method::GET, "/v1/admin/metrics").bearer_auth(&admin.token);
    let text = sent.send().await.expect("an answer").text().await.expect("text");
    for line in [
        "cookbook_http_requests_total{method=\"GET\",route=\"/v1/search\",status=\"200\"} 1",
        "cookbook_http_requests_total{method=\"GET\",route=\"-\",status=\"404\"} 1",
        "cookbook_search_seconds_count 1",
        "cookbook_jobs_total{queue=\"parse-rack\",outcome=\"done\"} 1",
        "cookbook_job_seconds_count{queue=\"parse-rack\"} 1",
        "cookbook_database_up 1",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    assert!(text.contains("method=\"other\"") && !text.contains("BREW") && !text.contains("/v1/nothing"));

    // The same at an address of its own, without a token, and nothing else there.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(query_api::measures::serve(app.api_db.clone(), listener, stop.clone()));
    let scraped = reqwest::get(format!("{base}/metrics")).await.expect("an answer");
    assert!(
        scraped.headers()["content-type"]
            .to_str()
            .expect("text")
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(scraped.text().await.expect("text").contains("cookbook_http_requests_total"));
    let other = reqwest::get(format!("{base}/v1/admin/reports")).await.expect("an answer");
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    stop.cancel();
    serving.await.expect("no panic").expect("no error");
}

async fn run(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = cookbook(app.folder.path());
    command.args(arguments).env("COOKBOOK_DATABASE__URL", app.db.url());
    tokio::task::spawn_blocking(move || command.output().expect("run the command"))
        .await
        .expect("wait for the command")
}

#[tokio::test]
async fn the_command_line_makes_lists_and_shows_reports_and_the_timetable() {
    let (app, _) = community().await;
    let day = (Utc::now().date_naive() - Days::new(1)).to_string();
    let stdout = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let missing = run(&app, &["report", "show", "daily", &day]).await;
    assert!(!missing.status.success());
    assert!(
        error_of(&missing).contains(&format!("`cookbook report run daily {day}` makes it")),
        "{}",
        error_of(&missing)
    );
    let made = run(&app, &["report", "run", "daily"]).await;
    assert!(made.status.success(), "{}", error_of(&made));
    assert!(
        stdout(&made).starts_with(&format!("daily report of {day} (UTC)\n")),
        "{}",
        stdout(&made)
    );
    let shown = run(&app, &["report", "show", "daily", &day]).await;
    assert_eq!(stdout(&shown).trim_end(), stdout(&made).trim_end());
    let listed = stdout(&run(&app, &["report", "list"]).await);
    assert!(
        listed
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with(&format!("daily     {day}     1  "))),
        "{listed}"
    );
    let file = app.folder.path().join("page.html");
    let written = run(
        &app,
        &[
            "report",
            "show",
            "daily",
            &day,
            "--format",
            "html",
            "--out",
            &file.display().to_string(),
        ],
    )
    .await;
    assert!(written.status.success());
    assert!(std::fs::read_to_string(&file).expect("a page").starts_with("<!doctype html>"));
    for (arguments, message) in [
        (["report", "run", "daily", "2026-02-30"], "is no period of a daily report"),
        (["report", "run", "weekly", "2999-W01"], "is not over yet"),
    ] {
        let refused = run(&app, &arguments).await;
        assert!(
            !refused.status.success() && error_of(&refused).contains(message),
            "{}",
            error_of(&refused)
        );
    }
    let timetable = stdout(&run(&app, &["jobs", "timetable"]).await);
    for name in ["report-daily", "reconcile-counts", "roll-up"] {
        assert!(timetable.lines().any(|line| line.starts_with(name)), "{timetable}");
    }
    let queued = run(&app, &["jobs", "run", "report-weekly"]).await;
    assert_eq!(stdout(&queued), "make-report queued\n");
    app.run_jobs().await;
    assert_eq!(
        app.db.integer("SELECT COUNT(*) FROM reports WHERE report = 'weekly'").await,
        1
    );
}
