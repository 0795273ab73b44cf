//! The long-running parts of the program, put together: what `up`, `serve` and `work` have in common.
//!
//! A part waits out by itself what heals (a database that is away, say). One that ends all the same, although nobody asked it to, ends the
//! process with its error: half a program that looks whole would be worse than one that whoever keeps it starts again.

use std::sync::Arc;
use std::time::Duration;

use ::config::Settings;
use anyhow::{Context, Result, anyhow};
use indexer::Index;
use store::Db;
use store::files::Files;
use store::wake::Wake;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Time for all parts together to stop. They have grace times of their own, of 5 s by default; with the private servers, all must be over
/// in 10 s.
const STOP_WITHIN: Duration = Duration::from_millis(5500);

/// Time for the pool to close its connections at the end.
const CLOSE_WITHIN: Duration = Duration::from_millis(200);

/// Which parts this process has.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The API, and the follower of its index.
    pub api: Option<Api>,
    /// Workers and the scheduler.
    pub workers: bool,
}

/// What the API needs beside what all parts share.
#[derive(Debug)]
pub struct Api {
    /// Where it listens.
    pub listener: TcpListener,
    /// The index that it searches and that its follower keeps.
    pub index: Index,
}

/// What all parts work with.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The database.
    pub db: Db,
    /// Uploaded files.
    pub files: Files,
    /// Hints for whoever waits for a queue.
    pub wake: Wake,
    /// All settings.
    pub settings: Arc<Settings>,
}

impl Shared {
    /// Opens everything. The database need not be there yet: the parts wait for it, and search answers without it.
    ///
    /// # Errors
    /// A URL is malformed, or the file store cannot be opened.
    pub async fn open(settings: Settings) -> Result<Self> {
        let db = store::db::connect_lazy(&settings.database).context("`database.url`")?;
        let files = Files::open(&settings).context("open the file store")?;
        let wake = Wake::start(&settings.redis).context("`redis.url`")?;
        let settings = Arc::new(settings);
        Ok(Self {
            db,
            files,
            wake,
            settings,
        })
    }

    /// The search index of this process.
    ///
    /// # Errors
    /// Another process has its folder, or it cannot be used.
    pub fn open_index(&self) -> Result<Index> {
        let settings = &self.settings;
        let synonyms = config::Synonyms::load(&settings.search.synonyms).context("`search.synonyms`")?;
        Index::open_with(&settings.index_dir(), settings.index.writer_memory_bytes, &synonyms).context("open the search index")
    }

    /// For the API.
    fn for_api(&self, index: Index) -> Result<query_api::ApiContext> {
        let Self {
            db,
            files,
            wake,
            settings,
        } = self.clone();
        query_api::ApiContext::new(db, files, index, settings, wake).context("prepare the API")
    }

    /// For the workers.
    pub fn for_jobs(&self) -> jobs::Context {
        let Self {
            db,
            files,
            wake,
            settings,
        } = self.clone();
        jobs::Context::new(db, files, settings, wake)
    }
}

/// Listens on `http.listen`.
///
/// # Errors
/// The address is taken, or not of this machine.
pub async fn listen(settings: &Settings) -> Result<TcpListener> {
    let address = settings.http.listen;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on `{address}` (`http.listen`)"))
}

/// Listens on `metrics.listen`, if that is anything.
async fn listen_for_metrics(settings: &Settings) -> Result<Option<TcpListener>> {
    let address = &settings.metrics.listen;
    if address.is_empty() {
        return Ok(None);
    }
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on `{address}` (`metrics.listen`)"))?;
    Ok(Some(listener))
}

/// Runs the wanted parts until `stop`, or until one of them ends, which stops the others too.
///
/// # Errors
/// A part failed.
pub async fn run(shared: &Shared, wanted: Wanted, stop: CancellationToken) -> Result<()> {
    // Before anything is counted.
    query_api::measures::install();
    let mut parts = JoinSet::new();
    if let Some(Api { listener, index }) = wanted.api {
        let (context, stop) = (shared.for_api(index.clone())?, stop.clone());
        parts.spawn({
            let stop = stop.clone();
            async move {
                (
                    "the API",
                    query_api::serve(context, listener, stop).await.context("serve HTTP"),
                )
            }
        });
        let context = shared.for_jobs();
        parts.spawn(async move { ("the follower of the index", jobs::run_index(context, index, stop).await) });
    }
    if let Some(listener) = listen_for_metrics(&shared.settings).await? {
        let (db, stop) = (shared.db.clone(), stop.clone());
        parts.spawn(async move {
            (
                "the metrics",
                query_api::measures::serve(db, listener, stop).await.context("serve metrics"),
            )
        });
    }
    if wanted.workers {
        let (context, stop) = (shared.for_jobs(), stop.clone());
        parts.spawn(async move { ("the workers", jobs::run(context, stop).await) });
    }
    let mut failure = None;
    tokio::select! {
        ended = parts.join_next() => {
            if let Some(ended) = ended {
                failure = Some(ended_early(ended, &stop));
            }
            stop.cancel();
        }
        () = stop.cancelled() => {}
    }
    let finishing = async {
        while let Some(ended) = parts.join_next().await {
            if let Ok((part, Err(error))) = ended {
                error!("{part} stopped with an error: {error:#}");
            }
        }
    };
    if tokio::time::timeout(STOP_WITHIN, finishing).await.is_err() {
        warn!("parts that had not stopped in time were cut off");
        parts.abort_all();
    }
    // What was acknowledged is committed; closing only says goodbye.
    let _ = tokio::time::timeout(CLOSE_WITHIN, shared.db.close()).await;
    match failure {
        Some(Err(error)) => Err(error),
        _ => Ok(()),
    }
}

/// What it means that a part has ended: an error, unless all were stopping.
fn ended_early(ended: Result<(&'static str, Result<()>), tokio::task::JoinError>, stop: &CancellationToken) -> Result<()> {
    let (part, result) = ended.context("a part panicked")?;
    match result {
        Err(error) => Err(error.context(format!("{part} failed"))),
        Ok(()) if stop.is_cancelled() => Ok(()),
        Ok(()) => Err(anyhow!("{part} ended although nobody asked it to")),
    }
}
