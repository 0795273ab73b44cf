//! `workflow_views` and `workflow_downloads`: one row for each time that somebody looked at a workflow or fetched its file.
//!
//! Addresses come here as they are to be kept: hashed or cut short, never whole. An event that does not count is kept with the reason.
//! How many share one INSERT is [`crate::event_writer`]'s business.

use sqlx::{MySql, QueryBuilder};

use crate::{Conn, StoreError, UserId, WorkflowId};

/// Rows of the largest INSERT. Fewer are split into powers of two, so that a connection meets few different statements and keeps each
/// of them prepared.
pub(crate) const MAX_ROWS: usize = 512;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A page was looked at.
    View,
    /// The file was fetched.
    Download,
}

/// Why an event does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// The author's own.
    Own,
    /// By a program that looks at everything.
    Bot,
    /// The same actor did it a moment ago.
    Repeat,
}

impl Discount {
    /// As in `discount_reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Bot => "bot",
            Self::Repeat => "repeat",
        }
    }
}

/// Something that happened now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What.
    pub kind: EventKind,
    /// To which workflow.
    pub workflow: WorkflowId,
    /// By whom, where known.
    pub user: Option<UserId>,
    /// From where, as it is to be kept; at most 45 characters.
    pub address: Option<String>,
    /// From which network, hashed.
    pub network: Option<[u8; 16]>,
    /// In which session, as it is to be kept; at most 255 characters. Downloads have no column for it.
    pub session: Option<String>,
    /// Program that asked; kept of downloads.
    pub user_agent: Option<String>,
    /// Why it does not count, if that is known.
    pub discount: Option<Discount>,
}

/// Adds events in few statements: the views, then the downloads in the order of their workflows, which each locks.
///
/// # Errors
/// The database refused; [`StoreError::is_missing_parent`] when a workflow or user is gone.
pub(crate) async fn insert(db: &mut Conn, events: &[&NewEvent]) -> Result<(), StoreError> {
    let mut views: Vec<&NewEvent> = Vec::with_capacity(events.len());
    let mut downloads = Vec::new();
    for event in events {
        match event.kind {
            EventKind::View => views.push(event),
            EventKind::Download => downloads.push(*event),
        }
    }
    downloads.sort_by_key(|event| event.workflow);
    for group in powers_of_two(&views) {
        let head =
            "INSERT INTO workflow_views (workflow_id, user_id, ip_address, session_id, counted, discount_reason, network_hash) ";
        let mut statement = QueryBuilder::<MySql>::new(head);
        statement.push_values(group, |mut values, event| {
            values
                .push_bind(event.workflow)
                .push_bind(event.user)
                .push_bind(event.address.as_deref())
                .push_bind(event.session.as_deref())
                .push_bind(event.discount.is_none())
                .push_bind(event.discount.map(Discount::name))
                .push_bind(event.network.as_ref().map(|hash| &hash[..]));
        });
        statement.build().execute(&mut *db).await?;
    }
    for group in powers_of_two(&downloads) {
        let head = "INSERT INTO workflow_downloads (workflow_id, user_id, ip_address, user_agent, counted, discount_reason, network_hash) ";
        let mut statement = QueryBuilder::<MySql>::new(head);
        statement.push_values(group, |mut values, event| {
            values
                .push_bind(event.workflow)
                .push_bind(event.user)
                .push_bind(event.address.as_deref())
                .push_bind(event.user_agent.as_deref())
                .push_bind(event.discount.is_none())
                .push_bind(event.discount.map(Discount::name))
                .push_bind(event.network.as_ref().map(|hash| &hash[..]));
        });
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// How many INSERTs [`insert`] makes of so many events of one kind.
pub(crate) fn statements(rows: usize) -> usize {
    rows / MAX_ROWS + (rows % MAX_ROWS).count_ones() as usize
}

/// Splits rows into groups of [`MAX_ROWS`], then of ever smaller powers of two.
fn powers_of_two<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = if rows.len() >= MAX_ROWS {
            MAX_ROWS
        } else {
            1 << rows.len().checked_ilog2()?
        };
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

/// Which of these workflows are there.
///
/// # Errors
/// The database refused.
pub(crate) async fn existing_workflows(db: &mut Conn, ids: &[WorkflowId]) -> Result<Vec<WorkflowId>, StoreError> {
    let mut statement = QueryBuilder::<MySql>::new("SELECT id FROM workflows WHERE id IN (");
    let mut list = statement.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    statement.push(")");
    Ok(statement.build_query_scalar().persistent(false).fetch_all(db).await?)
}

/// Which of these users are there.
///
/// # Errors
/// The database refused.
pub(crate) async fn existing_users(db: &mut Conn, ids: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = QueryBuilder::<MySql>::new("SELECT id FROM users WHERE id IN (");
    let mut list = statement.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    statement.push(")");
    Ok(statement.build_query_scalar().persistent(false).fetch_all(db).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_few_sizes_and_none_is_lost() {
        for count in [0_usize, 1, 2, 3, 7, 8, 511, 512, 513, 1025, 1535] {
            let rows: Vec<usize> = (0..count).collect();
            let groups: Vec<&[usize]> = powers_of_two(&rows).collect();
            assert!(
                groups
                    .iter()
                    .all(|group| group.len().is_power_of_two() && group.len() <= MAX_ROWS)
            );
            assert_eq!(groups.concat(), rows);
            assert_eq!(groups.len(), statements(count), "of {count}");
        }
    }
}
