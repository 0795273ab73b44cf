//! Rows, ids and queries; the job queue's SQL; wake-ups over Redis; files by hash.
//!
//! One table is one module. Functions take the connection first and never commit: the caller owns the transaction.
//! This crate alone names sqlx, redis and object_store. It knows nothing of HTTP, tantivy or the rack format.

pub mod activity;
pub mod audit;
pub mod block;
pub mod cache;
pub mod collection;
pub mod comment;
pub mod comment_like;
pub mod community;
pub mod count_repair;
pub mod counters;
pub mod db;
pub mod document;
mod error;
pub mod event;
pub mod event_archive;
pub mod event_retention;
pub mod event_writer;
pub mod feed;
pub mod files;
pub mod follow;
pub mod gaps;
pub mod health;
pub mod idempotent;
pub mod ids;
pub mod index_log;
pub mod index_node;
pub mod leaving;
pub mod like;
pub mod link;
pub mod login_attempt;
pub mod media;
pub mod migrate;
pub mod moderation;
pub mod musical_key;
pub mod parsed_rack;
pub mod partition;
pub mod profile;
pub mod queue;
pub mod rack_summary;
pub mod rate_limit;
pub mod rating;
pub mod recommendation;
pub mod recount;
pub mod registration;
pub mod report;
pub mod schedule;
pub mod search_log;
pub mod secret;
pub mod stat_totals;
pub mod stats;
pub mod tag;
pub mod token;
pub mod trending;
pub mod unnamed_files;
pub mod usage;
pub mod user;
pub mod wake;
pub mod webhook;
pub mod workflow;

pub use db::{Conn, Db};
pub use error::StoreError;
pub use ids::{CollectionId, CommentId, RegistrationId, TagId, TokenId, UserId, WorkflowId};
