//! Compute what trends: a new generation of all lists.
//!
//! What people did is kept in memory by day (UTC), each actor's latest act of a kind to an item once; a day is read again when it was
//! rolled up since, and the current one every time. From that and from nothing at all the same scores result: [`State`] only saves
//! reading. The formula is [`crate::trending`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context as _;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use config::TrendingSettings;
use store::event_archive::{self, EventTable};
use store::queue::ComputeTrending;
use store::stats::is_anonymous;
use store::trending::{self, Generation, Item, Parts, Scored, Span};
use store::{Conn, Db, StoreError, UserId, WorkflowId};

use crate::Context;
use crate::trending::{Act, Acts, DAY_S, Decay, expectation_left, expectation_of_day, median, observe, score};

/// Days that a window can reach into, the current one included.
const WINDOW_DAYS: u64 = 31;

/// How far back the past is looked at. At the longest default half-life, 28 days, what is older would weigh 1/20,000.
const PAST_DAYS: u64 = 400;

/// Past days made at once; the rest is left for the next minute, so that the first lists of an adopted community do not wait for a
/// year's events.
const PAST_DAYS_AT_ONCE: usize = 31;

/// Most that a generation keeps of a span: what is behind has a score near 0, and nobody leafs so far.
const LISTED: usize = 10_000;

/// What was read before.
#[derive(Debug, Default)]
pub struct State {
    days: BTreeMap<NaiveDate, KeptDay>,
    usual: Option<Usual>,
}

/// A day's acts.
#[derive(Debug)]
struct KeptDay {
    /// The rolling up before which they were read; none for a day that has not been rolled up.
    version: Option<DateTime<Utc>>,
    acts: Acts,
}

/// What is usual, as of midnight of a day.
#[derive(Debug)]
struct Usual {
    day: NaiveDate,
    /// By workflow, for each span.
    own: HashMap<u64, [f64; 3]>,
    /// By author.
    own_of_creator: HashMap<u64, [f64; 3]>,
    /// Medians by genre, and by kind.
    by_group: HashMap<Group, [f64; 3]>,
}

/// What was observed of each item in each span.
type Observed = Vec<(Span, Vec<(u64, Parts)>)>;

/// What a workflow is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    Genre(String),
    Kind(String),
}

impl Group {
    fn of(genre: Option<&str>, kind: &str) -> Self {
        match genre {
            // As MySQL compares.
            Some(genre) => Group::Genre(genre.trim_end().to_lowercase()),
            None => Group::Kind(kind.to_owned()),
        }
    }
}

/// Safe to repeat and to run at once: each makes a generation of its own, and the one begun last stays.
pub(crate) async fn run(context: Context, _job: ComputeTrending) -> anyhow::Result<()> {
    let mut state = context.trending.lock().await;
    let generation = compute_trending(&context.db, &context.settings.trending, &mut state, Utc::now()).await?;
    tracing::debug!(generation = generation.id, "computed what trends");
    Ok(())
}

/// Makes and publishes the generation of a moment.
///
/// # Errors
/// The database refused; the generation before stays.
pub async fn compute_trending(
    db: &Db,
    settings: &TrendingSettings,
    state: &mut State,
    now: DateTime<Utc>,
) -> anyhow::Result<Generation> {
    let today = now.date_naive();
    read_days(db, settings, state, today).await.context("read what happened")?;
    if state.usual.as_ref().is_none_or(|usual| usual.day != today) {
        state.usual = Some(read_usual(db, settings, today).await.context("read what is usual")?);
    }
    let usual = state.usual.as_ref().context("what is usual was read")?;

    let discounted: HashSet<u64> = trending::discounted_users(&mut *db.acquire().await?)
        .await?
        .into_iter()
        .map(|user| user.0)
        .collect();
    let mut acts = Acts::default();
    for day in state.days.values() {
        acts.extend(&day.acts, |item, actor| (!discounted.contains(&actor)).then_some(item));
    }
    let mut touched = acts.item.clone();
    touched.sort_unstable();
    touched.dedup();
    let touched: Vec<WorkflowId> = touched.into_iter().map(WorkflowId).collect();
    let items = trending::items(&mut *db.acquire().await?, &touched).await?;
    let authors: HashMap<u64, u64> = items
        .iter()
        .filter(|item| item.is_visible)
        .map(|item| (item.workflow.0, item.author.0))
        .collect();
    let mut of_creators = Acts::default();
    of_creators.extend(&acts, |item, _| authors.get(&item).copied());

    let now_s = now.timestamp();
    let task_settings = settings.clone();
    let (of_workflows, of_creators) = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let windows = |acts: Acts| -> anyhow::Result<Observed> {
            let acts = acts.latest()?;
            let window = |span| (span, observe(&task_settings, &acts, Decay::Window(span, now_s)));
            Ok(Span::ALL.map(window).into())
        };
        Ok((windows(acts)?, windows(of_creators)?))
    })
    .await
    .context("observe")??;

    let since_midnight_s = now_s - midnight_s(today);
    let left = |span| expectation_left(settings, span, since_midnight_s);
    let items: HashMap<u64, &Item> = items.iter().map(|item| (item.workflow.0, item)).collect();
    let mut workflows = Vec::new();
    for (span, observed) in of_workflows {
        for (id, mut parts) in observed {
            let Some(item) = items.get(&id).filter(|item| item.is_visible) else {
                continue;
            };
            let group = Group::of(item.genre.as_deref(), &item.kind);
            let own = of_span(usual.own.get(&id), span) * left(span);
            let group = of_span(usual.by_group.get(&group), span) * left(span);
            let score = score(settings, &mut parts, own, group);
            workflows.push((span, WorkflowId(id), score, parts));
        }
    }
    let mut creators = Vec::new();
    for (span, observed) in of_creators {
        for (id, mut parts) in observed {
            let own = of_span(usual.own_of_creator.get(&id), span) * left(span);
            let score = score(settings, &mut parts, own, 0.0);
            creators.push((span, UserId(id), score, parts));
        }
    }
    publish(db, now, workflows, creators).await.context("publish the generation")
}

fn of_span(values: Option<&[f64; 3]>, span: Span) -> f64 {
    values.map_or(0.0, |values| values[span as usize - 1])
}

fn midnight_s(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp()
}

/// Reads the days of the windows that changed, and makes the attention of past days that are new or changed.
async fn read_days(db: &Db, settings: &TrendingSettings, state: &mut State, today: NaiveDate) -> anyhow::Result<()> {
    let oldest = today - Days::new(PAST_DAYS);
    let first_kept = today - Days::new(WINDOW_DAYS - 1);
    state.days.retain(|day, _| *day >= first_kept && *day <= today);

    // Versions before events: what changes in between is read again next time.
    let (mut versions, made, kept_from) = {
        let mut db = db.acquire().await?;
        (
            trending::day_versions(&mut db, oldest).await?,
            trending::attention_versions(&mut db, oldest).await?,
            kept_from(&mut db).await?,
        )
    };
    // Days whose events were dropped have been weighed for the last time.
    versions.retain(|day, _| *day >= kept_from);
    let mut wanted: BTreeSet<NaiveDate> = BTreeSet::from([today]);
    for day in versions.keys().filter(|day| (first_kept..today).contains(*day)) {
        if state
            .days
            .get(day)
            .is_none_or(|kept| kept.version != versions.get(day).copied())
        {
            wanted.insert(*day);
        }
    }
    let unmade = |day: &NaiveDate| *day < today && made.get(day) != versions.get(day);
    let mut past: Vec<NaiveDate> = versions.keys().copied().filter(unmade).collect();
    past.sort_unstable_by(|a, b| b.cmp(a));
    past.truncate(PAST_DAYS_AT_ONCE);
    wanted.extend(past);

    for day in wanted {
        let version = versions.get(&day).copied();
        let mut acts = read_day(db, settings, day).await?;
        if let Some(version) = version.filter(|_| unmade(&day)) {
            acts = weigh(db, settings, day, version, acts).await?;
            state.usual = None;
        }
        if day >= first_kept {
            state.days.insert(day, KeptDay { version, acts });
        }
    }
    Ok(())
}

/// Stores a past day's attention as its events and its last rolling up say. For a day whose events are about to be dropped.
pub(crate) async fn weigh_day(db: &Db, settings: &TrendingSettings, day: NaiveDate) -> anyhow::Result<()> {
    let (versions, kept_from) = {
        let mut db = db.acquire().await?;
        (trending::day_versions(&mut db, day).await?, kept_from(&mut db).await?)
    };
    if let Some(version) = versions.get(&day).filter(|_| day >= kept_from) {
        let acts = read_day(db, settings, day).await?;
        weigh(db, settings, day, *version, acts).await?;
    }
    Ok(())
}

/// The first day of which all events are there.
async fn kept_from(db: &mut Conn) -> Result<NaiveDate, StoreError> {
    let mut kept = NaiveDate::MIN;
    for table in EventTable::ALL {
        let from = event_archive::kept_from(&mut *db, table).await?;
        kept = kept.max(from.map_or(NaiveDate::MIN, |from| from.date_naive()));
    }
    Ok(kept)
}

/// Stores a day's attention, and gives its acts back.
async fn weigh(db: &Db, settings: &TrendingSettings, day: NaiveDate, version: DateTime<Utc>, acts: Acts) -> anyhow::Result<Acts> {
    let settings = settings.clone();
    let (acts, weights) = tokio::task::spawn_blocking(move || {
        let weights: Vec<_> = observe(&settings, &acts, Decay::None)
            .into_iter()
            .map(|(item, parts)| (WorkflowId(item), parts.observed))
            .collect();
        (acts, weights)
    })
    .await
    .context("weigh a day")?;
    trending::replace_attention(db, day, version, &weights).await?;
    Ok(acts)
}

/// The acts of a day, each actor's latest of a kind to an item. One without a network has the one that its actor was last seen in on that
/// day.
async fn read_day(db: &Db, settings: &TrendingSettings, day: NaiveDate) -> anyhow::Result<Acts> {
    let new_account_s = (settings.new_account_days * DAY_S as f64) as i64;
    let mut acts = Acts::default();
    let mut networks: HashMap<u64, (i64, u64)> = HashMap::new();
    trending::signals(&mut *db.acquire().await?, day, |signal| {
        let age_s = signal.account_since_s.map(|since| signal.at_s - since);
        acts.push(Act {
            item: signal.workflow.0,
            actor: signal.actor,
            at_s: signal.at_s,
            network: signal.network,
            kind: signal.kind,
            rating: signal.rating,
            is_newcomer: is_anonymous(signal.actor) || age_s.is_some_and(|age| age < new_account_s),
        });
        if signal.network != 0 {
            let seen = networks.entry(signal.actor).or_default();
            *seen = (*seen).max((signal.at_s, signal.network));
        }
    })
    .await?;
    for (actor, network) in acts.actor.iter().zip(&mut acts.network) {
        if *network == 0 {
            *network = networks.get(actor).map_or(0, |(_, network)| *network);
        }
    }
    tokio::task::spawn_blocking(move || acts.latest())
        .await
        .context("sort a day")?
        .context("sort a day")
}

/// What is usual for every workflow with a past, for every creator, and in every group.
async fn read_usual(db: &Db, settings: &TrendingSettings, today: NaiveDate) -> anyhow::Result<Usual> {
    let now_s = midnight_s(today);
    let mut own: HashMap<u64, [f64; 3]> = HashMap::new();
    let (mut day_of_factors, mut factors) = (None, [0.0; 3]);
    let mut db = db.acquire().await?;
    trending::attention(&mut db, today - Days::new(PAST_DAYS), today, |day, workflow, weight| {
        if day_of_factors != Some(day) {
            day_of_factors = Some(day);
            factors = Span::ALL.map(|span| expectation_of_day(settings, span, midnight_s(day) + DAY_S, now_s));
        }
        let sums = own.entry(workflow.0).or_default();
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum += weight * factor;
        }
    })
    .await?;
    let mut workflows: Vec<WorkflowId> = own.keys().copied().map(WorkflowId).collect();
    workflows.sort_unstable();
    let items = trending::items(&mut db, &workflows).await?;
    let sizes = trending::group_sizes(&mut db).await?;

    let mut sizes_by_group: HashMap<Group, u64> = HashMap::new();
    for size in sizes {
        *sizes_by_group.entry(Group::Kind(size.kind.clone())).or_default() += size.workflows;
        if size.genre.is_some() {
            *sizes_by_group
                .entry(Group::of(size.genre.as_deref(), &size.kind))
                .or_default() += size.workflows;
        }
    }
    let mut own_of_creator: HashMap<u64, [f64; 3]> = HashMap::new();
    let mut values: HashMap<Group, [Vec<f64>; 3]> = HashMap::new();
    for item in items.iter().filter(|item| item.is_visible) {
        let sums = own[&item.workflow.0];
        let creator = own_of_creator.entry(item.author.0).or_default();
        let mut groups = vec![Group::Kind(item.kind.clone())];
        if item.genre.is_some() {
            groups.push(Group::of(item.genre.as_deref(), &item.kind));
        }
        for (at, sum) in sums.into_iter().enumerate() {
            creator[at] += sum;
            for group in &groups {
                values.entry(group.clone()).or_default()[at].push(sum);
            }
        }
    }
    let by_group = values
        .into_iter()
        .map(|(group, values)| {
            let size = sizes_by_group.get(&group).copied().unwrap_or_default();
            (group, values.map(|mut values| median(&mut values, size)))
        })
        .collect();
    Ok(Usual {
        day: today,
        own,
        own_of_creator,
        by_group,
    })
}

/// Writes a generation and makes it current. What scores nothing now and did before is kept with 0 for one generation.
async fn publish(
    db: &Db,
    now: DateTime<Utc>,
    workflows: Vec<(Span, WorkflowId, f64, Parts)>,
    creators: Vec<(Span, UserId, f64, Parts)>,
) -> anyhow::Result<Generation> {
    let mut connection = db.acquire().await?;
    let mut before_workflows = HashMap::new();
    let mut before_creators = HashMap::new();
    if let Some(before) = trending::current(&mut connection).await? {
        for span in Span::ALL {
            let scores = trending::scores(&mut connection, before.id, span).await?;
            before_workflows.extend(scores.into_iter().map(|(id, score)| ((span, id), score)));
            let scores = trending::creator_scores(&mut connection, before.id, span).await?;
            before_creators.extend(scores.into_iter().map(|(id, score)| ((span, id), score)));
        }
    }
    let generation = trending::begin(&mut connection, now).await?;
    trending::add_workflows(&mut connection, generation, &rows(workflows, &before_workflows)).await?;
    trending::add_creators(&mut connection, generation, &rows(creators, &before_creators)).await?;
    trending::publish(&mut connection, generation).await?;
    Ok(generation)
}

/// The rows of a generation, in order, so that writers at once do not deadlock.
fn rows<Id: Copy + Ord + std::hash::Hash>(
    scores: Vec<(Span, Id, f64, Parts)>,
    before: &HashMap<(Span, Id), f64>,
) -> Vec<Scored<Id>> {
    let mut scores = scores;
    scores.retain(|(_, _, score, _)| *score > 0.0);
    scores.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.2.total_cmp(&a.2)).then(b.1.cmp(&a.1)));
    let mut listed: HashMap<Span, usize> = HashMap::new();
    scores.retain(|(span, ..)| {
        let listed = listed.entry(*span).or_default();
        *listed += 1;
        *listed <= LISTED
    });
    let mut rows: Vec<Scored<Id>> = scores
        .into_iter()
        .map(|(span, id, score, parts)| Scored {
            span,
            id,
            score,
            previous_score: before.get(&(span, id)).copied().unwrap_or_default(),
            parts,
        })
        .collect();
    let scored: HashSet<(Span, Id)> = rows.iter().map(|row| (row.span, row.id)).collect();
    rows.extend(
        before
            .iter()
            .filter(|(key, _)| !scored.contains(key))
            .map(|((span, id), score)| Scored {
                span: *span,
                id: *id,
                score: 0.0,
                previous_score: *score,
                parts: Parts::default(),
            }),
    );
    rows.sort_unstable_by_key(|row| (row.span, row.id));
    rows
}
