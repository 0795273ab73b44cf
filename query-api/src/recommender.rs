//! Puts a list of recommendations together, when it is asked for.
//!
//! From what the reader did until now and the stored neighbours ([`store::recommendation`]), and from what the index says is like what they
//! took last, so that a workflow that nobody took yet can be found too. Where that is too little, more comes from people they follow, then what
//! trends in the genres that they took, then what trends at all, then what is new. Redis and the index may be away: the list is less well chosen then.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use indexer::{Likeness, LikenessKind};
use store::recommendation::{self, ActKind, Interest, Listed, Rules, arrange, explore_order, profile};
use store::trending::Span;
use store::workflow::{self, Card};
use store::{UserId, WorkflowId};

use crate::context::ApiContext;
use crate::error::ApiError;

/// Ranked candidates that are looked up: enough for the longest list, were two thirds of them not to be shown.
const RANKED: usize = 300;

/// Candidates of people who are followed, of what trends, and of what is new.
const FOLLOWED: u32 = 100;
const TRENDING: usize = 200;
const NEWEST: u32 = 200;

/// Workflows that are like one that was taken.
const ALIKE: usize = 20;

/// Genres that somebody takes most.
const GENRES: usize = 3;

/// Names in one reason.
const NAMES: usize = 2;

/// What is recommended.
#[derive(Clone, Debug)]
pub(crate) struct Recommended {
    /// The newest act that the stored neighbours know; none before they were computed.
    pub(crate) as_of: Option<DateTime<Utc>>,
    /// The best first.
    pub(crate) entries: Vec<Entry>,
}

/// One line of a list.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) card: Card,
    /// None for what was not chosen by a score.
    pub(crate) score: Option<f64>,
    pub(crate) reason: Reason,
}

/// Why something is recommended.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// People who took this took that too.
    Taken { kind: ActKind, source: Card },
    /// It is like this.
    Alike { likeness: Option<Likeness>, source: Card },
    /// By somebody whom they follow.
    Followed,
    /// It trends in a genre that they take.
    Genre(String),
    /// It trends.
    Trending,
    /// It is new.
    New,
}

/// A score that grows.
#[derive(Clone, Debug)]
struct Candidate {
    score: f64,
    /// The part of the reason.
    part: f64,
    reason: Reason,
}

/// Recommends something to somebody.
pub(crate) async fn recommend(context: &ApiContext, me: UserId, limit: usize) -> Result<Recommended, ApiError> {
    let settings = &context.settings.recommendations;
    let mut db = context.connection().await?;
    let acts = recommendation::acts_of(&mut db, me).await?;
    let seen: HashSet<WorkflowId> = acts.iter().map(|act| act.workflow).collect();
    let mut mine = profile(settings, acts);
    let ids: Vec<WorkflowId> = mine.iter().map(|interest| interest.workflow).collect();
    // What cannot be named any more leads nowhere either.
    let sources: HashMap<WorkflowId, Card> = by_id(workflow::cards(&mut db, Some(me), &ids).await?);
    mine.retain(|interest| sources.contains_key(&interest.workflow));
    let ids: Vec<WorkflowId> = mine.iter().map(|interest| interest.workflow).collect();
    let neighbours = recommendation::neighbours(&mut db, &ids).await?;
    let as_of = recommendation::current(&mut db)
        .await?
        .map(|current| current.generation.as_of);
    let followed = recommendation::of_followees(&mut db, me, FOLLOWED).await?;
    let newest = recommendation::newest(&mut db, NEWEST).await?;
    drop(db);
    let trending: Vec<WorkflowId> = match context.boards.workflows(&context.db, Span::Week).await? {
        Some(board) => board
            .lines
            .iter()
            .take_while(|line| line.score > 0.0)
            .take(TRENDING)
            .map(|line| line.workflow)
            .collect(),
        None => Vec::new(),
    };

    let mut candidates: HashMap<WorkflowId, Candidate> = recommendation::score(&mine, &neighbours)
        .into_iter()
        .map(|(workflow, score)| {
            let reason = Reason::Taken {
                kind: score.because.kind,
                source: sources[&score.because.workflow].clone(),
            };
            let (score, part) = (score.score, score.because.part);
            (workflow, Candidate { score, part, reason })
        })
        .collect();
    add_alike(context, &mine, &sources, &mut candidates).await;
    candidates.retain(|workflow, _| !seen.contains(workflow));
    let mut ranked: Vec<(WorkflowId, Candidate)> = candidates.into_iter().collect();
    ranked.sort_unstable_by(|a, b| b.1.score.total_cmp(&a.1.score).then(b.0.cmp(&a.0)));
    ranked.truncate(RANKED);

    let mut wanted: Vec<WorkflowId> = ranked
        .iter()
        .map(|(workflow, _)| *workflow)
        .chain(followed.iter().chain(&trending).chain(&newest).copied())
        .filter(|workflow| !seen.contains(workflow))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let cards = shown(context, me, &seen, &wanted).await?;

    let card = |workflow: &WorkflowId| cards.get(workflow).cloned();
    let plain = |workflow: WorkflowId, reason: Reason| {
        Some(Entry {
            card: card(&workflow)?,
            score: None,
            reason,
        })
    };
    let genres = genres(&mine, &sources);
    let of_genre = |workflow: &WorkflowId| {
        let genre = cards.get(workflow)?.genre.clone()?;
        genres.contains(&key(&genre)).then_some(genre)
    };
    let in_order = ranked
        .into_iter()
        .filter_map(|(workflow, candidate)| {
            Some(Entry {
                card: card(&workflow)?,
                score: Some(candidate.score),
                reason: candidate.reason,
            })
        })
        .chain(followed.iter().filter_map(|workflow| plain(*workflow, Reason::Followed)))
        .chain(
            trending
                .iter()
                .filter_map(|workflow| plain(*workflow, Reason::Genre(of_genre(workflow)?))),
        )
        .chain(trending.iter().filter_map(|workflow| plain(*workflow, Reason::Trending)))
        .chain(newest.iter().filter_map(|workflow| plain(*workflow, Reason::New)));
    let mut tried = newest.clone();
    explore_order(me, Utc::now().timestamp().div_euclid(86_400), &mut tried);
    let tried = tried.iter().filter_map(|workflow| plain(*workflow, Reason::New));
    let rules = Rules {
        limit,
        per_author: settings.per_author,
        explore_every: settings.explore_every,
    };
    let picks = arrange(in_order, tried, rules, |entry| Listed {
        workflow: entry.card.id,
        author: entry.card.author,
        content: entry.card.content(),
    });
    Ok(Recommended {
        as_of,
        entries: picks.into_iter().map(|pick| pick.item).collect(),
    })
}

/// What of these the reader may see, and does not know under another id.
async fn shown(
    context: &ApiContext,
    me: UserId,
    seen: &HashSet<WorkflowId>,
    wanted: &[WorkflowId],
) -> Result<HashMap<WorkflowId, Card>, ApiError> {
    let mut db = context.connection().await?;
    let mut cards = by_id(workflow::cards(&mut db, Some(me), wanted).await?);
    // One of each content: of a rack that was uploaded many times, each would bring all the others.
    let by_content: HashMap<[u8; 32], WorkflowId> = cards.values().filter_map(|card| Some((card.content()?, card.id))).collect();
    let ids: Vec<WorkflowId> = by_content.into_values().collect();
    let known: HashSet<[u8; 32]> = recommendation::twins(&mut db, &ids)
        .await?
        .into_iter()
        .filter(|twin| twin.author == me || seen.contains(&twin.id))
        .filter_map(|twin| cards.get(&twin.of)?.content())
        .collect();
    cards.retain(|_, card| card.content().is_none_or(|content| !known.contains(&content)));
    Ok(cards)
}

/// Adds what is like that which the reader took last. An index that is not there adds nothing.
async fn add_alike(
    context: &ApiContext,
    mine: &[Interest<WorkflowId>],
    sources: &HashMap<WorkflowId, Card>,
    candidates: &mut HashMap<WorkflowId, Candidate>,
) {
    let settings = &context.settings.recommendations;
    let all: f64 = mine.iter().map(|interest| interest.weight).sum();
    let mut last: Vec<Interest<WorkflowId>> = mine.to_vec();
    last.sort_unstable_by(|a, b| b.at_s.cmp(&a.at_s).then(b.workflow.cmp(&a.workflow)));
    last.truncate(settings.alike_sources);
    if last.is_empty() || settings.alike <= 0.0 {
        return;
    }
    let (ids, weights) = (
        last.iter().map(|interest| interest.workflow.0).collect::<Vec<_>>(),
        context.settings.clone(),
    );
    let found = context
        .ask_index(move |index, deadline| {
            ids.iter()
                .map(|id| index.similar(*id, ALIKE, Utc::now(), Some(deadline), &weights.similar, &[]))
                .collect::<Result<Vec<_>, _>>()
        })
        .await;
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(?error, "recommended without the index");
            return;
        }
    };
    let most = context.settings.similar.most();
    for (interest, racks) in last.iter().zip(found) {
        for similar in racks.into_iter().flat_map(|racks| racks.racks) {
            let likeness: f64 = similar.reasons.iter().map(|reason| reason.score).sum();
            let part = settings.alike * interest.weight / all * likeness / most;
            let reason = || Reason::Alike {
                likeness: similar.reasons.first().cloned(),
                source: sources[&interest.workflow].clone(),
            };
            candidates
                .entry(WorkflowId(similar.hit.card.id))
                .and_modify(|candidate| {
                    candidate.score += part;
                    if part > candidate.part {
                        (candidate.part, candidate.reason) = (part, reason());
                    }
                })
                .or_insert_with(|| Candidate {
                    score: part,
                    part,
                    reason: reason(),
                });
        }
    }
}

/// The genres of which somebody takes most.
fn genres(mine: &[Interest<WorkflowId>], sources: &HashMap<WorkflowId, Card>) -> HashSet<String> {
    let mut weights: HashMap<String, f64> = HashMap::new();
    for interest in mine {
        if let Some(genre) = sources.get(&interest.workflow).and_then(|card| card.genre.as_deref()) {
            *weights.entry(key(genre)).or_default() += interest.weight;
        }
    }
    let mut by_weight: Vec<(String, f64)> = weights.into_iter().collect();
    by_weight.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    by_weight.into_iter().take(GENRES).map(|(genre, _)| genre).collect()
}

/// Genres are alike whatever their letters' case.
fn key(genre: &str) -> String {
    genre.trim().to_lowercase()
}

fn by_id(cards: Vec<Card>) -> HashMap<WorkflowId, Card> {
    cards.into_iter().map(|card| (card.id, card)).collect()
}

impl Reason {
    /// Name in answers.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Reason::Taken { kind, .. } => match kind {
                ActKind::Download => "downloaded",
                ActKind::Like => "liked",
                ActKind::CollectionAdd => "collected",
                ActKind::Rating(_) | ActKind::Seen | ActKind::Dismissal => "rated",
            },
            Reason::Alike { .. } => "alike",
            Reason::Followed => "followed",
            Reason::Genre(_) => "genre",
            Reason::Trending => "trending",
            Reason::New => "new",
        }
    }

    /// The workflow that it refers to.
    pub(crate) fn source(&self) -> Option<&Card> {
        match self {
            Reason::Taken { source, .. } | Reason::Alike { source, .. } => Some(source),
            Reason::Followed | Reason::Genre(_) | Reason::Trending | Reason::New => None,
        }
    }

    /// What is shared with that workflow, or the genre.
    pub(crate) fn values(&self) -> Vec<String> {
        match self {
            Reason::Alike { likeness, .. } => likeness.as_ref().map_or_else(Vec::new, |likeness| likeness.values.clone()),
            Reason::Genre(genre) => vec![genre.clone()],
            Reason::Taken { .. } | Reason::Followed | Reason::Trending | Reason::New => Vec::new(),
        }
    }

    /// In words, about a workflow.
    pub(crate) fn text(&self, card: &Card) -> String {
        match self {
            Reason::Taken { source, .. } => format!("because you {} “{}”", self.name(), source.title),
            Reason::Alike { likeness, source } => format!("{} “{}”", in_words(likeness.as_ref()), source.title),
            Reason::Followed => format!("by {}, whom you follow", card.username),
            Reason::Genre(genre) => format!("trends in {genre}"),
            Reason::Trending => "trends".to_owned(),
            Reason::New => "is new".to_owned(),
        }
    }
}

/// `uses Wavetable and Roar like`.
fn in_words(likeness: Option<&Likeness>) -> String {
    let Some(likeness) = likeness else {
        return "is like".to_owned();
    };
    let names: Vec<&str> = likeness.values.iter().take(NAMES).map(String::as_str).collect();
    let names = names.join(" and ");
    match likeness.kind {
        LikenessKind::Devices | LikenessKind::Plugins => format!("uses {names} like"),
        LikenessKind::Tags => format!("is {names} like"),
        LikenessKind::Macros => format!("is played with {names} like"),
        LikenessKind::Genre => format!("is {names} like"),
        LikenessKind::Key => format!("is in {names}, which mixes with"),
        LikenessKind::Tempo => format!("has {names} BPM, near"),
        LikenessKind::Title | LikenessKind::Text | LikenessKind::Behaviour => "is like".to_owned(),
    }
}
