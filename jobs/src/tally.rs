//! Counting events: the part of rolling up that knows no database.
//!
//! An actor's view (or download) of a workflow within half an hour is one number of 64 bits: workflow, kind, actor, half hour, in this
//! order. So repeats are equal numbers, and once sorted, all of one actor's acts on one workflow stand side by side: an actor is
//! different from those before exactly where workflow, kind or actor differs from the line above. polars then adds up what belongs to the
//! same workflow (and hour) by one number, where grouping by five columns and counting different actors took three times as long.
//!
//! Memory follows what is different within a span, however often somebody reloads a page: 8 bytes for each such act while events come, some
//! 30 more while they are counted, and what the actors' and workflows' numbers take.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use polars::prelude::*;
use store::stats::{Counts, EventKind, Events, UNKNOWN};
use store::{UserId, WorkflowId};

/// Within it, an actor's views of a workflow are one view, and downloads one download: reloading a page is not interest. Divides an
/// hour, so that no window belongs to two hours. (COUNTER's code of practice has 30 seconds for double clicks.)
const WINDOW_S: i64 = 1800;

/// Seconds of an hour.
pub const HOUR_S: i64 = 3600;

/// Windows of an hour.
const HOUR_WINDOWS: u64 = (HOUR_S / WINDOW_S) as u64;

/// Bits that tell a kind, in what is grouped by.
const KIND_BITS: u32 = 3;

/// Bits that tell a workflow or label, in what is grouped by. What is above them tells the hour.
const OF_BITS: u32 = 32;

/// What happened within a span of time, each thing once.
#[derive(Debug)]
pub struct Tally {
    layout: Layout,
    /// The number of the span's first window since 1970.
    first_window: i64,
    workflows: Numbers,
    actors: Numbers,
    /// Views and downloads by actors who can be told apart, as [`Layout`] packs them.
    acts: Vec<u64>,
    /// How many of `acts` were different when they were last put together.
    different: usize,
    /// What counts as often as it happens, by workflow, kind and hour: likes and the like, and acts of actors whom nobody knows.
    always: HashMap<(u32, EventKind, u64), u32>,
    /// Events added.
    events: usize,
}

impl Tally {
    /// Begins to count what happens from `from` on and before `to`.
    pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        // Of a whole hour, in a zone off the hour too.
        let first_window = from.timestamp().div_euclid(HOUR_S) * HOUR_WINDOWS as i64;
        // The last second's, as `to` itself is out.
        let windows = (to.timestamp() - 1).div_euclid(WINDOW_S) - first_window + 1;
        Self {
            layout: Layout::of_windows(u64::try_from(windows).unwrap_or(1)),
            first_window,
            workflows: Numbers::default(),
            actors: Numbers::default(),
            acts: Vec::new(),
            different: 0,
            always: HashMap::new(),
            events: 0,
        }
    }

    /// Adds events.
    ///
    /// # Errors
    /// An event before the span, or more workflows or actors than can be told apart: 67 million workflows in a day, a million in ten years.
    pub fn add(&mut self, events: Events) -> Result<()> {
        self.events += events.kind.len();
        for (((kind, workflow), at_s), actor) in events
            .kind
            .into_iter()
            .zip(events.workflow)
            .zip(events.at_s)
            .zip(events.actor)
        {
            let kind = EventKind::from_number(i64::from(kind)).context("a kind of event that nobody knows")?;
            let window = at_s.div_euclid(WINDOW_S) - self.first_window;
            let window = u64::try_from(window).context("an event before what is counted")?;
            let workflow = self.workflows.number(workflow);
            if matches!(kind, EventKind::View | EventKind::Download) && actor < UNKNOWN {
                let actor = self.actors.number(actor);
                let act = self.layout.pack(workflow, kind, actor, window);
                self.acts
                    .push(act.context("more than can be counted at once: ask for a shorter time")?);
            } else {
                *self.always.entry((workflow, kind, window / HOUR_WINDOWS)).or_default() += 1;
            }
        }
        // Each is put together with others a few times at most.
        if self.acts.len() > 2 * self.different + (1 << 20) {
            self.put_together();
        }
        Ok(())
    }

    /// The workflows that something happened to.
    pub fn workflows(&self) -> Vec<WorkflowId> {
        self.workflows.ids.iter().map(|id| WorkflowId(*id)).collect()
    }

    /// Leaves out views and downloads by authors of their own, and what happened to workflows that have no author, being gone.
    pub fn leave_out_authors(&mut self, authors: &HashMap<WorkflowId, UserId>) {
        let authors: Vec<Option<u64>> = self
            .workflows
            .ids
            .iter()
            .map(|id| authors.get(&WorkflowId(*id)).map(|author| author.0))
            .collect();
        let (layout, actors) = (self.layout, &self.actors.ids);
        self.acts.retain(|act| {
            let author = authors[layout.unpack(*act).0];
            author.is_some_and(|author| author != actors[layout.actor(*act)])
        });
        self.always.retain(|(workflow, ..), _| authors[*workflow as usize].is_some());
    }

    /// How many events were added.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Of equal acts one stays, in order.
    fn put_together(&mut self) {
        self.acts.sort_unstable();
        self.acts.dedup();
        self.different = self.acts.len();
    }

    /// Counts by workflow and hour, the hour in hours since 1970; in order of both.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_hour(&mut self) -> PolarsResult<Vec<(i64, WorkflowId, Counts)>> {
        let first_hour = self.first_window.div_euclid(HOUR_WINDOWS as i64);
        let counted = self.by_workflow_and(|window| window / HOUR_WINDOWS, |hour| hour)?;
        Ok(counted
            .into_iter()
            .map(|(hour, workflow, counts)| (first_hour + hour as i64, workflow, counts))
            .collect())
    }

    /// Counts by workflow, in order.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_workflow(&mut self) -> PolarsResult<Vec<(WorkflowId, Counts)>> {
        let counted = self.by_workflow_and(|_| 0, |_| 0)?;
        Ok(counted.into_iter().map(|(_, workflow, counts)| (workflow, counts)).collect())
    }

    /// Counts by workflow and part of the span, which two functions tell from a window and from an hour.
    fn by_workflow_and(
        &mut self,
        part_of_window: impl Fn(u64) -> u64,
        part_of_hour: impl Fn(u64) -> u64,
    ) -> PolarsResult<Vec<(u64, WorkflowId, Counts)>> {
        self.put_together();
        let (rank, in_order) = self.workflows.in_order();
        let mut lines = Lines::with_capacity(self.acts.len() + self.always.len());
        let mut before = None;
        for act in &self.acts {
            let (workflow, kind, window) = self.layout.unpack(*act);
            let part = part_of_window(window);
            let who = (self.layout.who(*act), part);
            lines.push(part, rank[workflow], kind, 1, before != Some(who));
            before = Some(who);
        }
        for ((workflow, kind, hour), number) in &self.always {
            lines.push(part_of_hour(*hour), rank[*workflow as usize], *kind, *number, false);
        }
        Ok(lines
            .count()?
            .into_iter()
            .map(|(part, rank, counts)| (part, WorkflowId(in_order[rank]), counts))
            .collect())
    }

    /// Counts by label, in order: an event counts once for each label of its workflow, an actor once for each label.
    ///
    /// # Errors
    /// polars refused.
    pub fn by_label(&mut self, labels: &HashMap<WorkflowId, Vec<String>>) -> PolarsResult<Vec<(String, Counts)>> {
        self.put_together();
        let mut names: Vec<&str> = labels.values().flatten().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let labels: Vec<Vec<u32>> = self
            .workflows
            .ids
            .iter()
            .map(|workflow| {
                let mine = labels.get(&WorkflowId(*workflow)).into_iter().flatten();
                mine.map(|label| names.partition_point(|name| *name < label.as_str()) as u32)
                    .collect()
            })
            .collect();
        // By label in the workflow's place, so that one actor's acts on all its workflows stand side by side.
        let mut acts: Vec<(u32, u64)> = Vec::with_capacity(self.acts.len());
        for act in &self.acts {
            let (workflow, _, _) = self.layout.unpack(*act);
            acts.extend(labels[workflow].iter().map(|label| (*label, self.layout.act(*act))));
        }
        acts.sort_unstable();
        let mut lines = Lines::with_capacity(acts.len());
        let mut before = None;
        for (label, act) in acts {
            let (_, kind, _) = self.layout.unpack(act);
            let who = (label, self.layout.who(act));
            lines.push(0, label, kind, 1, before != Some(who));
            before = Some(who);
        }
        for ((workflow, kind, _), number) in &self.always {
            for label in &labels[*workflow as usize] {
                lines.push(0, *label, *kind, *number, false);
            }
        }
        Ok(lines
            .count()?
            .into_iter()
            .map(|(_, label, counts)| (names[label].to_owned(), counts))
            .collect())
    }
}

/// How an act is packed into 64 bits: workflow, then a bit for downloads, then actor, then window, each as wide as what is left allows.
#[derive(Clone, Copy, Debug)]
struct Layout {
    window: u32,
    actor: u32,
}

impl Layout {
    /// For a span of so many windows: what they leave is shared out among actors, who are more, and workflows. A day has 31 bits for
    /// actors and 26 for workflows, ten years 25 and 20.
    fn of_windows(windows: u64) -> Self {
        let window = u64::BITS - windows.max(1).leading_zeros();
        let left = u64::BITS - 1 - window;
        Self {
            window,
            actor: left.div_ceil(2) + 2,
        }
    }

    /// None: one of them does not fit.
    fn pack(self, workflow: u32, kind: EventKind, actor: u32, window: u64) -> Option<u64> {
        let (workflow, actor) = (u64::from(workflow), u64::from(actor));
        let workflow_bits = u64::BITS - 1 - self.actor - self.window;
        let fits = workflow >> workflow_bits == 0 && actor >> self.actor == 0 && window >> self.window == 0;
        let what = workflow << 1 | u64::from(kind == EventKind::Download);
        fits.then_some((what << self.actor | actor) << self.window | window)
    }

    /// The workflow's number, the kind and the window.
    fn unpack(self, act: u64) -> (usize, EventKind, u64) {
        let what = act >> (self.actor + self.window);
        let kind = if what & 1 == 1 { EventKind::Download } else { EventKind::View };
        ((what >> 1) as usize, kind, act & ((1 << self.window) - 1))
    }

    /// The actor's number.
    fn actor(self, act: u64) -> usize {
        (act >> self.window & ((1 << self.actor) - 1)) as usize
    }

    /// All but the window: the same for all that an actor did of one kind to one workflow.
    fn who(self, act: u64) -> u64 {
        act >> self.window
    }

    /// All but the workflow.
    fn act(self, act: u64) -> u64 {
        act & ((1 << (1 + self.actor + self.window)) - 1)
    }
}

/// Ids by small numbers, in the order in which they were first met.
#[derive(Debug, Default)]
struct Numbers {
    ids: Vec<u64>,
    numbers: PlHashMap<u64, u32>,
}

impl Numbers {
    fn number(&mut self, id: u64) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() as u32 - 1
        })
    }

    /// The rank of each number by its id, and the ids by rank.
    fn in_order(&self) -> (Vec<u32>, Vec<u64>) {
        let mut order: Vec<u32> = (0..self.ids.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.ids[*number as usize]);
        let mut rank = vec![0; order.len()];
        for (place, number) in order.iter().enumerate() {
            rank[*number as usize] = place as u32;
        }
        (rank, order.into_iter().map(|number| self.ids[number as usize]).collect())
    }
}

/// What is to be added up, line by line.
struct Lines {
    /// Part of the span, workflow or label, and kind, as one number.
    group: Vec<u64>,
    number: Vec<u32>,
    /// 1 where an actor is met for the first time in the group.
    different: Vec<u32>,
}

impl Lines {
    fn with_capacity(lines: usize) -> Self {
        Self {
            group: Vec::with_capacity(lines),
            number: Vec::with_capacity(lines),
            different: Vec::with_capacity(lines),
        }
    }

    fn push(&mut self, part: u64, of: u32, kind: EventKind, number: u32, different: bool) {
        self.group
            .push((part << OF_BITS | u64::from(of)) << KIND_BITS | u64::from(kind as u32));
        self.number.push(number);
        self.different.push(u32::from(different));
    }

    /// Adds up, and gives part, workflow or label, and counts, in this order, so that concurrent writers meet rows in the same one.
    fn count(self) -> PolarsResult<Vec<(u64, usize, Counts)>> {
        let counted = DataFrame::new(
            self.group.len(),
            vec![
                Column::new("group".into(), self.group),
                Column::new("number".into(), self.number),
                Column::new("different".into(), self.different),
            ],
        )?
        .lazy()
        .group_by([col("group")])
        .agg([col("number").sum(), col("different").sum()])
        .sort(["group"], SortMultipleOptions::default())
        .collect()?;
        let groups = counted.column("group")?.u64()?.into_no_null_iter();
        let numbers = counted.column("number")?.u32()?.into_no_null_iter();
        let different = counted.column("different")?.u32()?.into_no_null_iter();
        let mut found: Vec<(u64, usize, Counts)> = Vec::new();
        for ((group, number), different) in groups.zip(numbers).zip(different) {
            let of = group >> KIND_BITS;
            let (part, of) = (of >> OF_BITS, (of & ((1 << OF_BITS) - 1)) as usize);
            if found
                .last()
                .is_none_or(|(last_part, last, _)| (*last_part, *last) != (part, of))
            {
                found.push((part, of, Counts::default()));
            }
            let (Some(kind), Some((_, _, counts))) = (
                EventKind::from_number((group & ((1 << KIND_BITS) - 1)) as i64),
                found.last_mut(),
            ) else {
                continue;
            };
            match kind {
                EventKind::View => (counts.views, counts.unique_viewers) = (number, different),
                EventKind::Download => (counts.downloads, counts.unique_downloaders) = (number, different),
                EventKind::Like => counts.likes = number,
                EventKind::Comment => counts.comments = number,
                EventKind::Rating => counts.ratings = number,
                EventKind::CollectionAdd => counts.collection_adds = number,
            }
        }
        Ok(found)
    }
}
