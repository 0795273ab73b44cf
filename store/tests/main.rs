//! Tests of the schema and of `store` against a real server, in one binary.

mod migrating;
mod queue;
mod tags;
mod wake;
