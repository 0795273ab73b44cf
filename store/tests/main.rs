//! Tests of the schema and of `store` against a real server, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod migrating;
