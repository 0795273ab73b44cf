//! Sums of the daily rows, for workflows and for what they have in common: author, genre, kind, tags, devices.
//!
//! They need no events, so they reach back to the first day, whatever was dropped since. Different actors cannot be summed:
//! `jobs::counts_between` counts them from events, as far back as those reach.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use crate::rack_summary::RackSummary;
use crate::{Conn, StoreError, WorkflowId};

/// Ids looked up by one statement.
const IDS: usize = 5000;

/// Sums over many days, without different actors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Views.
    pub views: u64,
    /// Downloads.
    pub downloads: u64,
    /// Likes.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// Ratings.
    pub ratings: u64,
    /// Additions to collections.
    pub collection_adds: u64,
}

impl std::ops::Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            views: self.views + other.views,
            downloads: self.downloads + other.downloads,
            likes: self.likes + other.likes,
            comments: self.comments + other.comments,
            ratings: self.ratings + other.ratings,
            collection_adds: self.collection_adds + other.collection_adds,
        }
    }
}

/// By what numbers of workflows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The author's handle.
    Author,
    /// Genre.
    Genre,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    Kind,
    /// Each tag.
    Tag,
    /// Each device in the rack.
    Device,
}

/// What happened to each workflow from one day to another, both included: sums of the daily rows, in order of ids. Without different actors,
/// who cannot be summed; `jobs::counts_between` counts them.
///
/// # Errors
/// The database refused.
pub async fn totals(db: &mut Conn, first: NaiveDate, last: NaiveDate) -> Result<Vec<(WorkflowId, Totals)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT workflow_id AS "workflow: WorkflowId",
             CAST(SUM(views) AS UNSIGNED) AS "views!: u64", CAST(SUM(downloads) AS UNSIGNED) AS "downloads!: u64",
             CAST(SUM(likes) AS UNSIGNED) AS "likes!: u64", CAST(SUM(comments) AS UNSIGNED) AS "comments!: u64",
             CAST(SUM(ratings) AS UNSIGNED) AS "ratings!: u64", CAST(SUM(collection_adds) AS UNSIGNED) AS "collection_adds!: u64"
           FROM workflow_stats_daily FORCE INDEX (PRIMARY) WHERE day >= ? AND day <= ? GROUP BY workflow_id
           ORDER BY workflow_id"#,
        first,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let totals = Totals {
                views: row.views,
                downloads: row.downloads,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                collection_adds: row.collection_adds,
            };
            (row.workflow, totals)
        })
        .collect())
}

/// As [`totals`], for each author, genre and so on. A workflow with several tags or devices adds to each of them.
///
/// # Errors
/// The database refused.
pub async fn totals_by(
    db: &mut Conn,
    by: Label,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<BTreeMap<String, Totals>, StoreError> {
    let totals = totals(&mut *db, first, last).await?;
    let workflows: Vec<WorkflowId> = totals.iter().map(|(workflow, _)| *workflow).collect();
    let labels = labels(db, by, &workflows).await?;
    let mut sums: BTreeMap<String, Totals> = BTreeMap::new();
    for (workflow, totals) in &totals {
        for label in labels.get(workflow).into_iter().flatten() {
            let sum = sums.entry(label.clone()).or_default();
            *sum = *sum + *totals;
        }
    }
    Ok(sums)
}

/// The labels of workflows, each once; one without any is not in the answer.
///
/// # Errors
/// The database refused.
pub async fn labels(db: &mut Conn, by: Label, workflows: &[WorkflowId]) -> Result<HashMap<WorkflowId, Vec<String>>, StoreError> {
    let mut labels: HashMap<WorkflowId, Vec<String>> = HashMap::new();
    for group in workflows.chunks(IDS) {
        let wanted = serde_json::to_string(group)?;
        if by == Label::Tag {
            let rows = sqlx::query!(
                r#"SELECT STRAIGHT_JOIN p.workflow_id AS "workflow: WorkflowId", t.name
                   FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
                   JOIN workflow_tag_pivot p FORCE INDEX (PRIMARY) ON p.workflow_id = wanted.id
                   JOIN workflow_tags t FORCE INDEX (PRIMARY) ON t.id = p.tag_id"#,
                wanted
            )
            .fetch_all(&mut *db)
            .await?;
            for row in rows {
                labels.entry(row.workflow).or_default().push(row.name);
            }
            continue;
        }
        let rows = sqlx::query!(
            r#"SELECT STRAIGHT_JOIN w.id AS "workflow: WorkflowId", u.username, w.genre,
                 COALESCE(CAST(w.kind AS CHAR), CAST(w.rack_type AS CHAR)) AS "kind!: String",
                 IF(?, CAST(p.summary AS CHAR), NULL) AS "summary: String"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
               JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
               JOIN users u FORCE INDEX (PRIMARY) ON u.id = w.user_id
               LEFT JOIN parsed_racks p FORCE INDEX (PRIMARY) ON p.workflow_id = w.id"#,
            by == Label::Device,
            wanted
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let of_this = match by {
                Label::Author => vec![row.username],
                Label::Genre => row.genre.into_iter().collect(),
                Label::Kind => vec![row.kind],
                Label::Tag | Label::Device => {
                    // One odd row must not stop a report.
                    let summary: Option<RackSummary> = row.summary.and_then(|text| serde_json::from_str(&text).ok());
                    summary.map(RackSummary::into_device_names).unwrap_or_default()
                }
            };
            if !of_this.is_empty() {
                labels.insert(row.workflow, of_this);
            }
        }
    }
    Ok(labels)
}
