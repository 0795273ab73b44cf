//! Racks like a given one, by what is in them: no database, and no need of a single download. Who knows which racks the same people took says so,
//! and that counts too.
//!
//! BM25 over the names of the source gathers candidates; each is then compared name by name, and says why it is alike.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use config::SimilarSettings;
use store::musical_key::MusicalKey;
use tantivy::Term;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use crate::counters::CountersView;
use crate::document::group_of_name;
use crate::facet::Facet;
use crate::request::SearchRequest;
use crate::response::{Card, Hit};
use crate::search::Snapshot;
use crate::text::words;
use crate::values::key_of;
use crate::{Index, SearchError};

/// Candidates that are compared in full. The tail of BM25 shares a common word or two, and could not come out ahead.
const CANDIDATES: usize = 200;

/// Racks that the same people took that are compared, the likest.
const COMPANY: usize = 50;

/// Most different words of one field that candidates are looked for by, the rarest first.
const MAX_WORDS: usize = 32;

/// Most names in one reason, the rarest first.
const MAX_NAMES: usize = 5;

/// Difference of tempo at which nearness is gone, as a share of the faster one: what pitch faders of most players reach.
const TEMPO_REACH: f64 = 0.08;

/// A rack that is like another one.
#[derive(Clone, Debug)]
pub struct Similar {
    /// The rack. Its `score` is the likeness.
    pub hit: Hit,
    /// What both have in common, what counts most first.
    pub reasons: Vec<Likeness>,
}

/// Racks that are like another one.
#[derive(Clone, Debug)]
pub struct SimilarRacks {
    /// The most alike first.
    pub racks: Vec<Similar>,
    /// Id of the last change in `index_log` that the answer reflects.
    pub position: u64,
}

/// One thing that two racks have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// In what.
    pub kind: LikenessKind,
    /// Names or values that are shared, the rarest first.
    pub values: Vec<String>,
    /// Its part of the likeness.
    pub score: f64,
}

/// In what two racks are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LikenessKind {
    /// Native and Max for Live devices.
    Devices,
    /// Third-party plug-ins.
    Plugins,
    /// Tags.
    Tags,
    /// Names of macros.
    Macros,
    /// Words of the title.
    Title,
    /// Words of the description's beginning.
    Text,
    /// Genre.
    Genre,
    /// Same key, or one that mixes with it.
    Key,
    /// Near tempo.
    Tempo,
    /// The same people took both.
    Behaviour,
}

impl LikenessKind {
    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            LikenessKind::Devices => "devices",
            LikenessKind::Plugins => "plugins",
            LikenessKind::Tags => "tags",
            LikenessKind::Macros => "macros",
            LikenessKind::Title => "title",
            LikenessKind::Text => "text",
            LikenessKind::Genre => "genre",
            LikenessKind::Key => "key",
            LikenessKind::Tempo => "tempo",
            LikenessKind::Behaviour => "behaviour",
        }
    }
}

impl Index {
    /// Racks like the one with this id, the most alike first, by content and by `behaviour`: ids of racks that the same people took, each with a
    /// likeness of 0 to 1, the likest first. Never the same content, nor one author twice in a row, even where that
    /// makes the list shorter. None: the index shows no such rack now. It computes for a while: call it where blocking is fine.
    ///
    /// # Errors
    /// There is no index yet, or it failed.
    pub fn similar(
        &self,
        id: u64,
        limit: usize,
        now: DateTime<Utc>,
        deadline: Option<Instant>,
        weights: &SimilarSettings,
        behaviour: &[(u64, f32)],
    ) -> Result<Option<SimilarRacks>, SearchError> {
        let snapshot = self.snapshot().ok_or(SearchError::NotReady)?;
        let request = SearchRequest {
            now,
            deadline,
            ..SearchRequest::default()
        };
        snapshot.similar(id, limit, &request, weights, behaviour, &self.shared.counters.view())
    }
}

impl Snapshot {
    fn similar(
        &self,
        id: u64,
        limit: usize,
        request: &SearchRequest,
        weights: &SimilarSettings,
        behaviour: &[(u64, f32)],
        counters: &CountersView,
    ) -> Result<Option<SimilarRacks>, SearchError> {
        let Some(source) = self.visible(id, request, counters)? else {
            return Ok(None);
        };
        let mut terms = self.terms(&source.card)?;
        let clauses = terms.drain(..).map(|term| {
            let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
            (Occur::Should, query)
        });
        let mut candidates = self.best(&BooleanQuery::new(clauses.collect()), CANDIDATES, request, counters)?;
        let behaviour: HashMap<u64, f64> = if weights.behaviour > 0.0 {
            behaviour
                .iter()
                .take(COMPANY)
                .map(|(id, likeness)| (*id, f64::from(*likeness)))
                .collect()
        } else {
            HashMap::new()
        };
        candidates.extend(self.missing(&behaviour, &candidates, request, counters)?);
        let mut comparison = Comparison::new(self, &source.card, weights, request.now.timestamp());
        let mut alike = Vec::new();
        for mut hit in candidates {
            if hit.card.id == id {
                continue;
            }
            let mut reasons = comparison.reasons(&hit.card)?;
            if let Some(likeness) = behaviour.get(&hit.card.id).filter(|likeness| **likeness > 0.0) {
                let score = weights.behaviour * likeness;
                let place = reasons.partition_point(|reason| reason.score >= score);
                let reason = Likeness {
                    kind: LikenessKind::Behaviour,
                    values: Vec::new(),
                    score,
                };
                reasons.insert(place, reason);
            }
            let score: f64 = reasons.iter().map(|reason| reason.score).sum();
            if score > 0.0 {
                hit.score = Some(score as f32);
                alike.push((score, Similar { hit, reasons }));
            }
        }
        alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.hit.card.id.cmp(&a.1.hit.card.id)));
        let alike = alike.into_iter().map(|(_, similar)| similar).collect();
        Ok(Some(SimilarRacks {
            racks: arrange(alike, source.card.content_hash, limit),
            position: self.position.cursor(),
        }))
    }

    /// Those of the racks that the same people took that are visible and no candidates yet.
    fn missing(
        &self,
        behaviour: &HashMap<u64, f64>,
        candidates: &[Hit],
        request: &SearchRequest,
        counters: &CountersView,
    ) -> Result<Vec<Hit>, SearchError> {
        let found: HashSet<u64> = candidates.iter().map(|hit| hit.card.id).collect();
        let clauses: Vec<(Occur, Box<dyn Query>)> = behaviour
            .keys()
            .filter(|id| !found.contains(*id))
            .map(|id| {
                let term = Term::from_field_u64(self.generation.fields.id, *id);
                let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
                (Occur::Should, query)
            })
            .collect();
        if clauses.is_empty() {
            return Ok(Vec::new());
        }
        let limit = clauses.len();
        self.best(&BooleanQuery::new(clauses), limit, request, counters)
    }

    /// Words of the source's names, by which candidates are found.
    fn terms(&self, card: &Card) -> tantivy::Result<Vec<Term>> {
        let texts = &self.generation.fields.texts;
        let title = [card.title.clone()];
        // Many mention their genre.
        let description: Vec<String> = card.genre.iter().chain([&card.excerpt]).cloned().collect();
        let sources: [(Field, &[String]); 6] = [
            (texts.devices, &card.devices),
            (texts.plugins, &card.plugins),
            (texts.tags, &card.tags),
            (texts.macros, &card.macros),
            (texts.title, &title),
            (texts.description, &description),
        ];
        let mut terms = Vec::new();
        for (field, names) in sources {
            let distinct: BTreeSet<String> = names.iter().flat_map(|name| words(name)).collect();
            let mut by_frequency = Vec::new();
            for word in distinct {
                let term = Term::from_field_text(field, &word);
                by_frequency.push((self.searcher.doc_freq(&term)?, term));
            }
            by_frequency.sort();
            terms.extend(by_frequency.into_iter().take(MAX_WORDS).map(|(_, term)| term));
        }
        Ok(terms)
    }
}

/// The source, ready to be compared with many.
struct Comparison<'a> {
    snapshot: &'a Snapshot,
    weights: &'a SimilarSettings,
    source: &'a Card,
    lists: [(LikenessKind, f64, Counted); 6],
    /// Counts of facet values, of those facets that are needed.
    totals: HashMap<Facet, Vec<u32>>,
    /// Rarity of names that were met.
    rarities: HashMap<(Counted, String), f64>,
}

/// Where it is known how many documents have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// It is a value of a facet.
    Values(Facet),
    /// It consists of words of a field.
    Words(Field),
}

impl<'a> Comparison<'a> {
    fn new(snapshot: &'a Snapshot, source: &'a Card, weights: &'a SimilarSettings, now: i64) -> Self {
        let texts = &snapshot.generation.fields.texts;
        let facets = [Facet::Device, Facet::Plugin, Facet::Tag];
        Self {
            snapshot,
            weights,
            source,
            lists: [
                (LikenessKind::Devices, weights.devices, Counted::Values(Facet::Device)),
                (LikenessKind::Plugins, weights.plugins, Counted::Values(Facet::Plugin)),
                (LikenessKind::Tags, weights.tags, Counted::Values(Facet::Tag)),
                (LikenessKind::Macros, weights.macros, Counted::Words(texts.macros)),
                (LikenessKind::Title, weights.title, Counted::Words(texts.title)),
                (LikenessKind::Text, weights.text, Counted::Words(texts.description)),
            ],
            totals: facets.map(|facet| (facet, snapshot.visible_totals(facet, now))).into(),
            rarities: HashMap::new(),
        }
    }

    /// What the source has in common with another rack. Each list of names adds its weight times the cosine of the two lists, whose
    /// names weigh as their rarity (tf-idf with tf 0 or 1; Salton and Buckley 1988): 1 for the same names, 0 for none in common.
    fn reasons(&mut self, other: &Card) -> tantivy::Result<Vec<Likeness>> {
        let mut reasons = Vec::new();
        for (kind, weight, counted) in self.lists {
            let (mine, theirs) = (names_of(self.source, kind), names_of(other, kind));
            let (score, values) = self.cosine(counted, &mine, &theirs)?;
            reasons.push(Likeness {
                kind,
                values,
                score: weight * score,
            });
        }
        if let (Some(mine), Some(theirs)) = (&self.source.genre, &other.genre)
            && key_of(mine) == key_of(theirs)
        {
            reasons.push(Likeness {
                kind: LikenessKind::Genre,
                values: vec![theirs.clone()],
                score: self.weights.genre,
            });
        }
        if let (Some(mine), Some(theirs)) = (&self.source.key, &other.key) {
            reasons.push(Likeness {
                kind: LikenessKind::Key,
                values: vec![theirs.clone()],
                score: self.weights.key * key_nearness(mine, theirs),
            });
        }
        if let (Some(mine), Some(theirs)) = (self.source.bpm, other.bpm) {
            reasons.push(Likeness {
                kind: LikenessKind::Tempo,
                values: vec![theirs.to_string()],
                score: self.weights.tempo * tempo_nearness(mine, theirs),
            });
        }
        reasons.retain(|reason| reason.score > 0.0);
        reasons.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(reasons)
    }

    fn cosine(&mut self, counted: Counted, mine: &[String], theirs: &[String]) -> tantivy::Result<(f64, Vec<String>)> {
        let known: HashSet<String> = mine.iter().map(|name| key_of(name)).collect();
        let (mut of_mine, mut of_theirs, mut of_both) = (0.0, 0.0, 0.0);
        for name in mine {
            of_mine += self.rarity(counted, name)?.powi(2);
        }
        let mut shared = Vec::new();
        for name in theirs {
            let rarity = self.rarity(counted, name)?;
            of_theirs += rarity.powi(2);
            if known.contains(&key_of(name)) {
                of_both += rarity.powi(2);
                shared.push((rarity, name));
            }
        }
        if of_both == 0.0 {
            return Ok((0.0, Vec::new()));
        }
        shared.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let values = shared.into_iter().take(MAX_NAMES).map(|(_, name)| name.clone()).collect();
        Ok((of_both / (of_mine * of_theirs).sqrt(), values))
    }

    /// How rare a name is: `ln(1 + documents / documents with it)`. Where only words are counted, a name of several is taken to be in as
    /// many documents as the rarest of them, which is the most that it can be.
    fn rarity(&mut self, counted: Counted, name: &str) -> tantivy::Result<f64> {
        let slot = (counted, key_of(name));
        if let Some(rarity) = self.rarities.get(&slot) {
            return Ok(*rarity);
        }
        let documents = self.snapshot.searcher.num_docs().max(1);
        let with_it = match counted {
            Counted::Values(facet) => {
                let number = self.snapshot.generation.values[facet.number()].find(name);
                let count = number.and_then(|number| self.totals.get(&facet)?.get(number as usize));
                count.copied().map_or(0, u64::from)
            }
            Counted::Words(field) => {
                let mut with_it = documents;
                for word in words(name) {
                    with_it = with_it.min(self.snapshot.searcher.doc_freq(&Term::from_field_text(field, &word))?);
                }
                with_it
            }
        };
        let rarity = (1.0 + documents as f64 / with_it.max(1) as f64).ln();
        self.rarities.insert(slot, rarity);
        Ok(rarity)
    }
}

/// Names of one sort, each once.
fn names_of(card: &Card, kind: LikenessKind) -> Vec<String> {
    match kind {
        // Old and new elements of one device are one name.
        LikenessKind::Devices => {
            let groups: BTreeSet<&str> = card.devices.iter().map(|name| group_of_name(name)).collect();
            groups.into_iter().map(str::to_owned).collect()
        }
        LikenessKind::Plugins => card.plugins.clone(),
        LikenessKind::Tags => card.tags.clone(),
        LikenessKind::Macros => card.macros.clone(),
        LikenessKind::Title => words(&card.title).into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
        LikenessKind::Text => words(&card.excerpt)
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        LikenessKind::Genre | LikenessKind::Key | LikenessKind::Tempo | LikenessKind::Behaviour => Vec::new(),
    }
}

/// 1 for the same key, a half for one of the others that mix with it, else 0.
fn key_nearness(mine: &str, theirs: &str) -> f64 {
    match (MusicalKey::parse(mine), MusicalKey::parse(theirs)) {
        (Some(mine), Some(theirs)) if mine == theirs => 1.0,
        (Some(mine), Some(theirs)) if mine.compatible().contains(&theirs) => 0.5,
        _ => 0.0,
    }
}

/// 1 for the same tempo, falling in a straight line to 0 at [`TEMPO_REACH`].
fn tempo_nearness(mine: f64, theirs: f64) -> f64 {
    (1.0 - (mine - theirs).abs() / mine.max(theirs) / TEMPO_REACH).max(0.0)
}

/// The list as shown: nothing of the source's content, no content twice, no author twice in a row. Whom that holds back comes as soon
/// as somebody else stands between.
fn arrange(mut alike: Vec<Similar>, content: Option<String>, limit: usize) -> Vec<Similar> {
    let mut contents: HashSet<String> = content.into_iter().collect();
    alike.retain(|similar| match &similar.hit.card.content_hash {
        Some(content) => contents.insert(content.clone()),
        None => true,
    });
    let mut arranged: Vec<Similar> = Vec::new();
    while arranged.len() < limit {
        let last = arranged.last().map(|similar| similar.hit.card.author.id);
        let Some(next) = alike.iter().position(|similar| Some(similar.hit.card.author.id) != last) else {
            break;
        };
        arranged.push(alike.remove(next));
    }
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_mix_are_near_whatever_their_notation() {
        assert_eq!(key_nearness("Am", "8A"), 1.0);
        assert_eq!(key_nearness("Am", "C"), 0.5);
        assert_eq!(key_nearness("Am", "F#"), 0.0);
        assert_eq!(key_nearness("no key", "no key"), 0.0);
    }

    #[test]
    fn tempo_is_near_within_the_reach_of_a_fader_and_both_ways_alike() {
        assert_eq!(tempo_nearness(128.0, 128.0), 1.0);
        assert!(tempo_nearness(128.0, 130.0) > tempo_nearness(128.0, 134.0));
        assert_eq!(tempo_nearness(128.0, 90.0), 0.0);
        assert_eq!(tempo_nearness(120.0, 124.0), tempo_nearness(124.0, 120.0));
    }
}
