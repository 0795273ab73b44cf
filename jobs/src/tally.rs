//! Counting events: the part of rolling up that knows no database.
//!
//! Events come some at a time and are put together with polars: of repeated views and downloads one is kept. So memory is that of what is
//! different within a span (36 bytes each) and of one batch, however often somebody reloads a page.

use std::collections::HashMap;

use polars::prelude::*;
use store::WorkflowId;
use store::stats::{Counts, EventKind, Events, UNKNOWN};

/// Within it, an actor's views of a workflow are one view, and downloads one download: reloading a page is not interest. Divides an
/// hour, so that no window belongs to two hours. (COUNTER's code of practice has 30 seconds for double clicks.)
const WINDOW_S: i64 = 1800;

/// Seconds of an hour.
pub const HOUR_S: i64 = 3600;

/// What happened within a span of time, each thing once.
#[derive(Debug, Default)]
pub struct Tally {
    kept: Vec<DataFrame>,
    /// Rows that were different when they were last put together.
    different: usize,
    /// Events added.
    events: usize,
}

impl Tally {
    /// Adds events.
    ///
    /// # Errors
    /// polars refused.
    pub fn add(&mut self, events: Events) -> PolarsResult<()> {
        // What is never the same as another has a window of its own, below all real ones.
        let first = self.events;
        self.events += events.kind.len();
        self.kept.push(different(frame(events, first)?)?);
        let rows: usize = self.kept.iter().map(DataFrame::height).sum();
        // Each row is put together with others a few times at most.
        if rows > 2 * self.different + (1 << 20) {
            self.put_together()?;
        }
        Ok(())
    }

    /// How many events were added.
    pub fn events(&self) -> usize {
        self.events
    }

    fn put_together(&mut self) -> PolarsResult<()> {
        let mut frames = std::mem::take(&mut self.kept).into_iter();
        let Some(mut all) = frames.next() else { return Ok(()) };
        for frame in frames {
            all.vstack_mut(&frame)?;
        }
        let all = different(all)?;
        self.different = all.height();
        self.kept.push(all);
        Ok(())
    }

    /// Counts by workflow and hour, the hour in hours since 1970; in order of both.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_hour(&mut self) -> PolarsResult<Vec<(i64, WorkflowId, Counts)>> {
        self.put_together()?;
        let Some(frame) = self.kept.first() else {
            return Ok(Vec::new());
        };
        let counted = count(frame.clone(), &["hour", "workflow"])?;
        let hours = counted.column("hour")?.i64()?.into_no_null_iter().collect::<Vec<_>>();
        Ok(hours
            .into_iter()
            .zip(rows(&counted, "workflow")?)
            .map(|(hour, (workflow, counts))| (hour, WorkflowId(workflow), counts))
            .collect())
    }

    /// Counts by workflow, in order.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_workflow(&mut self) -> PolarsResult<Vec<(WorkflowId, Counts)>> {
        self.put_together()?;
        let Some(frame) = self.kept.first() else {
            return Ok(Vec::new());
        };
        let counted = count(frame.clone(), &["workflow"])?;
        Ok(rows(&counted, "workflow")?
            .into_iter()
            .map(|(workflow, counts)| (WorkflowId(workflow), counts))
            .collect())
    }

    /// Counts by label, in order: an event counts once for each label of its workflow, an actor once for each label.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_label(&mut self, labels: &HashMap<WorkflowId, Vec<String>>) -> PolarsResult<Vec<(String, Counts)>> {
        self.put_together()?;
        let Some(frame) = self.kept.first() else {
            return Ok(Vec::new());
        };
        let mut names: Vec<&str> = labels.values().flatten().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let (mut workflows, mut numbers) = (Vec::new(), Vec::new());
        for (workflow, labels) in labels {
            for label in labels {
                workflows.push(workflow.0);
                numbers.push(names.partition_point(|name| *name < label.as_str()) as u64);
            }
        }
        let labelled = DataFrame::new(
            workflows.len(),
            vec![
                Column::new("workflow".into(), workflows),
                Column::new("label".into(), numbers),
            ],
        )?;
        let frame = frame
            .clone()
            .lazy()
            .join(
                labelled.lazy(),
                [col("workflow")],
                [col("workflow")],
                JoinArgs::new(JoinType::Inner),
            )
            .collect()?;
        let counted = count(frame, &["label"])?;
        Ok(rows(&counted, "label")?
            .into_iter()
            .map(|(number, counts)| (names[number as usize].to_owned(), counts))
            .collect())
    }
}

/// Events as a frame, with the window that each belongs to.
fn frame(events: Events, first: usize) -> PolarsResult<DataFrame> {
    let window: Vec<i64> = (first as i64..)
        .zip(events.kind.iter().zip(&events.at_s))
        .map(|(position, (kind, at))| {
            let repeats = *kind == EventKind::View as u32 || *kind == EventKind::Download as u32;
            if repeats { at.div_euclid(WINDOW_S) } else { -1 - position }
        })
        .collect();
    let hour: Vec<i64> = events.at_s.iter().map(|at| at.div_euclid(HOUR_S)).collect();
    DataFrame::new(
        hour.len(),
        vec![
            Column::new("kind".into(), events.kind),
            Column::new("workflow".into(), events.workflow),
            Column::new("actor".into(), events.actor),
            Column::new("window".into(), window),
            Column::new("hour".into(), hour),
        ],
    )
}

/// One row for an actor's views of a workflow in a window, and for their downloads; all else as it is.
fn different(frame: DataFrame) -> PolarsResult<DataFrame> {
    frame
        .lazy()
        .group_by([col("kind"), col("workflow"), col("actor"), col("window"), col("hour")])
        .agg([])
        .collect()
}

/// Counts of different events, in order of `by`, so that concurrent writers meet rows in the same one.
fn count(frame: DataFrame, by: &[&str]) -> PolarsResult<DataFrame> {
    let of = |kind: EventKind| col("kind").eq(lit(kind as u32));
    let number = |kind: EventKind, name: &str| of(kind).sum().cast(DataType::UInt32).alias(name);
    let actors = |kind: EventKind, name: &str| {
        col("actor")
            .filter(of(kind).and(col("actor").lt(lit(UNKNOWN))))
            .n_unique()
            .cast(DataType::UInt32)
            .alias(name)
    };
    frame
        .lazy()
        .group_by(by.iter().map(|name| col(*name)).collect::<Vec<_>>())
        .agg([
            number(EventKind::View, "views"),
            actors(EventKind::View, "unique_viewers"),
            number(EventKind::Download, "downloads"),
            actors(EventKind::Download, "unique_downloaders"),
            number(EventKind::Like, "likes"),
            number(EventKind::Comment, "comments"),
            number(EventKind::Rating, "ratings"),
            number(EventKind::CollectionAdd, "collection_adds"),
        ])
        .sort(by.to_vec(), SortMultipleOptions::default())
        .collect()
}

/// The rows of [`count`], each with the number that it is of.
fn rows(frame: &DataFrame, of: &str) -> PolarsResult<Vec<(u64, Counts)>> {
    let numbers = |name: &str| -> PolarsResult<Vec<u32>> { Ok(frame.column(name)?.u32()?.into_no_null_iter().collect()) };
    let views = numbers("views")?;
    let unique_viewers = numbers("unique_viewers")?;
    let downloads = numbers("downloads")?;
    let unique_downloaders = numbers("unique_downloaders")?;
    let likes = numbers("likes")?;
    let comments = numbers("comments")?;
    let ratings = numbers("ratings")?;
    let collection_adds = numbers("collection_adds")?;
    Ok(frame
        .column(of)?
        .u64()?
        .into_no_null_iter()
        .enumerate()
        .map(|(row, of)| {
            let counts = Counts {
                views: views[row],
                unique_viewers: unique_viewers[row],
                downloads: downloads[row],
                unique_downloaders: unique_downloaders[row],
                likes: likes[row],
                comments: comments[row],
                ratings: ratings[row],
                collection_adds: collection_adds[row],
            };
            (of, counts)
        })
        .collect())
}
