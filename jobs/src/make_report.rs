//! Make the reports that are due, or one.

use anyhow::Context as _;
use chrono::Utc;
use store::Conn;
use store::queue::{JobPayload, MakeReport, ReportChannel, SendReport, enqueue};
use store::report::{self, NewReport, Period, ReportKind};

use crate::report::{Calendar, Report, SHAPE, compute, csv, page, parquet};
use crate::{Context, permanent, roll_up};

/// Safe to repeat: a report is made from rows and put in the place of the one before. Of those that are due, none that is there is made again.
pub(crate) async fn run(context: Context, job: MakeReport) -> anyhow::Result<()> {
    let Some(period) = &job.period else {
        return enqueue_due(&context, job.report).await;
    };
    let period = Period::parse(job.report, period)
        .map_err(anyhow::Error::msg)
        .map_err(permanent)?;
    let is_there = {
        let mut db = context.db.acquire().await?;
        report::exists(&mut db, period.kind(), &period.to_string()).await?
    };
    if is_there && !job.again {
        return Ok(());
    }
    make_report(&context, period).await?;
    Ok(())
}

/// Puts the missing ones of the last periods in the queue, from the earliest report on: what came before it, nobody missed.
async fn enqueue_due(context: &Context, kind: ReportKind) -> anyhow::Result<()> {
    let mut transaction = context.db.begin().await?;
    let due = due(context, &mut transaction, kind).await?;
    for period in &due {
        enqueue(&mut transaction, &MakeReport::missing(*period), None).await?;
    }
    transaction.commit().await?;
    if !due.is_empty() {
        context.wake.notify(MakeReport::QUEUE);
        tracing::info!(report = %kind, periods = due.len(), "reports are due");
    }
    Ok(())
}

/// Periods without a report: the last one that is over, and of those before it as many as `reports.catch_up` says.
async fn due(context: &Context, db: &mut Conn, kind: ReportKind) -> anyhow::Result<Vec<Period>> {
    let settings = &context.settings.reports;
    let calendar = Calendar::of(&settings.zone).context("`reports.zone`").map_err(permanent)?;
    let earliest = report::earliest(db, kind).await?;
    let last = calendar.last_complete(kind, Utc::now());
    let mut due = Vec::new();
    let mut period = last;
    for _ in 0..settings.catch_up.max(1) {
        let was_expected = period == last || earliest.is_some_and(|earliest| earliest <= calendar.span(period).from);
        if was_expected && !report::exists(db, kind, &period.to_string()).await? {
            due.push(period);
        }
        period = period.previous();
    }
    // The earlier first, so that each finds the one that it compares with.
    due.reverse();
    Ok(due)
}

/// Makes a report and stores it in all its forms. One that was not there is sent, as far as is configured.
///
/// # Errors
/// The period is not over, or the database refused.
pub async fn make_report(context: &Context, period: Period) -> anyhow::Result<Report> {
    // What has happened by now is in: whoever rolls up at the same time waits for us, and we for them.
    roll_up::run(context.clone(), store::queue::RollUp {})
        .await
        .context("roll up")?;
    let report = compute(context, period).await?;
    let made = report.clone();
    let files = tokio::task::spawn_blocking(move || {
        Ok::<_, anyhow::Error>(vec![
            ("html", page(&made)?),
            ("csv", csv(&made)?),
            ("parquet", parquet(&made)?),
        ])
    })
    .await
    .context("write a report's forms")??;
    let row = NewReport {
        period,
        zone: report.zone.clone(),
        starts_at: report.starts_at,
        ends_at: report.ends_at,
        figures: serde_json::to_string(&report)?,
        shape: SHAPE,
        files,
    };
    let mut transaction = context.db.begin().await?;
    let is_new = report::put(&mut transaction, &row).await?;
    let channels = if is_new { channels(context) } else { Vec::new() };
    for channel in &channels {
        let job = SendReport {
            report: period.kind(),
            period: period.to_string(),
            channel: *channel,
        };
        enqueue(&mut transaction, &job, None).await?;
    }
    transaction.commit().await?;
    if !channels.is_empty() {
        context.wake.notify(SendReport::QUEUE);
    }
    Ok(report)
}

/// Where reports are to be sent.
fn channels(context: &Context) -> Vec<ReportChannel> {
    let settings = &context.settings.reports;
    let mut channels = Vec::new();
    if !settings.mail_to.is_empty() {
        channels.push(ReportChannel::Mail);
    }
    if !settings.webhook_url.is_empty() {
        channels.push(ReportChannel::Webhook);
    }
    channels
}
