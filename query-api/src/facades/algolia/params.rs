//! Parameters of a query, however they are sent.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, Uri};
use indexer::{Condition, Matching, Sort};
use serde_json::{Map, Value};

use super::error::AlgoliaError;
use super::filters;
use crate::facades::attribute::Attribute;
use crate::facades::document::cut;
use crate::facades::index_name::order_of;
use crate::facades::query::{MAX_HITS, Question, counted};

/// Most values of a facet, as in Algolia.
const MAX_VALUES: usize = 1000;

/// Values of a facet when none says how many, as in Algolia.
const USUAL_VALUES: usize = 100;

/// Values of a facet that a search in them looks at: all.
const ALL_VALUES: usize = 1_000_000;

/// Most values that a search in them gives, as in Algolia.
const MAX_FACET_HITS: usize = 100;

/// Longest tags, in characters.
const MAX_TAG_CHARS: usize = 200;

/// Words of a snippet when none says how many, as in Algolia.
const SNIPPET_WORDS: usize = 10;

/// Reads a body as JSON. An empty one has no parameters.
pub(super) fn read_body(body: Result<Bytes, BytesRejection>) -> Result<Value, AlgoliaError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => AlgoliaError::too_large(),
        _ => AlgoliaError::invalid("The body ended early"),
    })?;
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&body).map_err(|error| AlgoliaError::invalid(format!("Invalid JSON: {error}")))
}

/// Parameters that were not taken yet.
#[derive(Debug)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Of a query: flat, and those in `params`, which go before.
    pub(super) fn of(query: &Value) -> Result<Self, AlgoliaError> {
        let Value::Object(flat) = query else {
            return Err(AlgoliaError::invalid("A query must be an object"));
        };
        let mut all = flat.clone();
        match all.remove("params") {
            Some(Value::Object(inner)) => all.extend(inner),
            Some(Value::String(text)) => all.extend(of_address(&text)?),
            _ => {}
        }
        Ok(Self(all))
    }

    /// A text; a number or a truth value is one too, as written.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// A number that is none below zero; also as a text.
    fn number(&mut self, name: &str) -> Result<Option<usize>, AlgoliaError> {
        let wrong = || AlgoliaError::invalid(format!("\"{name}\" must be a positive integer"));
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                number.map(Some).ok_or_else(wrong)
            }
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        match self.0.remove(name)? {
            Value::Bool(flag) => Some(flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A list of texts: as one, as JSON in a text, joined by commas, or a single one.
    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let of_array = |members: Vec<Value>| -> Vec<String> {
            let texts = members.into_iter().filter_map(|member| match member {
                Value::String(text) => Some(text),
                _ => None,
            });
            texts.collect()
        };
        match self.0.remove(name)? {
            Value::Array(members) => Some(of_array(members)),
            Value::String(text) if text.trim_start().starts_with('[') => serde_json::from_str(&text).ok().map(of_array),
            Value::String(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// Parameters like those of an address's query: `query=warm&facets=%5B%22genre%22%5D`.
fn of_address(text: &str) -> Result<Map<String, Value>, AlgoliaError> {
    let wrong = || AlgoliaError::invalid("\"params\" cannot be read");
    let text: String = text
        .trim_start_matches('?')
        .chars()
        .map(|c| if c == ' ' { '+' } else { c })
        .collect();
    let uri: Uri = format!("/?{text}").parse().map_err(|_| wrong())?;
    let axum::extract::Query(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| wrong())?;
    Ok(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

/// What a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Hits.
    Hits,
    /// Values of a facet that begin so, at most so many.
    Values { typed: String, limit: usize },
}

/// A query.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) index: String,
    pub(super) kind: Kind,
    pub(super) question: Question,
    /// Number of the page, from 0, and hits on it.
    pub(super) page: usize,
    pub(super) per_page: usize,
    /// Whether it was asked for by `offset` and `length` instead.
    pub(super) window: bool,
    pub(super) attributes_to_retrieve: Vec<String>,
    /// None: all that are searched.
    pub(super) attributes_to_highlight: Option<Vec<String>>,
    /// With the most words of each.
    pub(super) attributes_to_snippet: Vec<(String, usize)>,
    pub(super) ellipsis: String,
    pub(super) pre_tag: String,
    pub(super) post_tag: String,
    /// Whether the id of the query is wanted.
    pub(super) click_analytics: bool,
    /// Whether facets were asked for.
    pub(super) facets: bool,
}

impl Request {
    /// Reads a query of an index.
    pub(super) fn read(index: &str, params: &mut Params) -> Result<Self, AlgoliaError> {
        if params.text("type").as_deref() == Some("facet") {
            let facet = params
                .text("facet")
                .ok_or_else(|| AlgoliaError::invalid("\"facet\" is missing"))?;
            return Self::read_facet(index, &facet, params);
        }
        let mut request = Self::with_condition(index, params)?;
        let names = params.texts("facets");
        request.facets = names.is_some();
        // Names that are of no attribute are ignored, as there.
        let names: Vec<String> = names
            .unwrap_or_default()
            .into_iter()
            .filter(|name| name == "*" || Attribute::parse(name).is_some())
            .collect();
        request.question.count = counted(&names).unwrap_or_default();
        request.question.values = params.number("maxValuesPerFacet")?.unwrap_or(USUAL_VALUES).min(MAX_VALUES);
        Ok(request)
    }

    /// Reads a search in the values of a facet.
    pub(super) fn read_facet(index: &str, facet: &str, params: &mut Params) -> Result<Self, AlgoliaError> {
        let attribute = match Attribute::parse(facet) {
            Some(attribute @ Attribute::Facet(_)) => attribute,
            _ => {
                let message = format!(
                    "Cannot search in `{}` attribute, you need to add `searchable({})` to attributesForFaceting.",
                    facet.escape_debug(),
                    facet.escape_debug()
                );
                return Err(AlgoliaError::invalid(message));
            }
        };
        let typed = params.text("facetQuery").unwrap_or_default();
        let limit = params.number("maxFacetHits")?.unwrap_or(10).min(MAX_FACET_HITS);
        let mut request = Self::with_condition(index, params)?;
        request.kind = Kind::Values { typed, limit };
        request.question.count = vec![attribute];
        request.question.values = ALL_VALUES;
        request.question.limit = 0;
        request.question.noted = false;
        Ok(request)
    }

    fn with_condition(index: &str, params: &mut Params) -> Result<Self, AlgoliaError> {
        let sort = order_of(index).ok_or_else(|| AlgoliaError::index_not_found(index))?;
        let per_page = params.number("hitsPerPage")?.unwrap_or(20).min(MAX_HITS);
        let page = params.number("page")?.unwrap_or(0);
        let (offset, length) = (params.number("offset")?, params.number("length")?);
        let window = offset.is_some() || length.is_some();
        let (skip, limit) = if window {
            (offset.unwrap_or(0), length.unwrap_or(20).min(MAX_HITS))
        } else {
            (page.saturating_mul(per_page), per_page)
        };
        let attributes_to_highlight = params.texts("attributesToHighlight");
        let attributes_to_snippet: Vec<String> = params.texts("attributesToSnippet").unwrap_or_default();
        let marks = attributes_to_highlight.as_ref().is_none_or(|names| !names.is_empty()) || !attributes_to_snippet.is_empty();
        let mut tag = |name: &str, otherwise: &str| {
            let tag = params.text(name).filter(|tag| tag.chars().count() <= MAX_TAG_CHARS);
            tag.unwrap_or_else(|| otherwise.to_owned())
        };
        let ellipsis = tag("snippetEllipsisText", "…");
        let (pre_tag, post_tag) = (tag("highlightPreTag", "<em>"), tag("highlightPostTag", "</em>"));
        Ok(Self {
            index: index.to_owned(),
            kind: Kind::Hits,
            page,
            per_page: if window { limit } else { per_page },
            window,
            attributes_to_retrieve: params.texts("attributesToRetrieve").unwrap_or_else(|| vec!["*".to_owned()]),
            attributes_to_highlight,
            attributes_to_snippet: attributes_to_snippet.iter().map(|name| cut(name, SNIPPET_WORDS)).collect(),
            ellipsis,
            pre_tag,
            post_tag,
            click_analytics: params.flag("clickAnalytics").unwrap_or(false),
            facets: false,
            question: Question {
                text: params.text("query").unwrap_or_default(),
                // As there, where nothing says which words are optional.
                matching: Matching::All,
                condition: condition(params)?,
                count: Vec::new(),
                values: USUAL_VALUES,
                sort,
                skip,
                limit,
                marks: marks && limit > 0,
                noted: params.flag("analytics").unwrap_or(true),
            },
        })
    }

    /// Whether hits are in order of relevance.
    pub(super) fn is_by_relevance(&self) -> bool {
        self.question.sort == Sort::Relevance
    }
}

/// Reads one member of a list of filters.
type ReadOne = fn(&str) -> Result<Condition, AlgoliaError>;

/// All filters together.
fn condition(params: &mut Params) -> Result<Condition, AlgoliaError> {
    let mut all = Vec::new();
    if let Some(text) = params.text("filters") {
        all.push(filters::expression(&text)?);
    }
    let lists: [(&str, ReadOne); 3] = [
        ("facetFilters", filters::of_facet),
        ("numericFilters", filters::of_number),
        ("tagFilters", filters::of_tag),
    ];
    for (name, read) in lists {
        if let Some(value) = params.0.remove(name).filter(|value| !value.is_null()) {
            all.push(filters::nested(name, &value, read)?);
        }
    }
    Ok(Condition::All(all))
}
