//! Send a report: by mail, or to a webhook that knows by a signature that it comes from here.

use anyhow::{Context as _, bail};
use chrono::Utc;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use serde_json::json;
use store::queue::{ReportChannel, SendReport};
use store::report;
use store::webhook::{self, Hook};

use crate::report::{Report, text};
use crate::send_mail::deliver;
use crate::{Context, permanent};

/// Sent twice, it has the same id twice: mail programs and receivers that look at it show it once. What is sent is the report as it is then.
pub(crate) async fn run(context: Context, job: SendReport) -> anyhow::Result<()> {
    let mut db = context.db.acquire().await?;
    let Some(figures) = report::figures(&mut db, job.report, &job.period).await? else {
        return Ok(());
    };
    let page = report::file(&mut db, job.report, &job.period, "html").await?;
    drop(db);
    let id = format!("report.{}.{}", job.report, job.period);
    match job.channel {
        ReportChannel::Mail => {
            let report: Report = serde_json::from_str(&figures).context("the report").map_err(permanent)?;
            mail(&context, &report, page.unwrap_or_default(), &id).await?;
        }
        ReportChannel::Webhook => post(&context, &job, &figures, &id).await?,
    }
    let mut db = context.db.acquire().await?;
    report::delivered(&mut db, job.report, &job.period, job.channel.as_str(), &id).await?;
    Ok(())
}

/// One mail to all of `reports.mail_to`: the figures as text, and the page attached.
async fn mail(context: &Context, report: &Report, page: Vec<u8>, id: &str) -> anyhow::Result<()> {
    let settings = &context.settings;
    let from: Mailbox = settings.mail.from.parse().context("`mail.from`").map_err(permanent)?;
    let mut message = MessageBuilder::new()
        .from(from.clone())
        .subject(format!("Ableton Cookbook: {} report of {}", report.report, report.period))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())));
    for to in &settings.reports.mail_to {
        message = message.to(to.parse().context("`reports.mail_to`").map_err(permanent)?);
    }
    let link = format!(
        "{}/v1/admin/reports/{}/{}",
        settings.public_url(),
        report.report,
        report.period
    );
    let body = format!("{}\nAll of it: {link}\n", text(report));
    let html = ContentType::parse("text/html; charset=utf-8").context("a type")?;
    let parts = MultiPart::mixed()
        .singlepart(SinglePart::plain(body))
        .singlepart(Attachment::new(format!("{}-{}.html", report.report, report.period)).body(page, html));
    let message = message.multipart(parts).context("write the mail").map_err(permanent)?;
    deliver(context, message).await
}

async fn post(context: &Context, job: &SendReport, figures: &str, id: &str) -> anyhow::Result<()> {
    let settings = &context.settings.reports;
    if settings.webhook_url.is_empty() {
        return Ok(());
    }
    let figures: serde_json::Value = serde_json::from_str(figures).context("the report").map_err(permanent)?;
    let body =
        json!({"type": "report.made", "id": id, "report": job.report, "period": job.period, "figures": figures}).to_string();
    let hook = Hook {
        url: settings.webhook_url.expose(),
        secret: settings.webhook_secret.expose(),
        timeout: std::time::Duration::from_secs(settings.webhook_timeout_s),
    };
    let status = webhook::post(&hook, id, Utc::now(), body).await.context("call the webhook")?;
    if !(200..300).contains(&status) {
        bail!("the webhook answered {status}");
    }
    Ok(())
}
