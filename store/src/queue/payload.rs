//! What jobs are about.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::WorkflowId;

/// What a job is about: ids, never content, so that a job that runs late sees the row as it is then.
pub trait JobPayload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the job and of its queue, written into rows: never to be changed, and not the Rust type's.
    const QUEUE: &'static str;

    /// Key under which its like may wait only once, when it is enqueued without another key. None: any number may wait.
    fn key(&self) -> Option<String> {
        None
    }
}

/// Parse the stored file of a workflow and record what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseRack {
    /// Whose file.
    pub workflow_id: WorkflowId,
}

impl JobPayload for ParseRack {
    const QUEUE: &'static str = "parse-rack";

    /// One waiting parse a workflow. `stuck_workflows` finds a workflow's parse by this key.
    fn key(&self) -> Option<String> {
        Some(format!("workflow:{}", self.workflow_id))
    }
}

/// Declares payloads without content: the job looks for its own work.
macro_rules! scheduled {
    ($($(#[$doc:meta])* $name:ident = $queue:literal,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {}

            impl JobPayload for $name {
                const QUEUE: &'static str = $queue;

                /// One waits at most: the second would find nothing left to do.
                fn key(&self) -> Option<String> {
                    Some("all".to_owned())
                }
            }
        )*
    };
}

scheduled! {
    /// Enqueue a parse of every workflow that was left pending.
    SweepPending = "sweep-pending",
    /// Apply the repairs of counts that triggers noted.
    RepairCounts = "repair-counts",
    /// Remove stored files that no row names.
    SweepFiles = "sweep-files",
    /// Forget from where old views and downloads came.
    ForgetAddresses = "forget-addresses",
    /// Delete finished jobs that are old, and workers long gone.
    PruneJobs = "prune-jobs",
    /// Shorten the log of changes to what a follower may still need.
    PruneIndexLog = "prune-index-log",
    /// Make the partitions of coming months.
    ExtendPartitions = "extend-partitions",
    /// Roll up the days on which something changed.
    RollUp = "roll-up",
    /// Keep feeds in step with what people do.
    TendFeeds = "tend-feeds",
    /// Forget the feeds of people who are not here any more.
    PruneFeeds = "prune-feeds",
    /// Compute what trends.
    ComputeTrending = "compute-trending",
    /// Delete what was searched long ago.
    PruneSearchLog = "prune-search-log",
}
