//! The index against a real database.

mod follow;
mod rebuild;
mod search;
mod support;
