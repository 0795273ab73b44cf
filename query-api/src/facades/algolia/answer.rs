//! Answers of the Algolia queries API.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::params::{Kind, Request};
use crate::facades::document::{Document, MarkedValue, PRIMARY_KEY, lists, searched, words_of};
use crate::facades::marks::Marked;
use crate::facades::query::{Found, MAX_REACH, values_that_begin};

/// The answer to one query.
pub(super) fn body(request: &Request, found: Found, took: Duration) -> Value {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if let Kind::Values { typed, limit } = &request.kind {
        let found = [found];
        let hits = values_that_begin(&found, typed.clone(), *limit);
        let hits = hits
            .map(|(value, count)| json!({ "value": value, "highlighted": highlighted(request, value, typed), "count": count }));
        return json!({
            "facetHits": hits.collect::<Vec<_>>(),
            "exhaustiveFacetsCount": true,
            "processingTimeMS": took_ms,
            "index": request.index,
        });
    }
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let query_id = found.query_id.filter(|_| request.click_analytics);
    put(
        "hits",
        found.documents.into_iter().map(|document| hit(request, document)).collect(),
    );
    // Totals are exact; page numbers reach as far as they reach.
    put("nbHits", json!(found.total));
    if request.window {
        put("offset", json!(request.question.skip));
        put("length", json!(request.question.limit));
    } else {
        let reached = found.total.min(MAX_REACH as u64);
        let per_page = request.per_page as u64;
        put("page", json!(request.page));
        put("nbPages", json!(if per_page == 0 { 0 } else { reached.div_ceil(per_page) }));
        put("hitsPerPage", json!(request.per_page));
    }
    if request.facets {
        let mut facets = Map::new();
        for (name, values) in found.values {
            // An attribute that no hit has is absent.
            if !values.is_empty() {
                let values: Map<String, Value> = values.into_iter().map(|(value, count)| (value, json!(count))).collect();
                facets.insert(name.to_owned(), Value::Object(values));
            }
        }
        let mut stats = Map::new();
        for number in found.numbers {
            // Of numbers the ends are told, not how often each occurs.
            facets.insert(number.name.to_owned(), json!({}));
            stats.insert(
                number.name.to_owned(),
                json!({ "min": number.min, "max": number.max, "avg": number.mean(), "sum": number.sum }),
            );
        }
        put("facets", Value::Object(facets));
        put("facets_stats", Value::Object(stats));
    }
    put("exhaustiveNbHits", json!(true));
    put("exhaustiveFacetsCount", json!(true));
    put("exhaustiveTypo", json!(true));
    put("exhaustive", json!({ "nbHits": true, "facetsCount": true, "typo": true }));
    put("query", json!(request.question.text));
    put("params", json!(""));
    put("index", json!(request.index));
    put("processingTimeMS", json!(took_ms));
    if let Some(query_id) = query_id {
        put("queryID", json!(query_id.to_string()));
    }
    Value::Object(body)
}

fn hit(request: &Request, mut document: Document) -> Value {
    let highlights = highlights(request, &document);
    let snippets = snippets(request, &document);
    let id = document.id();
    document.retain(&request.attributes_to_retrieve);
    let mut attributes = document.attributes;
    attributes.remove(PRIMARY_KEY);
    attributes.insert("objectID".to_owned(), json!(id));
    if !highlights.is_empty() {
        attributes.insert("_highlightResult".to_owned(), Value::Object(highlights));
    }
    if !snippets.is_empty() {
        attributes.insert("_snippetResult".to_owned(), Value::Object(snippets));
    }
    if let Some(score) = document.score.filter(|_| request.is_by_relevance()) {
        attributes.insert("_score".to_owned(), json!(score));
    }
    Value::Object(attributes)
}

fn highlights(request: &Request, document: &Document) -> Map<String, Value> {
    let wanted = |name: &str| match &request.attributes_to_highlight {
        None => true,
        Some(names) => lists(names, name),
    };
    let marked = searched().filter(|name| wanted(name)).filter_map(|name| {
        let value = match document.marked(name)? {
            MarkedValue::One(marked) => highlight(request, &marked),
            MarkedValue::Many(values) => values.iter().map(|marked| highlight(request, marked)).collect(),
        };
        Some((name.to_owned(), value))
    });
    marked.collect()
}

/// A text with marks, and how much of the query it meets.
fn highlight(request: &Request, marked: &Marked) -> Value {
    let asked = request.question.text.split_whitespace().count();
    let mut distinct: Vec<String> = marked.words().map(str::to_lowercase).collect();
    distinct.sort();
    distinct.dedup();
    let level = match distinct.len() {
        0 => "none",
        met if met >= asked => "full",
        _ => "partial",
    };
    let covered: usize = marked.marks.iter().map(|mark| mark.len()).sum();
    let mut body = json!({
        "value": marked.with(&request.pre_tag, &request.post_tag),
        "matchLevel": level,
        "matchedWords": distinct,
    });
    if level != "none"
        && let Some(body) = body.as_object_mut()
    {
        body.insert("fullyHighlighted".to_owned(), json!(covered == marked.text.len()));
    }
    body
}

fn snippets(request: &Request, document: &Document) -> Map<String, Value> {
    let wanted = searched().filter_map(|name| Some((name, words_of(&request.attributes_to_snippet, name)?)));
    let snippets = wanted.filter_map(|(name, words)| {
        let one = |marked: &Marked| {
            let level = if marked.marks.is_empty() { "none" } else { "full" };
            json!({ "value": marked.with(&request.pre_tag, &request.post_tag), "matchLevel": level })
        };
        let value = match document.cropped(name, words, &request.ellipsis)? {
            MarkedValue::One(marked) => one(&marked),
            MarkedValue::Many(values) => values.iter().map(one).collect(),
        };
        Some((name.to_owned(), value))
    });
    snippets.collect()
}

/// A facet's value with marks around the beginnings that were typed, where letter case alone differs.
fn highlighted(request: &Request, value: &str, typed: &str) -> String {
    let typed = typed.trim();
    if typed.is_empty() {
        return value.to_owned();
    }
    let begins = |at: usize| {
        let part = value.get(at..at + typed.len())?;
        part.eq_ignore_ascii_case(typed).then_some(at..at + typed.len())
    };
    let starts_word = |at: usize| value[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
    let mark = value
        .char_indices()
        .map(|(at, _)| at)
        .filter(|at| starts_word(*at))
        .find_map(begins);
    let marked = Marked {
        text: value.to_owned(),
        marks: mark.into_iter().collect(),
    };
    marked.with(&request.pre_tag, &request.post_tag)
}
