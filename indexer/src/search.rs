//! From a request to an answer, on one unchanging snapshot. No database on this path.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use store::gaps::Position;
use store::musical_key::MusicalKey;
use tantivy::index::SegmentId;
use tantivy::query::{Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Value};
use tantivy::{DocAddress, Searcher, Term};

use crate::SearchError;
use crate::candidates::Candidates;
use crate::collector::{Found, MAX_PREDICATES, Order, Pass, Question, Ranked};
use crate::columns::{SegmentColumns, columns_of};
use crate::counters::{Counters, CountersView};
use crate::document::Prose;
use crate::facet::Facet;
use crate::filter::{Control, Group, MAX_GROUPS};
use crate::generation::Generation;
use crate::highlight::Highlighter;
use crate::mixing::{Harmony, TempoNear};
use crate::number::{Number, Range};
use crate::plan::{Plan, Synonyms};
use crate::predicate::{groups_of, prepare};
use crate::rank::{TextQuery, shown};
use crate::relax::corrected;
use crate::request::{Cursor, Matching, SearchRequest, Sort};
use crate::response::{Card, FacetCounts, FacetValue, Hit, Mix, SearchResponse};
use crate::totals::Totals;
use crate::understand::Understood;
use crate::values::{ValueId, key_of};
use crate::{Condition, Test};

/// Most hits of one page, whatever is asked for.
const MAX_LIMIT: usize = 1000;

/// Most hits that may be left out before a page; cursors go deeper.
const MAX_SKIP: usize = 100_000;

// A request always finds room in a pass of its own: its groups, and what a tempo and a rack to mix with add.
const _: () = assert!(MAX_GROUPS + 4 <= MAX_PREDICATES);

/// A searcher with its companions, and the place in the log that it reflects.
pub(crate) struct Snapshot {
    pub(crate) generation: Arc<Generation>,
    pub(crate) searcher: Searcher,
    pub(crate) columns: Vec<Arc<SegmentColumns>>,
    totals: Totals,
    synonyms: Arc<Synonyms>,
    pub(crate) position: Position,
}

impl Snapshot {
    /// What the generation's reader shows now. Columns of segments that `before` has too are taken over.
    pub(crate) fn take(
        generation: Arc<Generation>,
        position: Position,
        counters: &Counters,
        synonyms: &Arc<Synonyms>,
        before: Option<&Snapshot>,
    ) -> tantivy::Result<Self> {
        let searcher = generation.reader.searcher();
        let before = before.filter(|before| Arc::ptr_eq(&before.generation, &generation));
        let known: HashMap<SegmentId, Arc<SegmentColumns>> = before
            .map(|before| {
                let ids = before.searcher.segment_readers().iter().map(|reader| reader.segment_id());
                ids.zip(before.columns.iter().cloned()).collect()
            })
            .unwrap_or_default();
        let columns = columns_of(&searcher, &known, &generation.values, counters)?;
        let totals = Totals::of(
            &searcher,
            &columns,
            before.map(|before| (&before.searcher, &before.columns[..], &before.totals)),
        );
        Ok(Self {
            generation,
            searcher,
            columns,
            totals,
            synonyms: synonyms.clone(),
            position,
        })
    }

    /// Answers requests, in their order. Those with the same text are answered in one pass.
    pub(crate) fn search(&self, requests: &[SearchRequest], counters: &CountersView) -> Result<Vec<SearchResponse>, SearchError> {
        let mut asked = Vec::with_capacity(requests.len());
        for request in requests {
            let mut one = Asked::of(self, request, counters)?;
            (one.request.now, one.request.deadline) = (requests[0].now, requests[0].deadline);
            asked.push(one);
        }
        let mut answers: Vec<Option<SearchResponse>> = requests.iter().map(|_| None).collect();
        while let Some(first) = answers.iter().position(Option::is_none) {
            let request = &asked[first].request;
            let understood = &asked[first].understood;
            let matching = request.matching;
            let text = self.text_query(understood, matching)?;
            let plan = text.as_ref().map(|text| &*text.plan);
            let mut pass = self.pass_of(request, counters);
            let mut together = Vec::new();
            for (at, asked) in asked.iter().enumerate().skip(first) {
                // Conditions are worked out here, each perhaps against every value of a facet.
                in_time(request)?;
                let same = asked.understood.has_text_of(understood) && asked.request.matching == matching;
                if answers[at].is_none() && same && self.join(asked, plan, &mut pass) {
                    together.push(at);
                }
            }
            let candidates = text.as_ref().map_or(Candidates::All, Candidates::Text);
            let found = self.make(&candidates, &pass)?;
            for ((at, found), question) in together.into_iter().zip(found).zip(&pass.questions) {
                in_time(request)?;
                let mut answer = self.answer(&asked[at], text.as_ref(), found, question, counters)?;
                self.offer_instead(&requests[at], text.as_ref(), &mut answer, counters)?;
                answers[at] = Some(answer);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Counts of one facet's values among what is visible.
    pub(crate) fn visible_totals(&self, facet: Facet, now: i64) -> Vec<u32> {
        self.totals.visible(facet, &self.searcher, &self.columns, now)
    }

    /// Counts of the values of a request's first facet, by their numbers.
    pub(crate) fn count_one(&self, request: &SearchRequest, counters: &CountersView) -> Result<Vec<u32>, SearchError> {
        let asked = Asked::of(self, request, counters)?;
        let text = self.text_query(&asked.understood, request.matching)?;
        if text.is_none() && asked.groups.is_empty() {
            let facet = request
                .facets
                .first()
                .map(|facet| self.visible_totals(*facet, request.now.timestamp()));
            return Ok(facet.unwrap_or_default());
        }
        let mut pass = self.pass_of(&asked.request, counters);
        self.join(&asked, text.as_ref().map(|text| &*text.plan), &mut pass);
        let candidates = text.as_ref().map_or(Candidates::All, Candidates::Text);
        let mut found = self.make(&candidates, &pass)?;
        let counts = found.pop().and_then(|mut found| found.counts.pop());
        Ok(counts.unwrap_or_default())
    }

    /// A pass without questions yet.
    pub(crate) fn pass_of(&self, request: &SearchRequest, counters: &CountersView) -> Pass {
        Pass {
            columns: self.columns.clone(),
            counters: counters.clone(),
            predicates: Vec::new(),
            questions: Vec::new(),
            scored: false,
            now: request.now.timestamp(),
            deadline: request.deadline,
            expired: Arc::default(),
        }
    }

    /// Adds a request to a pass, unless it has no room for its predicates.
    fn join(&self, asked: &Asked, plan: Option<&Plan>, pass: &mut Pass) -> bool {
        let mut predicates = pass.predicates.clone();
        let mut bits: Vec<(u64, Option<Control>)> = Vec::new();
        for group in &asked.groups {
            let predicate = prepare(&group.condition, &self.generation.values);
            let bit = predicates.iter().position(|known| *known == predicate).unwrap_or_else(|| {
                predicates.push(predicate);
                predicates.len() - 1
            });
            if bit >= MAX_PREDICATES {
                return false;
            }
            bits.push((1 << bit, group.of));
        }
        // What was asked for with one control and by itself or with another control too is not taken back by the one.
        let only_of = |control: Control| {
            let of_others = |bit: u64| bits.iter().any(|(its, of)| *its == bit && *of != Some(control));
            let own = bits.iter().filter(|(bit, of)| *of == Some(control) && !of_others(*bit));
            own.fold(0, |all, (bit, _)| all | bit)
        };
        let mut controls: Vec<(Control, u64)> = Vec::new();
        for control in bits.iter().filter_map(|(_, of)| *of) {
            if !controls.iter().any(|(known, _)| *known == control) {
                controls.push((control, only_of(control)));
            }
        }
        let request = &asked.request;
        let scored = !asked.understood.sought.is_empty() && request.sort == Sort::Relevance;
        pass.predicates = predicates;
        // What misses a word comes later in every order, which the score alone tells.
        let stepped = plan.is_some_and(Plan::has_steps);
        pass.scored |= scored || (stepped && (request.limit > 0 || request.after.is_some()));
        pass.questions.push(Question {
            needs: bits.iter().fold(0, |all, (bit, _)| all | bit),
            controls,
            // What nothing narrows is counted already.
            facets: if asked.groups.is_empty() && plan.is_none() {
                Vec::new()
            } else {
                request.facets.clone()
            },
            numbers: request.numbers.clone(),
            order: Order {
                sort: request.sort,
                seed: request.after.map_or(request.seed, |cursor| cursor.seed),
                tempo: request.tempo,
                scored,
                stepped,
            },
            limit: request.skip.min(MAX_SKIP) + request.limit.min(MAX_LIMIT),
            after: request.after.map(|cursor| (cursor.key, cursor.id)),
        });
        true
    }

    fn answer(
        &self,
        asked: &Asked,
        text: Option<&TextQuery>,
        found: Found,
        question: &Question,
        counters: &CountersView,
    ) -> Result<SearchResponse, SearchError> {
        let request = &asked.request;
        let next = found
            .top
            .last()
            .filter(|_| found.more && request.limit > 0)
            .map(|last| Cursor {
                sort: request.sort,
                key: last.key,
                id: last.id,
                seed: question.order.seed,
            });
        let page = found.top.get(request.skip.min(MAX_SKIP)..).unwrap_or_default();
        let highlighter = match (text, &request.highlight) {
            (Some(text), Some(options)) => Some(Highlighter::new(&text.plan, options)),
            _ => None,
        };
        let mut hits = Vec::with_capacity(page.len());
        for ranked in page {
            let mut hit = self.hit(ranked, counters, question.order.scored)?;
            if let Some(text) = text {
                hit.score = hit.score.map(|score| shown(score, text.plan.long));
                if request.explain {
                    let columns = &self.columns[ranked.address.segment_ord as usize];
                    hit.explained = text.explained(&self.searcher, columns, counters, ranked.address)?;
                }
            }
            if let Some(highlighter) = &highlighter {
                hit.highlights = highlighter.of(&hit.card, &self.prose(ranked.address)?);
            }
            hits.push(hit);
        }
        Ok(SearchResponse {
            total: found.total,
            hits,
            facets: if question.facets.is_empty() {
                let now = request.now.timestamp();
                let totals = request.facets.iter().map(|facet| (facet, self.visible_totals(*facet, now)));
                totals
                    .map(|(facet, counts)| self.facet_counts(*facet, &counts, request))
                    .collect()
            } else {
                let counted = question.facets.iter().zip(found.counts);
                counted
                    .map(|(facet, counts)| self.facet_counts(*facet, &counts, request))
                    .collect()
            },
            numbers: found.numbers,
            mix: asked.mix,
            next,
            position: self.position.cursor(),
            understood: asked.understood.clone(),
            ignored: text.map(|text| text.plan.ignored.clone()).unwrap_or_default(),
            may_miss: text.map(|text| text.plan.may_miss).unwrap_or_default(),
            did_you_mean: None,
            relaxed: Vec::new(),
        })
    }

    /// Adds what could be searched instead.
    fn offer_instead(
        &self,
        request: &SearchRequest,
        text: Option<&TextQuery>,
        answer: &mut SearchResponse,
        counters: &CountersView,
    ) -> Result<(), SearchError> {
        let plan = text.map(|text| &*text.plan);
        answer.did_you_mean = plan.and_then(|plan| corrected(&request.text, plan));
        if answer.total == 0 && request.suggest && request.after.is_none() && request.skip == 0 {
            if answer.did_you_mean.is_none() {
                answer.did_you_mean = self.likelier(request, &answer.understood, counters)?;
            }
            answer.relaxed = self.relaxed(request, &answer.understood, plan, counters)?;
        }
        Ok(())
    }

    /// What is looked for by text, planned for this snapshot; none if nothing is.
    fn text_query(&self, understood: &Understood, matching: Matching) -> tantivy::Result<Option<TextQuery>> {
        if understood.is_without_text() {
            return Ok(None);
        }
        let fields = &self.generation.fields;
        let plan = Plan::new(understood, matching, &self.synonyms, fields, &self.searcher)?;
        TextQuery::new(plan, fields, &self.searcher).map(Some)
    }

    pub(crate) fn hit(&self, ranked: &Ranked, counters: &CountersView, scored: bool) -> Result<Hit, SearchError> {
        let document: tantivy::TantivyDocument = self.searcher.doc(ranked.address)?;
        let card = document
            .get_first(self.generation.fields.card)
            .and_then(|value| value.as_bytes())
            .unwrap_or_default();
        let columns = &self.columns[ranked.address.segment_ord as usize];
        Ok(Hit {
            card: serde_json::from_slice::<Card>(card)?,
            counts: counters.get(columns.slots[ranked.address.doc_id as usize]),
            score: scored.then_some(ranked.score),
            highlights: Vec::new(),
            explained: None,
        })
    }

    fn prose(&self, address: DocAddress) -> Result<Prose, SearchError> {
        let document: tantivy::TantivyDocument = self.searcher.doc(address)?;
        let prose = document
            .get_first(self.generation.fields.prose)
            .and_then(|value| value.as_bytes())
            .unwrap_or_default();
        Ok(serde_json::from_slice(prose)?)
    }

    /// The workflow with an id, if it is visible.
    pub(crate) fn visible(&self, id: u64, request: &SearchRequest, counters: &CountersView) -> Result<Option<Hit>, SearchError> {
        let query = TermQuery::new(Term::from_field_u64(self.generation.fields.id, id), IndexRecordOption::Basic);
        Ok(self.best(&query, 1, request, counters)?.pop())
    }

    /// The best visible matches of a query; of the request only time and deadline matter.
    pub(crate) fn best(
        &self,
        query: &dyn Query,
        limit: usize,
        request: &SearchRequest,
        counters: &CountersView,
    ) -> Result<Vec<Hit>, SearchError> {
        let mut pass = self.pass_of(request, counters);
        pass.scored = true;
        pass.questions.push(Question {
            needs: 0,
            controls: Vec::new(),
            facets: Vec::new(),
            numbers: Vec::new(),
            order: Order {
                sort: Sort::Relevance,
                seed: 0,
                tempo: None,
                scored: true,
                stepped: false,
            },
            limit,
            after: None,
        });
        let candidates = Candidates::of(query, &self.searcher, true)?;
        let found = self.make(&candidates, &pass)?.pop().unwrap_or_default();
        found.top.iter().map(|ranked| self.hit(ranked, counters, true)).collect()
    }

    /// The most frequent values, and the selected ones.
    fn facet_counts(&self, facet: Facet, counts: &[u32], request: &SearchRequest) -> FacetCounts {
        let known = &self.generation.values[facet.number()];
        let mut chosen: Vec<(String, &str)> = Vec::new();
        for value in request.filters.chosen(facet) {
            let key = key_of(value);
            if !chosen.iter().any(|(known, _)| *known == key) {
                chosen.push((key, value));
            }
        }
        let numbers: Vec<ValueId> = chosen.iter().filter_map(|(key, _)| known.find(key)).collect();
        let (shown, distinct) = known.top(counts, request.facet_limit, &numbers);
        let mut values: Vec<FacetValue> = shown
            .into_iter()
            .map(|counted| {
                let selected = chosen.iter().any(|(key, _)| *key == counted.key);
                chosen.retain(|(key, _)| *key != counted.key);
                FacetValue {
                    value: counted.written,
                    count: counted.count,
                    selected,
                }
            })
            .collect();
        // What nothing has is shown too, so that it can be unselected.
        values.extend(chosen.into_iter().map(|(_, value)| FacetValue {
            value: value.to_owned(),
            count: 0,
            selected: true,
        }));
        FacetCounts { facet, values, distinct }
    }
}

/// A request with what it asks for by reference looked up.
struct Asked {
    request: SearchRequest,
    understood: Understood,
    groups: Vec<Group>,
    mix: Option<Mix>,
}

impl Asked {
    fn of(snapshot: &Snapshot, request: &SearchRequest, counters: &CountersView) -> Result<Self, SearchError> {
        request.filters.check()?;
        if let Some(cursor) = &request.after
            && cursor.sort != request.sort
        {
            return Err(SearchError::BadCursor(cursor.to_string()));
        }
        let mut request = request.clone();
        let understood = Understood::read(&request.text);
        for fielded in &understood.fielded {
            // A text is never refused: what would be too much is left out.
            if request.filters.groups.len() + 4 < MAX_GROUPS {
                fielded.narrow(&mut request.filters);
            }
        }
        let mut seen = Vec::new();
        request.facets.retain(|facet| {
            !seen.contains(facet) && {
                seen.push(*facet);
                true
            }
        });
        let mix = match request.mix_with {
            Some(id) => Some(mix_with(id, snapshot, &mut request, counters)?),
            None => None,
        };
        if request.sort == Sort::BpmDistance && request.tempo.is_none() && mix.is_none() {
            return Err(SearchError::NoTempo);
        }
        Ok(Self {
            groups: groups_of(&request),
            request,
            understood,
            mix,
        })
    }
}

/// Asks for what mixes with a rack: a compatible key, a near tempo, and another rack. What the request says of tempo itself goes first.
fn mix_with(id: u64, snapshot: &Snapshot, request: &mut SearchRequest, counters: &CountersView) -> Result<Mix, SearchError> {
    let source = snapshot
        .visible(id, request, counters)?
        .ok_or(SearchError::NothingToMix(id))?
        .card;
    let key = source.key.as_deref().and_then(MusicalKey::parse);
    if key.is_none() && source.bpm.is_none() {
        return Err(SearchError::NothingToMix(id));
    }
    if let Some(key) = key {
        let keys = Harmony::Compatible.keys(key);
        let keys = keys.iter().map(|key| Condition::value(Facet::Key, key.name()));
        request
            .filters
            .and_of(Control::Facet(Facet::Key), Condition::Any(keys.collect()));
    }
    if let Some(bpm) = source.bpm {
        request.tempo.get_or_insert(TempoNear::of(bpm));
    }
    let itself = Condition::Is(Test::Number(Number::Id, Range::exactly(id as f64)));
    request.filters.and(itself.negated());
    Ok(Mix {
        with: id,
        key,
        bpm: source.bpm,
    })
}

/// Whether there is time left for a request.
fn in_time(request: &SearchRequest) -> Result<(), SearchError> {
    match request.deadline {
        Some(deadline) if Instant::now() >= deadline => Err(SearchError::TimedOut),
        _ => Ok(()),
    }
}
