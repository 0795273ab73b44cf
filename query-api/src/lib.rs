//! The only door: HTTP and JSON.
//!
//! [`router()`] is the table of contents. A handler's extractors are its policy; what it does is in `store`, `ingest` and `indexer`.
//! This crate alone knows HTTP.

mod accounts;
mod change;
mod client;
mod context;
mod detached;
mod document;
mod error;
mod extract;
mod facades;
mod handlers;
mod idempotency;
mod limit;
pub mod measures;
mod observe;
mod optional_neighbours;
mod passwords;
mod position;
mod recommender;
pub mod rights;
mod router;
mod search_log;
mod server;
mod stall_guard;
mod streams;
mod text;
mod transaction;
mod usage;
mod visitor;

pub use context::ApiContext;
pub use error::{ApiError, Cause, FieldError, Problem};
pub use extract::{Admin, MaybeSignedIn, SignedIn};
pub use router::{openapi, router};
pub use server::serve;
