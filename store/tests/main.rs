//! Tests of the schema and of `store` against a real server, in one binary.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says why"
)]

mod adoption;
mod counts;
mod deletions;
mod events;
mod explained;
mod feeds;
mod files;
mod index_log_triggers;
mod interrupted;
mod keys_and_tempo;
mod lock_conflicts;
mod migrating;
mod mixed_writers;
mod partitions;
mod queue;
mod search_log;
mod tags;
mod tokens;
mod trending_boards;
mod wake;
