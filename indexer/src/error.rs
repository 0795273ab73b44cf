//! What can go wrong with an index.

use std::path::PathBuf;

/// A request that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is no index yet: it is being built.
    #[error("the index is being built")]
    NotReady,
    /// A range of no known form.
    #[error("`{0}` is no range such as `120-130`, `120-`, `-130` or `120`")]
    BadRange(String),
    /// A cursor that no answer of this order contained.
    #[error("`{0}` is no cursor of this search")]
    BadCursor(String),
    /// More conditions than are worked out.
    #[error("there are more than {1} {0}")]
    TooComplex(&'static str, usize),
    /// The order needs a tempo to count from.
    #[error("the order `bpm_distance` needs a tempo to count from")]
    NoTempo,
    /// The rack that hits are to mix with is not visible, or has neither key nor tempo.
    #[error("the rack {0} has no key and no tempo that anything could mix with, or is not public")]
    NothingToMix(u64),
    /// It took longer than the request allows.
    #[error("the search took longer than allowed")]
    TimedOut,
    /// The index failed.
    #[error("index: {0}")]
    Index(#[from] tantivy::TantivyError),
    /// A stored card cannot be read.
    #[error("card: {0}")]
    Card(#[from] serde_json::Error),
}

/// An operation on an index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process has the folder.
    #[error("`{}` is used by another process", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("`{}`: {error}", .path.display())]
    Folder {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Tantivy failed.
    #[error("index: {0}")]
    Index(#[from] tantivy::TantivyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The index does not catch up with the log within a time that is long for it.
    #[error("the index is behind the log")]
    Behind,
    /// There is no index yet: it is being built.
    #[error("the index is being built")]
    NotReady,
    /// A thread that worked on the index ended early.
    #[error("a thread of the index ended early: {0}")]
    Thread(String),
}
