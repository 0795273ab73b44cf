//! Metrics, in the form that Prometheus reads.
//!
//! Every part of the program counts with the `metrics` crate, whoever listens; this is who listens. What only the database knows – how
//! long queues are, how far indexes lag – is asked when somebody asks us, so that any process can tell.
//!
//! At `metrics.listen` they are told to whoever reaches that address: an operator's network, not the one that the API is on.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Router, routing};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use store::queue::inspect::{self, Status};
use store::report::sources;
use store::{Conn, Db, StoreError, index_log, index_node};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Type of the text format, version 0.0.4.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Longest wait for the database. Without it, the process' own numbers are told all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bounds of durations, in seconds: from a lookup in memory to a job of an hour.
const BUCKETS_S: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// Between clearings of what was counted and not asked for, which would fill memory.
const UPKEEP: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Labels of gauges that were set, so that a queue that is empty now says 0 and not what it had.
static QUEUES: Mutex<BTreeSet<(String, &'static str)>> = Mutex::new(BTreeSet::new());

/// Begins to listen to what is counted, once a process, and keeps it from filling memory. On a runtime. Where something else listens
/// already, nothing is to be told here.
pub fn install() {
    let handle = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS_S).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        let kept = handle.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                kept.run_upkeep();
            }
        });
        Some(handle)
    });
    if handle.is_none() {
        tracing::warn!("something else listens to the metrics of this process, so none are told");
    }
}

fn describe() {
    describe_counter!("cookbook_http_requests_total", "requests by route, method and status");
    describe_histogram!(
        "cookbook_http_request_seconds",
        Unit::Seconds,
        "time to the head of the answer"
    );
    describe_histogram!(
        "cookbook_search_seconds",
        Unit::Seconds,
        "time of a question to the index, with its wait for a core"
    );
    describe_counter!(
        "cookbook_searches_refused_total",
        "questions to the index that found no core in time"
    );
    describe_counter!(
        "cookbook_cache_total",
        "looks for lists of what trends in Redis, by result: hit, miss"
    );
    describe_counter!(
        "cookbook_jobs_total",
        "attempts at jobs by queue and outcome: done, failed, dead"
    );
    describe_histogram!("cookbook_job_seconds", Unit::Seconds, "time of an attempt at a job");
    describe_gauge!("cookbook_queue_jobs", "jobs in the queue by status: pending, running, dead");
    describe_gauge!(
        "cookbook_queue_oldest_seconds",
        Unit::Seconds,
        "wait of the first job that could run"
    );
    describe_gauge!(
        "cookbook_index_lag_changes",
        "positions in the log of changes that an index has not made durable"
    );
    describe_gauge!("cookbook_index_documents", "documents in an index");
}

/// Everything, as Prometheus reads it.
pub(crate) async fn render(db: &Db) -> String {
    let Some(handle) = HANDLE.get().and_then(Option::as_ref) else {
        return String::new();
    };
    let asked = async {
        let mut db = db.acquire().await.map_err(StoreError::from)?;
        ask(&mut db).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(())) => gauge!("cookbook_database_up").set(1.0),
        Ok(Err(_)) | Err(_) => gauge!("cookbook_database_up").set(0.0),
    }
    handle.render()
}

/// Sets what only the database knows.
async fn ask(db: &mut Conn) -> Result<(), StoreError> {
    let counts = inspect::open(&mut *db).await?;
    let waiting = sources::waiting_jobs(&mut *db).await?;
    let end = index_log::end(&mut *db).await?;
    let nodes = index_node::all(&mut *db).await?;
    let mut known = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    for (queue, status) in known.iter() {
        gauge!("cookbook_queue_jobs", "queue" => queue.clone(), "status" => *status).set(0.0);
        gauge!("cookbook_queue_oldest_seconds", "queue" => queue.clone()).set(0.0);
    }
    for count in counts {
        let status = word(count.status);
        known.insert((count.queue.clone(), status));
        gauge!("cookbook_queue_jobs", "queue" => count.queue, "status" => status).set(count.jobs as f64);
    }
    for queue in waiting {
        gauge!("cookbook_queue_oldest_seconds", "queue" => queue.queue).set(queue.oldest_s);
    }
    // One that has gone keeps its position: its lag grows, which is what somebody should be told.
    for node in nodes {
        let lag = end.saturating_sub(node.position);
        gauge!("cookbook_index_lag_changes", "node" => node.node.clone()).set(lag as f64);
        gauge!("cookbook_index_documents", "node" => node.node).set(node.documents as f64);
    }
    Ok(())
}

/// A job's status in an operator's words.
pub(crate) fn word(status: Status) -> &'static str {
    match status {
        Status::Pending | Status::Queued => "pending",
        Status::Running => "running",
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Killed => "dead",
    }
}

/// Answers `GET /metrics` until `shutdown`.
///
/// # Errors
/// The listener fails.
pub async fn serve(db: Db, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let app = Router::new().route("/metrics", routing::get(tell)).with_state(db);
    tracing::info!(address = %listener.local_addr()?, "metrics");
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

async fn tell(State(db): State<Db>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&db).await)
}
