//! All jobs, in one list.

use std::time::Duration;

use store::queue::{
    ComputeRecommendations, ComputeTrending, DeleteAccount, ExtendPartitions, ForgetAddresses, MakeReport, ParseRack, PruneFeeds,
    PruneIndexLog, PruneJobs, PruneSearchLog, PruneTraces, ReconcileCounts, RepairCounts, RetireEvents, RollUp, SendMail,
    SendReport, SweepFiles, SweepPending, TendFeeds,
};

use crate::{
    Context, Job, compute_recommendations, compute_trending, delete_account, extend_partitions, forget_addresses, make_report,
    parse_rack, prune_feeds, prune_index_log, prune_jobs, prune_search_log, prune_traces, reconcile_counts, repair_counts,
    retire_events, roll_up, send_mail, send_report, sweep_files, sweep_pending, tend_feeds,
};

/// For a job that goes through all files, on whatever store they are, or through all events.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Mails on their way at once: each waits for a server somewhere.
const MAILS_AT_ONCE: usize = 4;

/// Every job that any worker process does. A job of one node alone, such as building its index, is done by that process
/// (see [`crate::run_index`]).
pub fn all(context: &Context) -> Vec<Job> {
    vec![
        Job::new::<ParseRack, _, _>(parse_rack::run).at_once(parse_concurrency(context)),
        Job::new::<SweepPending, _, _>(sweep_pending::run),
        Job::new::<RepairCounts, _, _>(repair_counts::run),
        Job::new::<SweepFiles, _, _>(sweep_files::run).at_most(AN_HOUR),
        Job::new::<PruneJobs, _, _>(prune_jobs::run),
        Job::new::<PruneIndexLog, _, _>(prune_index_log::run),
        Job::new::<ForgetAddresses, _, _>(forget_addresses::run).at_most(AN_HOUR),
        Job::new::<PruneSearchLog, _, _>(prune_search_log::run).at_most(AN_HOUR),
        Job::new::<ExtendPartitions, _, _>(extend_partitions::run).at_most(AN_HOUR),
        Job::new::<RollUp, _, _>(roll_up::run).at_most(AN_HOUR),
        Job::new::<TendFeeds, _, _>(tend_feeds::run),
        Job::new::<PruneFeeds, _, _>(prune_feeds::run).at_most(AN_HOUR),
        Job::new::<RetireEvents, _, _>(retire_events::run).at_most(AN_HOUR),
        Job::new::<ComputeTrending, _, _>(compute_trending::run).at_most(AN_HOUR),
        Job::new::<ComputeRecommendations, _, _>(compute_recommendations::run).at_most(AN_HOUR),
        Job::new::<SendMail, _, _>(send_mail::run).at_once(MAILS_AT_ONCE),
        Job::new::<DeleteAccount, _, _>(delete_account::run).at_most(AN_HOUR),
        Job::new::<PruneTraces, _, _>(prune_traces::run),
        Job::new::<ReconcileCounts, _, _>(reconcile_counts::run).at_most(AN_HOUR),
        Job::new::<MakeReport, _, _>(make_report::run).at_most(AN_HOUR),
        Job::new::<SendReport, _, _>(send_report::run),
    ]
}

/// Two per core unless configured: one parses while the other waits for the database.
fn parse_concurrency(context: &Context) -> usize {
    match context.settings.jobs.parse_concurrency {
        0 => 2 * std::thread::available_parallelism().map_or(1, usize::from),
        configured => configured,
    }
}
