//! How the community and the machinery are right now, for admins.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use store::queue::inspect::{self, Status};
use store::report::sources::{self, Between, Sums};
use store::{index_log, index_node, schedule, search_log};
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::Admin;
use crate::measures;

/// Dead letters that are shown.
const DEAD_SHOWN: u32 = 20;

/// What happened in the last 24 hours, and how things are now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// The moment of the answer. Counts are of the 24 hours before it; those of views, downloads and reactions of the 24 last whole hours of
    /// UTC and the current one, as far as they are rolled up.
    as_of: DateTime<Utc>,
    /// Accounts made.
    new_accounts: u64,
    /// Accounts that did something.
    active_accounts: u64,
    /// Uploads, and what became of them.
    uploads: Uploads,
    /// Views.
    views: u64,
    /// Downloads.
    downloads: u64,
    /// Likes, comments, ratings and additions to collections.
    reactions: u64,
    /// Searches.
    searches: u64,
    /// Of those, searches that found nothing.
    searches_without_hits: u64,
    /// Jobs that failed for good.
    dead_letters: u64,
    /// Jobs that could run and wait, by queue; empty when nothing waits.
    waiting: Vec<WaitingQueue>,
    /// Processes that take jobs.
    nodes: Vec<String>,
    /// Processes that answer searches.
    indexes: Vec<IndexState>,
}

/// What became of uploads.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
struct Uploads {
    /// All.
    total: u64,
    /// Parsed.
    parsed: u64,
    /// Could not be parsed.
    failed: u64,
    /// Not parsed yet.
    pending: u64,
    /// Without a file.
    no_file: u64,
}

/// A queue in which jobs wait.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct WaitingQueue {
    /// Its name.
    queue: String,
    /// Jobs that could run now.
    jobs: u64,
    /// Seconds that the first of them has waited.
    oldest_s: f64,
}

/// A search index.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct IndexState {
    /// Its process.
    node: String,
    /// Whether it gave a sign of life in the last half a minute.
    is_live: bool,
    /// Documents in it.
    documents: u64,
    /// Positions in the log of changes that it has not made durable yet.
    lag: u64,
}

/// Get an overview
#[utoipa::path(
    get, path = "/v1/admin/overview", tag = "admin",
    responses((status = 200, body = Overview), (status = 401, body = Problem), (status = 403, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn get_overview(State(context): State<ApiContext>, _admin: Admin) -> Result<Json<Overview>, ApiError> {
    let as_of = Utc::now();
    let day = Between {
        from: as_of - TimeDelta::hours(24),
        to: as_of,
    };
    let mut db = context.connection().await?;
    let mut active_accounts = 0;
    sources::active_users(&mut db, day, |_| active_accounts += 1).await?;
    let mut uploads = Uploads::default();
    for fate in sources::fates(&mut db, day).await? {
        uploads.total += fate.count;
        match fate.state.as_str() {
            "parsed" => uploads.parsed += fate.count,
            "failed" => uploads.failed += fate.count,
            "pending" => uploads.pending += fate.count,
            _ => uploads.no_file += fate.count,
        }
    }
    let mut sums = Sums::default();
    for (_, hour) in sources::sums_by_hour(&mut db, day).await? {
        sums.add(hour);
    }
    let searches = search_log::by_day(&mut db, day.from, day.to).await?;
    let end = index_log::end(&mut db).await?;
    let jobs = &context.settings.jobs;
    let workers = inspect::live_workers(&mut db, Duration::from_secs(jobs.dead_after_s)).await?;
    let mut nodes: Vec<String> = workers.into_iter().map(|worker| worker.node).collect();
    nodes.sort();
    nodes.dedup();
    Ok(Json(Overview {
        as_of,
        new_accounts: sources::registrations_by_quarter(&mut db, day)
            .await?
            .iter()
            .map(|(_, count)| count)
            .sum(),
        active_accounts,
        uploads,
        views: sums.views,
        downloads: sums.downloads,
        reactions: sums.reactions(),
        searches: searches.iter().map(|day| day.searches).sum(),
        searches_without_hits: searches.iter().map(|day| day.without_hits).sum(),
        dead_letters: sources::dead_letters(&mut db).await?,
        waiting: waiting(sources::waiting_jobs(&mut db).await?),
        nodes,
        indexes: index_node::all(&mut db)
            .await?
            .into_iter()
            .map(|node| IndexState {
                is_live: node.is_live,
                documents: node.documents,
                lag: end.saturating_sub(node.position),
                node: node.node,
            })
            .collect(),
    }))
}

fn waiting(queues: Vec<sources::WaitingJobs>) -> Vec<WaitingQueue> {
    let queues = queues.into_iter().map(|queue| WaitingQueue {
        queue: queue.queue,
        jobs: queue.jobs,
        oldest_s: queue.oldest_s,
    });
    queues.collect()
}

/// The timetable and the queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JobsOverview {
    /// Everything that happens at a time.
    timetable: Vec<TimetableLine>,
    /// Jobs that wait or run, and dead letters, by queue.
    queues: Vec<QueueCount>,
    /// Jobs that could run and wait, by queue.
    waiting: Vec<WaitingQueue>,
    /// The newest dead letters.
    dead: Vec<DeadLetter>,
}

/// One line of the timetable.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct TimetableLine {
    /// Its name.
    #[schema(example = "report-daily")]
    name: String,
    /// Its times: second minute hour day-of-month month day-of-week.
    #[schema(example = "0 0 6 * * *")]
    times: String,
    /// The time zone that they are in.
    #[schema(example = "UTC")]
    zone: String,
    /// When it last fired, or was first known.
    last_fired_at: DateTime<Utc>,
    /// When it is due next; null where it is due all the time and passes without a trace when there is nothing to do.
    next_at: Option<DateTime<Utc>>,
}

/// How many jobs of a queue stand where.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct QueueCount {
    /// The queue.
    queue: String,
    /// `pending`, `running` or `dead`.
    status: &'static str,
    /// How many.
    jobs: i64,
}

/// A job that failed for good.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct DeadLetter {
    /// Its id.
    id: String,
    /// Its queue.
    queue: String,
    /// Attempts made.
    attempts: u32,
    /// When it died.
    died_at: Option<DateTime<Utc>>,
    /// What went wrong at last.
    error: Option<String>,
}

/// Get the timetable and the queue
#[utoipa::path(
    get, path = "/v1/admin/jobs", tag = "admin",
    responses((status = 200, body = JobsOverview), (status = 401, body = Problem), (status = 403, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn get_jobs(State(context): State<ApiContext>, _admin: Admin) -> Result<Json<JobsOverview>, ApiError> {
    let mut db = context.connection().await?;
    let timetable = schedule::all(&mut db).await?;
    let dead = inspect::list(&mut db, None, Some(Status::Killed), DEAD_SHOWN).await?;
    Ok(Json(JobsOverview {
        timetable: timetable
            .into_iter()
            .map(|row| TimetableLine {
                name: row.name,
                times: row.expression,
                zone: row.zone,
                last_fired_at: row.last_fired_at,
                next_at: row.next_at,
            })
            .collect(),
        queues: inspect::open(&mut db)
            .await?
            .into_iter()
            .map(|count| QueueCount {
                queue: count.queue,
                status: measures::word(count.status),
                jobs: count.jobs,
            })
            .collect(),
        waiting: waiting(sources::waiting_jobs(&mut db).await?),
        dead: dead
            .into_iter()
            .map(|job| DeadLetter {
                id: job.id,
                queue: job.queue,
                attempts: job.attempts,
                died_at: job.done_at,
                error: job.error,
            })
            .collect(),
    }))
}

/// Get metrics
///
/// Of this process, and of the queue and the indexes as the database tells, in Prometheus' text format. The same without a token at
/// `metrics.listen`.
#[utoipa::path(
    get, path = "/v1/admin/metrics", tag = "admin",
    responses(
        (status = 200, content_type = "text/plain", body = String), (status = 401, body = Problem), (status = 403, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn get_metrics(State(context): State<ApiContext>, _admin: Admin) -> impl IntoResponse {
    let text = measures::render(&context.db).await;
    ([(header::CONTENT_TYPE, measures::CONTENT_TYPE)], text)
}
