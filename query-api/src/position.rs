//! Positions in the log of changes: a write says where it is, and a search can wait until it is there.

use axum::http::{HeaderMap, HeaderName};

/// Header of a write's answer: the position for `wait_for` of a search that must show the write.
const INDEX_POSITION: HeaderName = HeaderName::from_static("index-position");

/// The header of a position.
pub(crate) fn index_position(position: u64) -> HeaderMap {
    HeaderMap::from_iter([(INDEX_POSITION, position.into())])
}
