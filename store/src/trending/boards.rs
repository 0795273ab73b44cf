//! The boards as readers have them: in this process, else in Redis, else in MySQL.
//!
//! A generation never changes, so a board is kept under its generation and never wrong; which generation is current is asked of MySQL,
//! at most every [`ASK_EVERY`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{BoardLine, CreatorLine, Generation, Span, board, creator_board, current};
use crate::cache::{Cache, Key};
use crate::{Db, StoreError};

/// How long an answer about the current generation is good for.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How long Redis keeps a board: some generations, which are made every minute.
const KEEP: Duration = Duration::from_secs(300);

/// A list of workflows.
pub type Board = Lines<BoardLine>;

/// A list of creators.
pub type CreatorBoard = Lines<CreatorLine>;

/// All lines of a generation and span, the highest score first.
#[derive(Clone, Debug)]
pub struct Lines<T> {
    /// Of which generation.
    pub generation: Generation,
    /// In order of the score and the id, both descending.
    pub lines: Arc<[T]>,
}

/// Reads boards. Clones share what they read.
#[derive(Clone, Debug)]
pub struct Boards {
    cache: Cache,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    current: Option<(Instant, Option<Generation>)>,
    workflows: HashMap<Span, Board>,
    creators: HashMap<Span, CreatorBoard>,
}

impl Boards {
    /// Boards that nobody has read yet.
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            kept: Arc::default(),
        }
    }

    /// The current board of workflows; none before the first generation. Who comes while it is read waits for it.
    ///
    /// # Errors
    /// The database refused.
    pub async fn workflows(&self, db: &Db, span: Span) -> Result<Option<Board>, StoreError> {
        let mut kept = self.kept.lock().await;
        let Some(generation) = kept.generation(db).await? else {
            return Ok(None);
        };
        let read = async || board(&mut *db.acquire().await?, generation.id, span).await;
        let key = Key::TrendingWorkflows { generation, span };
        self.read(&mut kept.workflows, generation, &key, span, read).await.map(Some)
    }

    /// The current board of creators; none before the first generation.
    ///
    /// # Errors
    /// The database refused.
    pub async fn creators(&self, db: &Db, span: Span) -> Result<Option<CreatorBoard>, StoreError> {
        let mut kept = self.kept.lock().await;
        let Some(generation) = kept.generation(db).await? else {
            return Ok(None);
        };
        let read = async || creator_board(&mut *db.acquire().await?, generation.id, span).await;
        let key = Key::TrendingCreators { generation, span };
        self.read(&mut kept.creators, generation, &key, span, read).await.map(Some)
    }

    /// What is kept here, else in Redis, else what is `read`, which both keep then.
    async fn read<T, R>(
        &self,
        kept: &mut HashMap<Span, Lines<T>>,
        generation: Generation,
        key: &Key,
        span: Span,
        read: impl FnOnce() -> R,
    ) -> Result<Lines<T>, StoreError>
    where
        T: Clone + Serialize + DeserializeOwned,
        R: Future<Output = Result<Vec<T>, StoreError>>,
    {
        if let Some(lines) = kept.get(&span).filter(|lines| lines.generation == generation) {
            return Ok(lines.clone());
        }
        let lines = match self.cache.get(key).await {
            Some(lines) => lines,
            None => {
                let lines: Vec<T> = read().await?;
                self.cache.put(key, &lines, KEEP).await;
                lines
            }
        };
        let lines = Lines {
            generation,
            lines: lines.into(),
        };
        kept.insert(span, lines.clone());
        Ok(lines)
    }
}

impl Kept {
    async fn generation(&mut self, db: &Db) -> Result<Option<Generation>, StoreError> {
        if let Some((asked, generation)) = self.current
            && asked.elapsed() < ASK_EVERY
        {
            return Ok(generation);
        }
        let generation = current(&mut *db.acquire().await?).await?;
        self.current = Some((Instant::now(), generation));
        Ok(generation)
    }
}
