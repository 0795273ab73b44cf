//! Comparing an index with the database, document by document, and mending what differs.
//!
//! Nothing should ever differ; this is how we would know. Memory: 16 bytes a document for ids and revisions, and one batch of rows.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use store::document::{ids_after, load};
use store::{Conn, Db, StoreError, WorkflowId};

use crate::build::blocking;
use crate::document::Entry;
use crate::search::Snapshot;
use crate::{Index, IndexError, RebuildReason};

/// Workflows compared at a time.
const BATCH: u32 = 1000;

/// How long the index may take to catch up with the log before a comparison.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Differences that are looked at again; an index with more is better built anew.
const MAX_DIFFERENCES: usize = 100_000;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Documents that there should be.
    pub documents: u64,
    /// Workflows without their document.
    pub missing: Vec<WorkflowId>,
    /// Documents that say something else than their workflow, or are there twice.
    pub stale: Vec<WorkflowId>,
    /// Documents without a workflow that may be shown.
    pub surplus: Vec<WorkflowId>,
    /// Files whose content is not what was written. The index is then to be built anew.
    pub damaged_files: usize,
}

impl Comparison {
    /// How many documents differ.
    pub fn differences(&self) -> usize {
        self.missing.len() + self.stale.len() + self.surplus.len()
    }
}

impl Index {
    /// Compares with the database. What differs, and still does after the index has caught up with the log once more, is logged again, so
    /// that this and every other follower replaces its document. Repeating it is harmless.
    ///
    /// # Errors
    /// The database or the index failed, there is no index, or it does not catch up with the log.
    pub async fn compare(&self, db: &Db) -> Result<Comparison, IndexError> {
        let damaged_files = self.damaged_files().await?;
        if damaged_files > 0 {
            self.want_rebuild(RebuildReason::Broken);
        }
        let mut connection = db.acquire().await.map_err(StoreError::from)?;
        let (documents, suspects) = self.differences(&mut connection).await?;
        let mut found = Comparison {
            documents,
            damaged_files,
            ..Comparison::default()
        };
        if suspects.is_empty() {
            return Ok(found);
        }
        // Most are changes that happened while we compared.
        let revisions = self.revisions_after_catching_up(&mut connection).await?;
        for ids in suspects.chunks(BATCH as usize) {
            let expected = expected(&mut connection, ids).await?;
            for id in ids {
                match (expected.get(&id.0), revisions_of(&revisions, id.0)) {
                    (Some(_), []) => found.missing.push(*id),
                    (None, [_, ..]) => found.surplus.push(*id),
                    (Some(revision), [(_, own)]) if own == revision => {}
                    (None, []) => {}
                    (Some(_), _) => found.stale.push(*id),
                }
            }
        }
        let wrong = [&found.missing[..], &found.stale, &found.surplus].concat();
        store::index_log::log(&mut connection, &wrong).await?;
        Ok(found)
    }

    /// How many documents there should be, and which differ.
    async fn differences(&self, db: &mut Conn) -> Result<(u64, Vec<WorkflowId>), IndexError> {
        let revisions = self.revisions_after_catching_up(db).await?;
        let mut rest = &revisions[..];
        let mut documents = 0;
        let mut suspects = Vec::new();
        let mut last = WorkflowId(0);
        loop {
            let ids = ids_after(db, last, BATCH).await?;
            let up_to = ids.last().copied();
            let expected = expected(db, &ids).await?;
            documents += expected.len() as u64;
            // Documents of the same range of ids; after the last row, all that are left.
            let (own, after) = rest.split_at(up_to.map_or(rest.len(), |up_to| rest.partition_point(|(id, _)| *id <= up_to.0)));
            rest = after;
            let mut agreeing = HashSet::new();
            for (id, revision) in own {
                let agrees = expected.get(id) == Some(revision) && agreeing.insert(*id);
                if !agrees {
                    suspects.push(WorkflowId(*id));
                }
            }
            suspects.extend(
                expected
                    .keys()
                    .filter(|id| revisions_of(own, **id).is_empty())
                    .map(|id| WorkflowId(*id)),
            );
            if suspects.len() > MAX_DIFFERENCES {
                tracing::error!(
                    differences = suspects.len(),
                    "the index has little to do with the database, building it anew"
                );
                self.want_rebuild(RebuildReason::Broken);
                return Ok((documents, Vec::new()));
            }
            match up_to {
                Some(up_to) => last = up_to,
                None => break,
            }
        }
        suspects.sort_unstable();
        suspects.dedup();
        Ok((documents, suspects))
    }

    /// Ids and revisions of all documents in ascending order, once every change that is committed by now is applied.
    async fn revisions_after_catching_up(&self, db: &mut Conn) -> Result<Vec<(u64, u64)>, IndexError> {
        let end = store::index_log::end(db).await?;
        if !self.wait_for(end, CATCH_UP).await {
            return Err(IndexError::Behind);
        }
        let snapshot = self.snapshot().ok_or(IndexError::NotReady)?;
        blocking(move || Ok(revisions(&snapshot)?)).await
    }

    /// Files of the index whose checksum is wrong. That some are gone again, merged into others, is no damage.
    async fn damaged_files(&self) -> Result<usize, IndexError> {
        let snapshot = self.snapshot().ok_or(IndexError::NotReady)?;
        blocking(move || {
            Ok(snapshot
                .generation
                .index
                .validate_checksum()
                .map_or(0, |damaged| damaged.len()))
        })
        .await
    }
}

/// Revisions that the documents of these workflows should have; those that may not be shown have none.
async fn expected(db: &mut Conn, ids: &[WorkflowId]) -> Result<HashMap<u64, u64>, IndexError> {
    let rows = load(db, ids).await?;
    blocking(move || {
        Ok(rows
            .into_iter()
            .map(|row| (row.id.0, Entry::from_row(row).revision()))
            .collect())
    })
    .await
}

/// Ids and revisions of all documents, in ascending order.
fn revisions(snapshot: &Snapshot) -> tantivy::Result<Vec<(u64, u64)>> {
    let mut revisions = Vec::new();
    for reader in snapshot.searcher.segment_readers() {
        let ids = reader.fast_fields().u64("id")?;
        let own = reader.fast_fields().u64("revision")?;
        revisions.extend(
            reader
                .doc_ids_alive()
                .filter_map(|doc| Some((ids.first(doc)?, own.first(doc)?))),
        );
    }
    revisions.sort_unstable();
    Ok(revisions)
}

/// Those of one workflow.
fn revisions_of(revisions: &[(u64, u64)], id: u64) -> &[(u64, u64)] {
    let from = revisions.partition_point(|(other, _)| *other < id);
    let to = revisions.partition_point(|(other, _)| *other <= id);
    &revisions[from..to]
}
