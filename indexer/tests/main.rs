//! The index against a real database.

mod compare;
mod crash;
mod facets;
mod follow;
mod owned;
mod plain;
mod rebuild;
mod search;
mod similar;
mod suggest;
mod support;
mod text;
