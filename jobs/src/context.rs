//! What a job may use.

use std::sync::Arc;

use config::Settings;
use store::Db;
use store::feed::FeedCache;
use store::files::Files;
use store::wake::Wake;
use tokio::sync::Mutex;

use crate::compute_trending;

/// What every job is given. Clones share everything.
#[derive(Clone, Debug)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// All settings.
    pub settings: Arc<Settings>,
    /// The uploaded files.
    pub files: Files,
    /// Hints for whoever waits for a queue.
    pub wake: Wake,
    /// Feeds in Redis.
    pub feeds: FeedCache,
    /// Name of this process among the workers.
    pub node: Arc<str>,
    /// What was read of past days to compute what trends.
    pub trending: Arc<Mutex<compute_trending::State>>,
}

impl Context {
    /// Puts a context together; the node is named by `jobs.node`, or else after the host and this process.
    pub fn new(db: Db, files: Files, settings: Arc<Settings>, wake: Wake) -> Self {
        let node = node_name(&settings.jobs.node);
        let feeds = FeedCache::new(&settings.redis, &settings.feed);
        Self {
            db,
            files,
            settings,
            wake,
            feeds,
            node,
            trending: Arc::default(),
        }
    }
}

/// The configured name, or one from the host's name and the process id. Kept to what the column holds: 60 ASCII characters.
fn node_name(configured: &str) -> Arc<str> {
    let name = if configured.is_empty() {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "host" } else { host.trim() };
        format!("{host}-{}", std::process::id())
    } else {
        configured.to_owned()
    };
    name.chars()
        .filter(char::is_ascii_graphic)
        .take(60)
        .collect::<String>()
        .into()
}
