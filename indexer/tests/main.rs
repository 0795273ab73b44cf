//! The index against a real database.

mod compare;
mod crash;
mod follow;
mod rebuild;
mod search;
mod similar;
mod support;
