//! `audit_log`: what admins did to whom and why. Rows are only ever added.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError, UserId, WorkflowId};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A workflow was chosen to be shown first.
    Feature,
    /// It is no longer.
    Unfeature,
    /// A workflow was hidden from everybody but its author.
    TakeDown,
    /// It is shown again.
    Restore,
    /// A user was shut out, and what is theirs hidden.
    Suspend,
    /// They may come back.
    Unsuspend,
    /// A user is who they say they are.
    Verify,
    /// That is no longer said.
    Unverify,
    /// A user became an admin.
    GrantAdmin,
    /// They are no longer.
    RevokeAdmin,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Feature,
        Self::Unfeature,
        Self::TakeDown,
        Self::Restore,
        Self::Suspend,
        Self::Unsuspend,
        Self::Verify,
        Self::Unverify,
        Self::GrantAdmin,
        Self::RevokeAdmin,
    ];

    /// Its name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Unfeature => "unfeature",
            Self::TakeDown => "take_down",
            Self::Restore => "restore",
            Self::Suspend => "suspend",
            Self::Unsuspend => "unsuspend",
            Self::Verify => "verify",
            Self::Unverify => "unverify",
            Self::GrantAdmin => "grant_admin",
            Self::RevokeAdmin => "revoke_admin",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// To what it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A workflow.
    Workflow(WorkflowId),
}

impl Subject {
    fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Workflow(_) => "workflow",
        }
    }

    fn id(self) -> u64 {
        match self {
            Self::User(id) => id.0,
            Self::Workflow(id) => id.0,
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id; higher is later, but for those that were added at the same time.
    pub id: u64,
    /// Who; `None` for whoever used the command line.
    pub actor_id: Option<UserId>,
    /// Handle of whoever it was, while they are there.
    pub actor: Option<String>,
    /// What was done.
    pub action: String,
    /// `user` or `workflow`.
    pub subject_kind: String,
    /// Which.
    pub subject_id: u64,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Adds an entry, in the transaction of what it tells of.
///
/// # Errors
/// The database refused.
pub async fn record(
    db: &mut Conn,
    actor: Option<UserId>,
    action: Action,
    subject: Subject,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO audit_log (actor_id, action, subject_kind, subject_id, reason) VALUES (?, ?, ?, ?, ?)",
        actor,
        action.name(),
        subject.kind(),
        subject.id(),
        reason
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Entries, newest first, before one.
///
/// # Errors
/// The database refused.
pub async fn list(db: &mut Conn, before: Option<u64>, limit: u32) -> Result<Vec<Entry>, StoreError> {
    Ok(sqlx::query_as!(
        Entry,
        r#"
        SELECT a.id, a.actor_id AS "actor_id: UserId", u.username AS "actor?", a.action, a.subject_kind AS "subject_kind: String", a.subject_id, a.reason,
               a.created_at
        FROM audit_log a LEFT JOIN users u ON u.id = a.actor_id
        WHERE a.id < ?
        ORDER BY a.id DESC
        LIMIT ?
        "#,
        before.unwrap_or(u64::MAX),
        limit
    )
    .fetch_all(db)
    .await?)
}
