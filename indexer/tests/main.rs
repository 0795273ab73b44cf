//! The index against a real database.

mod compare;
mod facets;
mod follow;
mod rebuild;
mod search;
mod support;
