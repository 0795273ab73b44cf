//! The job queue's rows: enqueue in the caller's transaction, work them off, look at them.
//!
//! A job is added on the connection of the row that it is about, so both commit or neither does. Whoever enqueues need not know how
//! a job is done, so the payloads live here and `jobs` does them. [`work`] is what workers need, [`inspect`] what operators need.
//!
//! **A row's life.** `Pending` until its `run_at` has come and a worker takes it, then `Running`; from there `Done`, or `Pending` again
//! with a later `run_at` after a failure that may heal, or `Killed`: a dead letter, which stays until somebody retries it.
//! (The states are apalis' own; it knows `Queued` and `Failed` too, which this queue does not use.)
//!
//! **Idempotency keys.** A key holds off its like only while its job waits to be started for the first time. Once a worker has taken
//! the job, it may already have read the row that has since changed, so the same key then makes a new job. That the two may overlap
//! is harmless, since every job may run twice or at once.

mod enqueue;
pub mod inspect;
mod payload;
mod stuck;
pub mod work;

pub use enqueue::{Options, enqueue, enqueue_on, enqueue_with};
pub use payload::{
    ComputeRecommendations, ComputeTrending, DeleteAccount, ExtendPartitions, ForgetAddresses, JobPayload, MakeReport, ParseRack,
    PruneFeeds, PruneIndexLog, PruneJobs, PruneSearchLog, PruneTraces, ReconcileCounts, RepairCounts, ReportChannel,
    RetireEvents, RollUp, SendMail, SendReport, SweepFiles, SweepPending, TendFeeds,
};
pub use stuck::{forget_dead_parses, stuck_workflows};

/// Longest idempotency key, in bytes: the width of the column.
pub const MAX_KEY_BYTES: usize = 191;
