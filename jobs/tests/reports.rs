//! Reports: what they say, and that it adds up.

use std::io::Cursor;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use jobs::make_report;
use jobs::report::{Amount, Report};
use jobs::testing::run_pending_jobs;
use polars::prelude::{ParquetReader, SerReader};
use store::queue::{ReconcileCounts, enqueue};
use store::report::{self, Period, ReportKind};
use store::usage::{self, Use};
use test_support::TestDb;

use crate::support::{context, context_with};

/// A title that would be markup in a page and a formula in a spreadsheet.
const HOSTILE: &str = "=HYPERLINK(\"http://example.org\")<script>alert(1)</script>";

pub(crate) fn yesterday() -> NaiveDate {
    Utc::now().date_naive() - Days::new(1)
}

fn calendar_noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(12, 0, 0).unwrap().and_utc()
}

pub(crate) fn daily(day: NaiveDate) -> Period {
    Period::containing(ReportKind::Daily, day)
}

/// Two authors with three racks, and two days of what happened to them.
///
/// Yesterday: rack 1 had 3 views and 2 downloads, rack 2 one view, rack 3 two downloads and a like. The day before, rack 1 had one download.
pub(crate) async fn community(db: &TestDb) {
    let day = yesterday();
    let at = |days: u64, hour: u32| format!("'{} {hour:02}:10:00'", day - Days::new(days));
    let mut sql = format!(
        "INSERT INTO users (id, username, email, password, created_at) VALUES
           (1, 'producer-001', 'p1@example.org', 'x', {long_ago}), (2, 'producer-002', 'p2@example.org', 'x', {long_ago}),
           (3, 'producer-003', 'p3@example.org', 'x', {new}), (4, 'producer-004', 'p4@example.org', 'x', {long_ago}),
           (5, 'producer-005', 'p5@example.org', 'x', {long_ago});
         INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, adg_file_path, is_published, published_at, parse_state,
                                parse_error_code, parsed_at, created_at) VALUES
           (1, 1, 'Warm Pad', 'a', 'instrument', 'Techno', '', TRUE, {long_ago}, 'parsed', NULL, {long_ago}, {long_ago}),
           (2, 1, '{hostile}', 'b', 'instrument', NULL, '', TRUE, {long_ago}, 'parsed', NULL, {long_ago}, {long_ago}),
           (3, 2, 'Rumble', 'c', 'audio_effect', 'House', '', TRUE, {new}, 'parsed', NULL, {new} + INTERVAL 3 SECOND, {new}),
           (4, 2, 'Broken', 'd', 'audio_effect', 'House', '', FALSE, NULL, 'failed', 'not_gzip', {new}, {new}),
           (5, 2, 'Broken too', 'e', 'audio_effect', 'House', '', FALSE, NULL, 'failed', 'live_set', {new}, {new}),
           (6, 2, 'Waits', 'f', 'audio_effect', 'House', '', FALSE, NULL, 'pending', NULL, NULL, {new});
         INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) VALUES
           (1, 1, '{reverb_echo}', '{{}}', '[]'), (3, 1, '{reverb}', '{{}}', '[]');
         INSERT INTO workflow_tags (id, name) VALUES (1, 'dark'), (2, 'sub');
         INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (1, 1), (3, 1), (3, 2);
         INSERT INTO workflow_likes (workflow_id, user_id, created_at) VALUES (3, 4, {one});
         INSERT INTO searches (query_id, searched_at, text, hits, took_us) VALUES
           ('01', {one}, 'pad', 3, 1000), ('02', {one}, 'pad', 3, 3000), ('03', {one}, 'theremin', 0, 2000);
         INSERT INTO search_events (query_id, kind, workflow_id, position, happened_at) VALUES ('01', 'click', 1, 2, {one});",
        long_ago = at(40, 1),
        new = at(0, 3),
        one = at(0, 1),
        hostile = HOSTILE.replace('\'', "''"),
        reverb_echo = r#"{"devices":[{"element":"Reverb","name":"Reverb","facet":"Reverb","origin":"native","category":"","count":1},{"element":"Delay","name":"Echo","facet":"Echo","origin":"native","category":"","count":2}]}"#,
        reverb = r#"{"devices":[{"element":"Reverb","name":"Reverb","facet":"Reverb","origin":"native","category":"","count":1}]}"#,
    );
    for (workflow, user, days, hour) in [(1, 3, 0, 4), (1, 4, 0, 4), (1, 5, 0, 4), (2, 3, 0, 5)] {
        sql += &format!(
            "INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES ({workflow}, {user}, {});",
            at(days, hour)
        );
    }
    for (workflow, user, days, hour) in [(1, 4, 0, 4), (1, 5, 0, 4), (3, 4, 0, 6), (3, 5, 0, 23), (1, 5, 1, 7)] {
        sql += &format!(
            "INSERT INTO workflow_downloads (workflow_id, user_id, created_at) VALUES ({workflow}, {user}, {});",
            at(days, hour)
        );
    }
    db.execute(&sql).await;
}

fn whole(report: &Report, section: &str, key: &str) -> u64 {
    match report.value(section, key) {
        Some(Amount::Whole(count)) => count,
        other => panic!("`{section}.{key}` is {other:?}"),
    }
}

/// Names and first values of a list.
fn lines(report: &Report, section: &str, key: &str) -> Vec<(String, u64)> {
    let table = report.table(section, key).unwrap();
    let first = |row: &jobs::report::Row| row.values[0].map_or(0.0, Amount::as_f64) as u64;
    table.rows.iter().map(|row| (row.name.clone(), first(row))).collect()
}

fn owned(lines: &[(&str, u64)]) -> Vec<(String, u64)> {
    lines.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_report_says_what_rows_say_and_adds_up() {
    let db = TestDb::new().await;
    community(&db).await;
    let context = context(&db);
    let report = make_report(&context, daily(yesterday())).await.unwrap();
    for (section, key, value) in [
        ("people", "new_accounts", 1),
        // Who looked, downloaded or liked, and the author who uploaded.
        ("people", "active", 4),
        ("people", "weekly_active", 4),
        ("uploads", "uploads", 4),
        ("uploads", "parsed", 1),
        ("uploads", "failed", 2),
        ("uploads", "pending", 1),
        ("uploads", "no_file", 0),
        ("uploads", "published", 1),
        ("attention", "views", 4),
        ("attention", "downloads", 4),
        ("attention", "likes", 1),
        ("attention", "reactions", 1),
        ("leaders", "workflows", 3),
        ("searches", "searches", 3),
        ("searches", "without_hits", 1),
        ("jobs", "dead_letters", 0),
        ("storage", "files", 0),
    ] {
        assert_eq!(whole(&report, section, key), value, "{section}.{key}");
    }
    let downloads = report.figure("attention", "downloads").unwrap();
    assert_eq!(downloads.before, Some(Amount::Whole(1)));
    assert_eq!(report.value("attention", "conversion"), Some(Amount::Real(1.0)));
    assert_eq!(report.value("uploads", "parse_p95"), Some(Amount::Real(3.0)));
    assert_eq!(report.value("uploads", "failed_share"), Some(Amount::Real(2.0 / 3.0)));
    assert_eq!(report.value("searches", "click_through"), Some(Amount::Real(1.0 / 3.0)));
    for (section, key, expected) in [
        (
            "leaders",
            "top_workflows",
            &[("Warm Pad", 2), ("Rumble", 2), (HOSTILE, 0)][..],
        ),
        // Its first downloads and a like: more than one download more and three views.
        ("leaders", "rising_workflows", &[("Rumble", 2), ("Warm Pad", 2), (HOSTILE, 0)]),
        ("leaders", "top_creators", &[("producer-001", 2), ("producer-002", 2)]),
        ("leaders", "top_genres", &[("Techno", 2), ("House", 2), ("(none)", 0)]),
        ("leaders", "top_tags", &[("dark", 4), ("sub", 2)]),
        ("leaders", "top_devices", &[("Reverb", 4), ("Echo", 2)]),
        ("leaders", "top_device_pairs", &[("Echo + Reverb", 2)]),
        ("searches", "top_searches", &[("pad", 2), ("theremin", 1)]),
        ("searches", "searches_without_hits", &[("theremin", 1)]),
    ] {
        assert_eq!(lines(&report, section, key), owned(expected), "{key}");
    }
    let mut failures = lines(&report, "uploads", "failures");
    failures.sort();
    assert_eq!(failures, owned(&[("live_set", 1), ("not_gzip", 1)]));
    assert_eq!(report.checks.len(), 7);
    for check in &report.checks {
        assert!(check.holds, "{check:?}");
    }
    // What no row tells says so, and why.
    for (section, key) in [
        ("uploads", "searchable_p95"),
        ("recommendations", "shown"),
        ("feed", "pages"),
        ("counts", "repaired"),
    ] {
        let figure = report.figure(section, key).unwrap();
        assert!(figure.value.is_none() && figure.no_data.is_some(), "{figure:?}");
    }
    // Every section is there, whatever happened.
    assert_eq!(report.sections.len(), 11);
}

#[tokio::test]
async fn uses_and_waits_are_those_of_the_period() {
    let db = TestDb::new().await;
    community(&db).await;
    let context = context(&db);
    let noon = calendar_noon(yesterday());
    let mut connection = db.pool().acquire().await.unwrap();
    for (at, kind, uses) in [
        (noon, Use::FeedPage, 5),
        (noon + TimeDelta::minutes(59), Use::FeedPage, 2),
        (noon + TimeDelta::hours(2), Use::FeedPage, 1),
        (noon - TimeDelta::days(1), Use::FeedPage, 3),
        (noon - TimeDelta::days(9), Use::FeedPage, 50),
        (noon + TimeDelta::days(1), Use::FeedPage, 100),
        (noon, Use::RecommendationShown, 40),
        (noon, Use::RecommendationFollowed, 2),
    ] {
        usage::add(&mut connection, at, kind, uses).await.unwrap();
    }
    drop(connection);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM usage_hourly").await,
        7,
        "one row an hour and kind"
    );
    db.execute(&format!(
        "UPDATE workflows SET is_published = TRUE, created_at = '{at}', published_at = '{at}',
           searchable_at = '{at}' + INTERVAL id * 250000 MICROSECOND WHERE id IN (1, 2);
         -- published again since it was found first: that wait is over
         UPDATE workflows SET is_published = TRUE, published_at = '{at}', searchable_at = '{at}' - INTERVAL 1 DAY WHERE id = 3",
        at = noon.format("%Y-%m-%d %H:%M:%S")
    ))
    .await;
    let report = make_report(&context, daily(yesterday())).await.unwrap();
    for (section, key, value, before) in [
        ("feed", "pages", 8, 3),
        ("feed", "streams", 0, 0),
        ("recommendations", "lists", 0, 0),
        ("recommendations", "shown", 40, 0),
        ("recommendations", "followed", 2, 0),
    ] {
        let figure = report.figure(section, key).unwrap();
        assert_eq!(figure.value, Some(Amount::Whole(value)), "{section}.{key}");
        assert_eq!(figure.before, Some(Amount::Whole(before)), "{section}.{key}");
    }
    assert_eq!(report.value("recommendations", "followed_share"), Some(Amount::Real(0.05)));
    // What began to be counted within a period says nothing about it, nor do hours of UTC about days that begin between them.
    let began = Period::containing(ReportKind::Daily, yesterday() - Days::new(9));
    let report_of_then = make_report(&context, began).await.unwrap();
    assert!(report_of_then.figure("feed", "pages").unwrap().no_data.is_some());
    let elsewhere = context_with(&db, |settings| settings.reports.zone = "Asia/Kolkata".to_owned());
    let report_of_there = make_report(&elsewhere, daily(yesterday())).await.unwrap();
    for (section, key) in [("feed", "pages"), ("recommendations", "followed_share")] {
        let figure = report_of_there.figure(section, key).unwrap();
        assert!(figure.value.is_none() && figure.no_data.is_some(), "{figure:?}");
    }
    assert_eq!(report.value("uploads", "searchable_p50"), Some(Amount::Real(0.25)));
    assert_eq!(report.value("uploads", "searchable_p95"), Some(Amount::Real(0.5)));
}

#[tokio::test]
async fn longer_reports_hold_the_shorter_ones_and_cohorts_tell_who_came_back() {
    let db = TestDb::new().await;
    community(&db).await;
    let context = context(&db);
    let week = Period::containing(ReportKind::Weekly, yesterday() - Days::new(7));
    // Three who registered in the second last week before the week's end; one of them comes back in the last.
    let registered = week.first() - Days::new(4);
    let back = week.first() + Days::new(2);
    db.execute(&format!(
        "INSERT INTO users (id, username, email, password, created_at) VALUES
           (11, 'a', 'a@example.org', 'x', '{registered} 12:00:00'), (12, 'b', 'b@example.org', 'x', '{registered} 12:00:00'),
           (13, 'c', 'c@example.org', 'x', '{registered} 12:00:00');
         INSERT INTO user_follows (follower_id, following_id, created_at) VALUES (11, 1, '{back} 08:00:00');
         INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES (1, 12, '{registered} 13:00:00')"
    ))
    .await;
    let weekly = make_report(&context, week).await.unwrap();
    assert!(weekly.checks.iter().all(|check| check.holds), "{:?}", weekly.checks);
    let figure = weekly.figure("retention", "second_week").unwrap();
    assert_eq!(figure.value, Some(Amount::Real(1.0 / 3.0)));
    let cohorts = weekly.table("retention", "cohorts").unwrap();
    let last = cohorts.rows.last().unwrap();
    assert_eq!(
        (last.values[0], last.values[1]),
        (Some(Amount::Whole(3)), Some(Amount::Real(1.0 / 3.0)))
    );
    assert!(
        last.values[2..].iter().all(Option::is_none),
        "weeks that are not over have no number"
    );
    // A week is the sum of its days.
    let mut views = 0;
    for day in week.days() {
        views += whole(&make_report(&context, daily(day)).await.unwrap(), "attention", "views");
    }
    assert_eq!(whole(&weekly, "attention", "views"), views);
    let series = &weekly
        .sections
        .iter()
        .find(|section| section.key == "attention")
        .unwrap()
        .series;
    assert_eq!(series[0].points.len(), 7);
    assert_eq!(series[0].points.iter().filter_map(|point| point.value).sum::<u64>(), views);
    let month = Period::containing(ReportKind::Monthly, yesterday()).previous();
    let monthly = make_report(&context, month).await.unwrap();
    assert!(monthly.checks.iter().all(|check| check.holds), "{:?}", monthly.checks);
    assert!(
        monthly.figure("jobs", "dead_letters").unwrap().no_data.is_some(),
        "now says nothing of a month long past"
    );
}

#[tokio::test]
async fn days_are_those_of_the_configured_zone_and_what_they_cannot_be_summed_from_is_no_data() {
    let db = TestDb::new().await;
    community(&db).await;
    let tokyo = context_with(&db, |settings| settings.reports.zone = "Asia/Tokyo".to_owned());
    // 23:10 in UTC is past eight the next morning in Tokyo, where that day is not over yet.
    let report = make_report(&tokyo, daily(yesterday())).await.unwrap();
    assert_eq!(report.zone, "Asia/Tokyo");
    assert_eq!(
        report.starts_at,
        "2026-01-01T15:00:00Z"
            .parse::<DateTime<Utc>>()
            .unwrap()
            .with_day_of(yesterday().pred_opt().unwrap())
    );
    assert_eq!(whole(&report, "attention", "downloads"), 3);
    assert!(report.checks.iter().all(|check| check.holds), "{:?}", report.checks);
    let kolkata = context_with(&db, |settings| settings.reports.zone = "Asia/Kolkata".to_owned());
    let report = make_report(&kolkata, daily(yesterday())).await.unwrap();
    let views = report.figure("attention", "views").unwrap();
    assert!(views.value.is_none() && views.no_data.as_deref().unwrap().contains("time zone"));
    assert_eq!(
        whole(&report, "uploads", "uploads"),
        4,
        "what is not rolled up by hours is there"
    );
}

#[tokio::test]
async fn what_was_dropped_with_old_events_is_no_data() {
    let db = TestDb::new().await;
    community(&db).await;
    db.execute(&format!(
        "INSERT INTO event_archives (table_name, month, ends_at, parts, rows_archived, state)
         VALUES ('workflow_views', '2020-01-01', '{} 00:00:00', 1, 1, 'dropped')",
        yesterday() - Days::new(10)
    ))
    .await;
    let report = make_report(&context(&db), daily(yesterday())).await.unwrap();
    assert_eq!(whole(&report, "people", "weekly_active"), 4);
    for (section, key) in [
        ("people", "monthly_active"),
        ("people", "stickiness"),
        ("retention", "second_week"),
    ] {
        let figure = report.figure(section, key).unwrap();
        assert!(
            figure.value.is_none() && figure.no_data.as_deref().unwrap().contains("dropped"),
            "{figure:?}"
        );
    }
    // Nor does a line go on at nought where nothing is known.
    let series = report.sections.iter().flat_map(|section| &section.series);
    let active = series.clone().find(|series| series.key == "active_by_day").unwrap();
    let dropped = yesterday() - Days::new(10);
    for point in &active.points {
        assert_eq!(point.value.is_some(), point.day >= dropped, "{point:?}");
    }
}

/// Puts a time of day on another day.
trait WithDay {
    fn with_day_of(self, day: NaiveDate) -> Self;
}

impl WithDay for DateTime<Utc> {
    fn with_day_of(self, day: NaiveDate) -> Self {
        day.and_time(self.time()).and_utc()
    }
}

#[tokio::test]
async fn nothing_that_people_wrote_is_markup_or_a_formula() {
    let db = TestDb::new().await;
    community(&db).await;
    db.execute(&format!(
        "UPDATE workflows SET genre = '<img src=x onerror=alert(1)>' WHERE id = 1; UPDATE workflow_tags SET name = '@SUM(A1)' WHERE id = 1;
         UPDATE searches SET text = '+1&<b>' WHERE query_id = '03'; UPDATE workflows SET parse_error_code = '-2+3' WHERE id = 4;
         UPDATE users SET username = '</style><svg onload=x>' WHERE id = 1; UPDATE workflows SET title = '{}' WHERE id = 3",
        HOSTILE.replace('\'', "''")
    ))
    .await;
    let context = context(&db);
    let period = daily(yesterday());
    make_report(&context, period).await.unwrap();
    let mut connection = db.pool().acquire().await.unwrap();
    let file = async |connection: &mut store::Conn, format: &str| {
        report::file(connection, ReportKind::Daily, &period.to_string(), format)
            .await
            .unwrap()
            .unwrap()
    };
    let html = String::from_utf8(file(&mut connection, "html").await).unwrap();
    for markup in [
        "<script",
        "<img",
        "<b>",
        "<svg onload",
        "</style><svg",
        "http-equiv",
        "@import",
        "url(",
    ] {
        assert!(!html.contains(markup), "`{markup}` is in the page");
    }
    assert!(html.contains("&#60;script&#62;alert(1)"), "it is shown as text");
    assert_eq!(html.matches("<svg ").count(), html.matches("</svg>").count());
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    let csv = String::from_utf8(file(&mut connection, "csv").await).unwrap();
    for cell in csv.lines().flat_map(|line| line.split(',')) {
        let text = cell.trim_matches('"');
        let is_number = text.parse::<f64>().is_ok();
        assert!(is_number || !text.starts_with(['=', '+', '-', '@']), "`{cell}` is a formula");
    }
    for text in ["'=HYPERLINK", "'@SUM(A1)", "'+1&<b>", "'-2+3"] {
        assert!(csv.contains(text), "`{text}` is not in {csv}");
    }
    // Parquet has the same numbers, typed, and texts as they were written.
    let frame = ParquetReader::new(Cursor::new(file(&mut connection, "parquet").await))
        .finish()
        .unwrap();
    assert_eq!(frame.height() + 1, csv_records(&csv));
    let items = frame.column("item").unwrap().str().unwrap().clone();
    let place = items.iter().position(|item| item == Some("downloads")).unwrap();
    assert_eq!(frame.column("value").unwrap().f64().unwrap().get(place), Some(4.0));
    assert_eq!(frame.column("before").unwrap().f64().unwrap().get(place), Some(1.0));
    let mut rows = frame.column("row").unwrap().str().unwrap().iter();
    assert!(rows.any(|row| row == Some(HOSTILE)));
}

/// Records of a CSV without line breaks in cells.
fn csv_records(csv: &str) -> usize {
    csv.lines().count()
}

#[tokio::test]
async fn counts_that_drifted_are_mended_at_night_and_the_report_says_so() {
    let db = TestDb::new().await;
    community(&db).await;
    // Behind the triggers' backs; the last workflow and tag lie far away from the others.
    db.execute(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES (900000, 5, 'Far', 'far', 'instrument', '');
         INSERT INTO workflow_tags (id, name, usage_count) VALUES (70000, 'far', 9);
         UPDATE users SET followers_count = 7 WHERE id = 2; UPDATE workflows SET likes_count = 5, updated_at = updated_at WHERE id = 3;
         UPDATE workflows SET downloads_count = 77, updated_at = updated_at WHERE id = 900000",
    )
    .await;
    let context = context(&db);
    let run = jobs::reconcile(&context, 2).await.unwrap();
    assert_eq!(run.repaired(), 4);
    assert_eq!(
        (run.users, run.workflows, run.tags, run.comments, run.collections),
        (1, 2, 1, 0, 0)
    );
    assert_eq!(run.compared, 5 + 7 + 3);
    assert_eq!(db.integer("SELECT likes_count FROM workflows WHERE id = 3").await, 1);
    assert_eq!(db.integer("SELECT downloads_count FROM workflows WHERE id = 900000").await, 0);
    let mut connection = db.pool().acquire().await.unwrap();
    enqueue(&mut connection, &ReconcileCounts {}, None).await.unwrap();
    drop(connection);
    assert_eq!(run_pending_jobs(&context).await.unwrap().failed, 0);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM recounts WHERE ended_at IS NOT NULL").await,
        2
    );
    assert_eq!(
        db.integer("SELECT CAST(users + workflows + tags AS SIGNED) FROM recounts ORDER BY id DESC LIMIT 1")
            .await,
        0
    );
    db.execute(&format!("UPDATE recounts SET started_at = started_at - INTERVAL {} HOUR", 24))
        .await;
    let report = make_report(&context, daily(yesterday())).await.unwrap();
    assert_eq!(whole(&report, "counts", "reconciliations"), 2);
    assert_eq!(whole(&report, "counts", "repaired"), 4);
    let told = "Counts of 4 rows were wrong and have been mended.".to_owned();
    assert!(report.highlights.contains(&told), "{:?}", report.highlights);
}

#[tokio::test]
async fn a_day_unlike_the_same_weekday_before_is_called_out() {
    let db = TestDb::new().await;
    community(&db).await;
    let day = yesterday();
    // A year of accounts, some each week; then many.
    let mut id = 100;
    let mut sql = format!(
        "UPDATE users SET created_at = '{} 00:00:00' WHERE id = 1;",
        day - TimeDelta::days(300)
    );
    for week in 0..9 {
        for _ in 0..if week == 0 { 40 } else { 6 + week % 3 } {
            id += 1;
            let on = day - Days::new(7 * week);
            sql += &format!(
                "INSERT INTO users (id, username, email, password, created_at) VALUES ({id}, 'u{id}', 'u{id}@example.org', 'x', '{on} 09:00:00');"
            );
        }
    }
    db.execute(&sql).await;
    let report = make_report(&context(&db), daily(day)).await.unwrap();
    let weekday = day.format("%A, %-d %B");
    let told = report.highlights.iter().find(|words| words.contains("new accounts")).unwrap();
    assert!(
        told.starts_with(&format!(
            "{weekday}: 41 new accounts, far more than usual. On the 8 {}s before",
            day.format("%A")
        )),
        "{told}"
    );
}
