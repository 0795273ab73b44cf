//! Open pages that are told of what is new: one look into the database serves all of this process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::feed::{Fresh, Key, News, who_follows};
use store::gaps::Position;
use store::{Db, StoreError, UserId};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between looks while pages are open.
const LOOK: Duration = Duration::from_millis(500);

/// Between looks after one failed.
const REST: Duration = Duration::from_secs(3);

/// Pieces of news that may wait for a slow client. Who has more is cut off, and told what they missed when they come back.
const WAITING: usize = 32;

/// Open pages of one person. A browser opens at most six connections to a server.
const PER_USER: usize = 5;

/// All open pages of this process. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    most: usize,
    stop: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Open>,
    next: u64,
    /// How far those who are open have been told. None while nobody is.
    position: Option<Position>,
    /// Whether somebody looks.
    is_looking: bool,
}

#[derive(Debug)]
struct Open {
    user: UserId,
    news: mpsc::Sender<Piece>,
}

/// What one look brought for one reader, and how far they are told with it.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) keys: Vec<Key>,
    pub(crate) position: Position,
}

/// An open page. It is closed by being dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    id: u64,
    streams: Streams,
    /// What comes; ends at shutdown, and for a client that is too slow.
    pub(crate) news: mpsc::Receiver<Piece>,
    /// From where on.
    pub(crate) position: Position,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        state.open.remove(&self.id);
        if state.open.is_empty() {
            state.position = None;
        }
    }
}

impl Streams {
    /// None yet, and at most this many.
    pub(crate) fn new(db: Db, most: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                db,
                most,
                stop: CancellationToken::new(),
                state: Mutex::default(),
            }),
        }
    }

    /// Ends all, and lets none begin.
    pub(crate) fn stop(&self) {
        self.shared.stop.cancel();
        self.state().open.clear();
    }

    /// Opens one. None when there are too many, or at shutdown.
    ///
    /// # Errors
    /// The database refused.
    pub(crate) async fn open(&self, user: UserId) -> Result<Option<Stream>, StoreError> {
        // Where to begin, should nobody be told yet: read before, and outside of the lock.
        let begin = if self.state().position.is_none() {
            Some(News::start(&mut *self.shared.db.acquire().await?).await?.position().clone())
        } else {
            None
        };
        let mut state = self.state();
        let own = state.open.values().filter(|open| open.user == user).count();
        if own >= PER_USER || state.open.len() >= self.shared.most || self.shared.stop.is_cancelled() {
            return Ok(None);
        }
        let Some(position) = state.position.clone().or(begin) else {
            // The last one closed this very moment: whoever comes back finds it begun anew.
            return Ok(None);
        };
        state.position = Some(position.clone());
        let (sender, news) = mpsc::channel(WAITING);
        let id = state.next;
        state.next += 1;
        state.open.insert(id, Open { user, news: sender });
        if !state.is_looking {
            state.is_looking = true;
            tokio::spawn(self.clone().look());
        }
        Ok(Some(Stream {
            id,
            streams: self.clone(),
            news,
            position,
        }))
    }

    /// How far those who are open have been told.
    pub(crate) fn position(&self) -> Option<Position> {
        self.state().position.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for news as long as a page is open.
    async fn look(self) {
        let mut news: Option<News> = None;
        loop {
            let rest = tokio::select! {
                () = self.shared.stop.cancelled() => return,
                looked = self.look_once(&mut news) => match looked {
                    Ok(()) => LOOK,
                    Err(error) => {
                        tracing::warn!(%error, "open feeds could not be told what is new, trying again");
                        REST
                    }
                },
            };
            sleep(rest).await;
            let mut state = self.state();
            if state.open.is_empty() {
                state.is_looking = false;
                state.position = None;
                return;
            }
        }
    }

    async fn look_once(&self, news: &mut Option<News>) -> Result<(), StoreError> {
        // Everybody left and others came meanwhile: they begin elsewhere.
        let Some(position) = self.state().position.clone() else {
            return Ok(());
        };
        let at = match news {
            Some(news) if *news.position() == position => news,
            other => other.insert(News::at(position.clone())),
        };
        let fresh = at.next(&self.shared.db).await?;
        let told = at.position().clone();
        let readers = self.readers_of(&fresh).await?;
        let mut state = self.state();
        if state.position.as_ref() != Some(&position) {
            return Ok(());
        }
        state.position = Some(told.clone());
        state.open.retain(|_, open| {
            // Who came while it was asked who follows whom is sent all: what they do not follow is not shown to them.
            let authors = readers.get(&open.user);
            let keys: Vec<Key> = fresh
                .iter()
                .filter(|one| authors.is_none_or(|authors| authors.contains(&one.author)))
                .map(|one| one.key)
                .collect();
            keys.is_empty()
                || open
                    .news
                    .try_send(Piece {
                        keys,
                        position: told.clone(),
                    })
                    .is_ok()
        });
        Ok(())
    }

    /// Which of the readers who are here follow which authors of what is new.
    async fn readers_of(&self, fresh: &[Fresh]) -> Result<BTreeMap<UserId, BTreeSet<UserId>>, StoreError> {
        let mut pairs: BTreeMap<UserId, BTreeSet<UserId>> = BTreeMap::new();
        if fresh.is_empty() {
            return Ok(pairs);
        }
        pairs.extend(self.state().open.values().map(|open| (open.user, BTreeSet::new())));
        let authors: BTreeSet<UserId> = fresh.iter().map(|one| one.author).collect();
        let (readers, authors): (Vec<_>, Vec<_>) = (pairs.keys().copied().collect(), authors.into_iter().collect());
        let mut db = self.shared.db.acquire().await?;
        for (reader, author) in who_follows(&mut db, &readers, &authors).await? {
            pairs.entry(reader).or_default().insert(author);
        }
        Ok(pairs)
    }
}
