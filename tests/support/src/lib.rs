//! What tests of several rooms need: a fresh database per test ([`TestDb`]), a part of Redis ([`redis_prefix`]), and the
//! corpus of real racks ([`corpus()`]).
//!
//! The servers are given by environment variables, which `script/test` sets. A test that needs one and finds none fails:
//! no test is skipped silently. Nothing here is part of the program, which is why this crate may name sqlx although it is not `store`.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed, and says so"
)]

mod corpus;
mod database;
mod shell;

pub use corpus::corpus;
pub use database::{TestDb, execute_on};
pub use shell::Shell;

/// URL of the Redis server for tests.
///
/// # Panics
/// `COOKBOOK_TEST_REDIS_URL` is not set.
pub fn redis_url() -> String {
    required("COOKBOOK_TEST_REDIS_URL")
}

/// A prefix for Redis keys and channels that no other test has.
pub fn redis_prefix() -> String {
    format!("test:{}:", ulid::Ulid::generate())
}

/// An environment variable that `script/test` sets.
fn required(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("`{name}` is not set: run the tests through `script/test`, which starts private servers and sets it"),
    }
}
