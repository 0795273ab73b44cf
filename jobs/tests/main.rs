//! The queue and the jobs against a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempts;
mod gate;
mod guarantees;
mod recommendations;
mod report_runs;
mod reports;
mod retention;
mod rollups;
mod schedule;
mod support;
mod sweeps;
mod trending;
