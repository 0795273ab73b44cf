//! What jobs are about.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::{Period, ReportKind};
use crate::{RegistrationId, UserId, WorkflowId};

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

/// Send a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum SendMail {
    /// With the link that confirms a registration, or with the news that the address has an account already.
    Registration {
        /// Which registration.
        registration_id: RegistrationId,
    },
    /// With the link that sets a new password.
    PasswordReset {
        /// Whose.
        user_id: UserId,
        /// When it was asked for, in seconds since 1970: the link ends so long after it.
        asked_at_s: i64,
    },
    /// With the news that a password was changed.
    PasswordChanged {
        /// Whose.
        user_id: UserId,
    },
}

impl JobPayload for SendMail {
    const QUEUE: &'static str = "send-mail";

    /// One of each waits at most.
    fn key(&self) -> Option<String> {
        Some(match self {
            Self::Registration { registration_id } => format!("registration:{registration_id}"),
            Self::PasswordReset { user_id, .. } => format!("reset:{user_id}"),
            Self::PasswordChanged { user_id } => format!("changed:{user_id}"),
        })
    }
}

/// Delete all that is an account's, and the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteAccount {
    /// Whose; it must have left.
    pub user_id: UserId,
}

impl JobPayload for DeleteAccount {
    const QUEUE: &'static str = "delete-account";

    fn key(&self) -> Option<String> {
        Some(format!("user:{}", self.user_id))
    }
}

/// Make reports: those of a kind that are due, or one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeReport {
    /// Of which kind.
    pub report: ReportKind,
    /// Of which period, as it prints; none for all that are due.
    pub period: Option<String>,
    /// Whether one that is there already is made again.
    pub again: bool,
}

impl MakeReport {
    /// All of a kind that are due.
    pub fn due(report: ReportKind) -> Self {
        Self {
            report,
            period: None,
            again: false,
        }
    }

    /// One that is missing.
    pub fn missing(period: Period) -> Self {
        Self {
            report: period.kind(),
            period: Some(period.to_string()),
            again: false,
        }
    }

    /// One, whether it is there or not.
    pub fn again(period: Period) -> Self {
        Self {
            again: true,
            ..Self::missing(period)
        }
    }
}

impl JobPayload for MakeReport {
    const QUEUE: &'static str = "make-report";

    /// One of each waits at most.
    fn key(&self) -> Option<String> {
        let period = self.period.as_deref().unwrap_or("due");
        Some(format!(
            "{}:{period}:{}",
            self.report,
            if self.again { "again" } else { "missing" }
        ))
    }
}

/// Send a report to where the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendReport {
    /// Of which kind.
    pub report: ReportKind,
    /// Of which period, as it prints.
    pub period: String,
    /// How.
    pub channel: ReportChannel,
}

/// A way for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportChannel {
    /// To `reports.mail_to`.
    Mail,
    /// To `reports.webhook_url`.
    Webhook,
}

impl ReportChannel {
    /// Its name, in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportChannel::Mail => "mail",
            ReportChannel::Webhook => "webhook",
        }
    }
}

impl JobPayload for SendReport {
    const QUEUE: &'static str = "send-report";

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}:{}", self.report, self.period, self.channel.as_str()))
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
    /// Compute which workflows go together.
    ComputeRecommendations = "compute-recommendations",
    /// Compare all counts with the rows that they count, and mend what differs.
    ReconcileCounts = "reconcile-counts",
    /// Delete what was searched long ago.
    PruneSearchLog = "prune-search-log",
    /// Forget registrations that ended, attempts to log in and answers that need not be remembered.
    PruneTraces = "prune-traces",
    /// Archive and drop events that are not kept any longer.
    RetireEvents = "retire-events",
}
