//! Everything that happens later: the queue, the schedule, and each job.
//!
//! All jobs stand in one list ([`registry::all`]), all times in one schedule ([`schedule::all`]). A job is one file: a payload (in
//! `store::queue`) and a function that is safe to repeat, since every job may run twice, at once, or late.
//!
//! apalis runs them, on a queue in MySQL: [`backend`] is what lies between the two, and [`fn@run`] puts the workers together.

mod attempt;
pub mod backend;
mod backoff;
mod build_index;
mod compute_recommendations;
mod compute_trending;
mod context;
mod delete_account;
mod evaluate;
mod extend_partitions;
mod follow;
mod forget_addresses;
mod job;
mod make_report;
pub mod neighbours;
mod parse_rack;
mod poller;
mod prune_feeds;
mod prune_index_log;
mod prune_jobs;
mod prune_search_log;
mod prune_traces;
mod pulse;
mod reconcile_counts;
pub mod registry;
mod repair_counts;
pub mod report;
mod retire_events;
mod roll_up;
mod run;
pub mod schedule;
mod send_mail;
mod send_report;
mod sweep_files;
mod sweep_pending;
pub mod tally;
mod tend_feeds;
pub mod testing;
pub mod trending;

pub use compute_recommendations::compute_recommendations;
pub use compute_trending::{State as TrendingState, compute_trending};
pub use context::Context;
pub use evaluate::{Evaluation, Measured, Split, evaluate_ratings, evaluate_recommendations};
pub use follow::run_index;
pub use job::{Job, permanent};
pub use make_report::make_report;
pub use reconcile_counts::reconcile;
pub use report::calendar::span_of_days;
pub use retire_events::retire_events;
pub use roll_up::{CountBy, counts_between, roll_up_day, roll_up_days};
pub use run::{Workers, run};
