//! The same search behind two APIs that clients exist for: Meilisearch's search API and Algolia's queries API, read-only.
//!
//! Each is a thin layer: it reads its own requests into [`indexer::SearchRequest`]s, has all of one body answered in one pass over the
//! index, and writes its own answers. What is known of documents, attributes and index names is here once for both. We speak these
//! search APIs; we are neither of the two, and take no writes: MySQL is the truth.
//!
//! Keys are accepted and ignored, since everything here is public. Browsers may ask from any site.

use axum::http::header;
use axum::response::Response;

pub(crate) mod algolia;
mod attribute;
mod document;
mod index_name;
mod marks;
pub(crate) mod meilisearch;
mod query;

/// Whether an answer is an error that is not in a facade's own words.
fn other_words(response: &Response) -> bool {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error()) && kind.is_none_or(|kind| kind != "application/json")
}

/// An answer in place of another, with what that carries: limits, methods, and what is for the log.
fn in_place_of(response: Response, mut told: Response) -> Response {
    let (parts, _) = response.into_parts();
    for (name, value) in &parts.headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            told.headers_mut().insert(name.clone(), value.clone());
        }
    }
    told.extensions_mut().extend(parts.extensions);
    told
}
