//! All jobs, in one list.

use store::queue::ParseRack;

use crate::{Context, Job, parse_rack};

/// Every job that any worker process does. A job of one node alone, such as building its index, is added by that process
/// (see [`crate::Workers::with`]).
pub fn all(context: &Context) -> Vec<Job> {
    vec![Job::new::<ParseRack, _, _>(parse_rack::run).at_once(parse_concurrency(context))]
}

/// Parsing is bound by the processor, so more at once than cores gains nothing.
fn parse_concurrency(context: &Context) -> usize {
    match context.settings.jobs.parse_concurrency {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        configured => configured,
    }
}
