//! One file a resource: its handlers, and the form in which it is sent.

pub(crate) mod collections;
pub(crate) mod comments;
pub(crate) mod feed;
pub(crate) mod feed_stream;
pub(crate) mod follows;
pub(crate) mod health;
pub(crate) mod likes;
pub(crate) mod publication;
pub(crate) mod ratings;
pub(crate) mod search;
pub(crate) mod search_events;
pub(crate) mod similar;
pub(crate) mod suggest;
pub(crate) mod tags;
pub(crate) mod trending;
pub(crate) mod views;
pub(crate) mod workflow;
pub(crate) mod workflow_file;
pub(crate) mod workflow_metadata;
pub(crate) mod workflow_rack;
pub(crate) mod workflows;
