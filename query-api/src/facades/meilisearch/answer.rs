//! Answers of the Meilisearch search API.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use store::search_log::Source;
use ulid::Ulid;

use super::error::MeiliError;
use super::request::{Paging, Search};
use crate::context::ApiContext;
use crate::facades::document::{Document, MarkedValue, PRIMARY_KEY, lists, searched, words_of};
use crate::facades::marks::Marked;
use crate::facades::query::{self, Found, MAX_REACH};
use crate::search_log::Searcher;

/// Header by which a client asks for the ids of its queries.
const WANTS_METADATA: &str = "meili-include-metadata";

/// Answers to the searches of one body.
pub(super) struct Answers(Vec<(String, Value)>);

impl Answers {
    /// Has them answered.
    pub(super) async fn of(
        context: &ApiContext,
        searcher: &Searcher,
        searches: Vec<Search>,
        headers: &HeaderMap,
    ) -> Result<Self, MeiliError> {
        let questions = searches.iter().map(Search::question).collect();
        let (found, took) = query::answer(context, searcher, Source::Meilisearch, questions).await?;
        let with_metadata = headers
            .get(WANTS_METADATA)
            .is_some_and(|wanted| wanted.as_bytes().eq_ignore_ascii_case(b"true"));
        let request_id = Ulid::generate().to_string();
        let answers = searches.into_iter().zip(found).map(|(search, found)| {
            let metadata = with_metadata.then(|| {
                let query_id = found.query_id.map(|id| id.to_string());
                json!({ "queryUid": query_id, "requestUid": request_id, "indexUid": search.uid, "primaryKey": PRIMARY_KEY })
            });
            let mut body = body_of(&search, found, took);
            if let Some(metadata) = metadata {
                body.insert("requestUid".to_owned(), json!(request_id));
                body.insert("metadata".to_owned(), metadata);
            }
            (search.uid, Value::Object(body))
        });
        Ok(Self(answers.collect()))
    }

    /// The answer to the only one.
    pub(super) fn into_first(self) -> Value {
        self.0.into_iter().next().map_or(Value::Null, |(_, body)| body)
    }

    /// All, each with its index.
    pub(super) fn into_all(self) -> Vec<Value> {
        let with_uid = |(uid, mut body): (String, Value)| {
            if let Some(body) = body.as_object_mut() {
                body.insert("indexUid".to_owned(), json!(uid));
            }
            body
        };
        self.0.into_iter().map(with_uid).collect()
    }
}

/// Whole milliseconds.
pub(super) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn body_of(search: &Search, found: Found, took: Duration) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let total = found.total;
    let hits = found.documents.into_iter().map(|document| hit(search, document));
    put("hits", hits.collect());
    put("query", json!(search.text()));
    put("processingTimeMs", json!(milliseconds(took)));
    match search.paging {
        Paging::Window { limit, offset } => {
            put("limit", json!(limit));
            put("offset", json!(offset));
            // Exact, under the name that it has there.
            put("estimatedTotalHits", json!(total));
        }
        Paging::Page { page, per_page } => {
            let reached = total.min(MAX_REACH as u64);
            put("hitsPerPage", json!(per_page));
            put("page", json!(page));
            put(
                "totalPages",
                json!(
                    reached
                        .checked_div(per_page as u64)
                        .map_or(0, |_| reached.div_ceil(per_page as u64))
                ),
            );
            put("totalHits", json!(total));
        }
    }
    if search.facets {
        let mut distribution = Map::new();
        for (name, values) in found.values {
            let values: Map<String, Value> = values.into_iter().map(|(value, count)| (value, json!(count))).collect();
            distribution.insert(name.to_owned(), Value::Object(values));
        }
        let mut stats = Map::new();
        for number in found.numbers {
            // Of numbers the ends are told, not how often each occurs.
            distribution.insert(number.name.to_owned(), json!({}));
            stats.insert(number.name.to_owned(), json!({ "min": number.min, "max": number.max }));
        }
        put("facetDistribution", Value::Object(distribution));
        put("facetStats", Value::Object(stats));
    }
    body
}

fn hit(search: &Search, mut document: Document) -> Value {
    let formatted = formatted(search, &document);
    let places = search.shows_places.then(|| places(&document));
    document.retain(&search.attributes_to_retrieve);
    let score = document.score;
    let mut attributes = document.attributes;
    if let Some(formatted) = formatted {
        attributes.insert("_formatted".to_owned(), Value::Object(formatted));
    }
    if let Some(places) = places {
        attributes.insert("_matchesPosition".to_owned(), Value::Object(places));
    }
    if search.shows_score {
        // Without a text all hits match equally well.
        attributes.insert("_rankingScore".to_owned(), json!(score.unwrap_or(1.0)));
    }
    Value::Object(attributes)
}

/// The attributes with marks; numbers as texts, as it is there.
fn formatted(search: &Search, document: &Document) -> Option<Map<String, Value>> {
    if search.attributes_to_highlight.is_empty() && search.attributes_to_crop.is_empty() {
        return None;
    }
    let wanted = document.attributes.iter().filter(|(name, _)| {
        lists(&search.attributes_to_retrieve, name)
            || lists(&search.attributes_to_highlight, name)
            || words_of(&search.attributes_to_crop, name).is_some()
    });
    let formatted = wanted.map(|(name, value)| {
        let highlighted = lists(&search.attributes_to_highlight, name);
        let written = |marked: &Marked| {
            if highlighted {
                marked.with(&search.pre_tag, &search.post_tag)
            } else {
                marked.text.clone()
            }
        };
        let marked = match words_of(&search.attributes_to_crop, name) {
            Some(words) => document.cropped(name, words, &search.crop_marker),
            None => document.marked(name),
        };
        let value = match marked {
            Some(MarkedValue::One(marked)) => Value::String(written(&marked)),
            Some(MarkedValue::Many(values)) => values.iter().map(written).collect(),
            None if value.is_number() => Value::String(value.to_string()),
            None => value.clone(),
        };
        (name.clone(), value)
    });
    Some(formatted.collect())
}

/// Where marks are, in bytes.
fn places(document: &Document) -> Map<String, Value> {
    let mut places = Map::new();
    for name in searched() {
        let places_of = |marked: &Marked, at: Option<usize>| -> Vec<Value> {
            let place = |mark: &std::ops::Range<usize>| match at {
                None => json!({ "start": mark.start, "length": mark.len() }),
                Some(at) => json!({ "start": mark.start, "length": mark.len(), "indices": [at] }),
            };
            marked.marks.iter().map(place).collect()
        };
        let found: Vec<Value> = match document.marked(name) {
            None => Vec::new(),
            Some(MarkedValue::One(marked)) => places_of(&marked, None),
            Some(MarkedValue::Many(values)) => values
                .iter()
                .enumerate()
                .flat_map(|(at, marked)| places_of(marked, Some(at)))
                .collect(),
        };
        if !found.is_empty() {
            places.insert(name.to_owned(), Value::Array(found));
        }
    }
    places
}
