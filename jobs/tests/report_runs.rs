//! That there is one report of each period, that missed ones are made up for, and how they are sent.

use std::time::Duration;

use chrono::{Days, NaiveDate, Utc};
use jobs::testing::run_pending_jobs;
use jobs::{Context, make_report};
use serde_json::Value;
use store::queue::{MakeReport, enqueue};
use store::report::{self, ReportKind};
use store::webhook;
use test_support::TestDb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::reports::{community, daily, yesterday};
use crate::support::context_with;

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_row_however_many_make_it_and_it_is_sent_for_the_first_only() {
    let db = TestDb::new().await;
    community(&db).await;
    let context = context_with(&db, |settings| {
        settings.reports.mail_to = vec!["admin@example.org".to_owned()]
    });
    let period = daily(yesterday());
    let made = (0..4).map(|_| {
        let context = context.clone();
        // One that loses a lock to another is tried again by the queue.
        tokio::spawn(async move { while make_report(&context, period).await.is_err() {} })
    });
    for made in made.collect::<Vec<_>>() {
        made.await.unwrap();
    }
    assert_eq!(db.integer("SELECT COUNT(*) FROM reports").await, 1);
    assert_eq!(db.integer("SELECT CAST(version AS SIGNED) FROM reports").await, 4);
    assert_eq!(db.integer("SELECT COUNT(*) FROM report_files").await, 3);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM queue_jobs WHERE queue = 'send-report'")
            .await,
        1
    );
}

async fn ask(context: &Context, job: &MakeReport) {
    let mut connection = context.db.acquire().await.unwrap();
    enqueue(&mut connection, job, None).await.unwrap();
    drop(connection);
    let ran = run_pending_jobs(context).await.unwrap();
    assert_eq!(ran.failed, 0);
}

async fn periods(context: &Context) -> Vec<NaiveDate> {
    let mut connection = context.db.acquire().await.unwrap();
    let rows = report::list(&mut connection, ReportKind::Daily, None, 100).await.unwrap();
    rows.into_iter().map(|row| row.period.parse().unwrap()).collect()
}

#[tokio::test]
async fn missed_periods_are_made_up_for_as_far_back_as_is_configured() {
    let db = TestDb::new().await;
    let context = context_with(&db, |settings| settings.reports.catch_up = 5);
    let last = yesterday();
    ask(&context, &MakeReport::due(ReportKind::Daily)).await;
    assert_eq!(
        periods(&context).await,
        [last],
        "what was before the first report, nobody missed"
    );
    // Nothing ran for nine days, once, and later a single one failed.
    db.execute(&format!(
        "DELETE FROM report_files; UPDATE reports SET period = '{0}', starts_at = '{0}', ends_at = '{1}'",
        last - Days::new(9),
        last - Days::new(8)
    ))
    .await;
    ask(&context, &MakeReport::due(ReportKind::Daily)).await;
    let mut expected: Vec<NaiveDate> = (0..5).map(|back| last - Days::new(back)).collect();
    expected.push(last - Days::new(9));
    assert_eq!(periods(&context).await, expected);
    db.execute(&format!("DELETE FROM reports WHERE period = '{}'", last - Days::new(2)))
        .await;
    ask(&context, &MakeReport::due(ReportKind::Daily)).await;
    assert_eq!(periods(&context).await, expected);
    assert_eq!(
        db.integer("SELECT CAST(SUM(version) AS SIGNED) FROM reports").await,
        6,
        "those that were there stayed as they were"
    );
    // One that is asked for is made anew; one that is not over is refused for good.
    ask(&context, &MakeReport::again(daily(last))).await;
    assert_eq!(db.integer("SELECT CAST(SUM(version) AS SIGNED) FROM reports").await, 7);
    let mut connection = context.db.acquire().await.unwrap();
    enqueue(&mut connection, &MakeReport::again(daily(last + Days::new(2))), None)
        .await
        .unwrap();
    drop(connection);
    assert_eq!(run_pending_jobs(&context).await.unwrap().failed, 1);
    assert_eq!(db.integer("SELECT COUNT(*) FROM queue_jobs WHERE status = 'Killed'").await, 1);
}

/// A receiver that answers the first call with 500 and the others with 204, and gives what it was sent.
async fn receiver(listener: TcpListener, calls: usize) -> Vec<String> {
    let mut received = Vec::new();
    for call in 0..calls {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            bytes.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(|length| length.parse::<usize>())
            });
            if length.is_some_and(|length| length.is_ok_and(|length| body.len() >= length)) {
                break;
            }
        }
        let status = if call == 0 {
            "500 Internal Server Error"
        } else {
            "204 No Content"
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        received.push(String::from_utf8(bytes).unwrap());
    }
    received
}

#[tokio::test]
async fn a_webhook_is_called_until_it_answers_well_with_one_id_and_a_signature() {
    let db = TestDb::new().await;
    community(&db).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    let context = context_with(&db, |settings| {
        settings.reports.webhook_url = config::Secret::new(format!("http://{address}/hook"));
        settings.reports.webhook_secret = config::Secret::new(secret);
        settings.jobs.backoff_base_ms = 1;
    });
    let receiver = tokio::spawn(receiver(listener, 2));
    let period = daily(yesterday());
    make_report(&context, period).await.unwrap();
    let mut failed = 0;
    while db.integer("SELECT COUNT(*) FROM report_deliveries").await == 0 {
        failed += run_pending_jobs(&context).await.unwrap().failed;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(failed, 1);
    let received = receiver.await.unwrap();
    for call in &received {
        let (head, body) = call.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let line = head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))
                .unwrap();
            line.split_once(':').unwrap().1.trim().to_owned()
        };
        assert!(head.starts_with("POST /hook HTTP/1.1"));
        let id = header("cookbook-event-id");
        assert_eq!(id, format!("report.daily.{period}"));
        let timestamp: i64 = header("cookbook-timestamp").parse().unwrap();
        assert!((Utc::now().timestamp() - timestamp).abs() < 60);
        assert_eq!(
            header("cookbook-signature"),
            webhook::signature(secret, &id, timestamp, body).unwrap()
        );
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["type"], &body["period"]),
            (&"report.made".into(), &period.to_string().into())
        );
        assert_eq!(body["figures"]["sections"].as_array().unwrap().len(), 11);
    }
    assert_eq!(received.len(), 2);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM report_deliveries WHERE channel = 'webhook'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_mail_carries_the_page_and_the_same_id_each_time() {
    let db = TestDb::new().await;
    community(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let context = context_with(&db, |settings| {
        settings.data.dir = folder.path().to_owned();
        settings.reports.mail_to = vec!["admin@example.org".to_owned(), "Second <second@example.org>".to_owned()];
    });
    let period = daily(yesterday());
    make_report(&context, period).await.unwrap();
    run_pending_jobs(&context).await.unwrap();
    db.execute("UPDATE queue_jobs SET status = 'Pending', run_at = UTC_TIMESTAMP(6) WHERE queue = 'send-report'")
        .await;
    run_pending_jobs(&context).await.unwrap();
    let mails: Vec<String> = std::fs::read_dir(folder.path().join("mail"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert!(
            mail.contains(&format!("Message-ID: <report.daily.{period}@localhost>")),
            "{mail}"
        );
        assert!(mail.contains("To: admin@example.org, Second <second@example.org>"));
        assert!(mail.contains(&format!("daily-{period}.html")));
        assert!(mail.contains("DOWNLOADS"));
    }
}
