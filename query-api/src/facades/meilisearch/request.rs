//! Requests of the Meilisearch search API.

use indexer::{Condition, Matching, Sort};
use serde_json::Value;

use super::error::MeiliError;
use super::fields::{Fields, wrong_type};
use super::filter;
use crate::facades::attribute::Attribute;
use crate::facades::document::cut;
use crate::facades::index_name::{order, order_of};
use crate::facades::query::{Found, MAX_HITS, Question, counted};

/// Most values of a facet, as in Meilisearch.
const MAX_VALUES: usize = 100;

/// Values of a facet that a search in them looks at: all.
const ALL_VALUES: usize = 1_000_000;

/// Longest tags and markers, in characters.
const MAX_TAG_CHARS: usize = 200;

/// Which page of hits is wanted, and how it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// `limit` and `offset`.
    Window { limit: usize, offset: usize },
    /// `page`, from 1, and `hitsPerPage`.
    Page { page: usize, per_page: usize },
}

impl Paging {
    fn skip(self) -> usize {
        match self {
            Self::Window { offset, .. } => offset,
            Self::Page { page, per_page } => page.saturating_sub(1).saturating_mul(per_page),
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Window { limit, .. } => limit,
            // There is no page 0.
            Self::Page { page: 0, .. } => 0,
            Self::Page { per_page, .. } => per_page,
        }
    }
}

/// A search.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) uid: String,
    pub(super) paging: Paging,
    pub(super) attributes_to_retrieve: Vec<String>,
    pub(super) attributes_to_highlight: Vec<String>,
    /// With the most words of each.
    pub(super) attributes_to_crop: Vec<(String, usize)>,
    pub(super) crop_marker: String,
    pub(super) pre_tag: String,
    pub(super) post_tag: String,
    pub(super) shows_places: bool,
    pub(super) shows_score: bool,
    /// Whether facets were asked for.
    pub(super) facets: bool,
    question: Question,
}

impl Search {
    /// Reads a search of an index.
    pub(super) fn read(uid: &str, fields: &mut Fields, noted: bool) -> Result<Self, MeiliError> {
        let sort_of_name = order_of(uid).ok_or_else(|| MeiliError::index_not_found(uid))?;
        let paging = paging(fields)?;
        let shared = Shared::read(uid, fields)?;
        let facets = fields.texts("facets", "invalid_search_facets")?;
        let count = counted(facets.as_deref().unwrap_or_default()).map_err(|name| not_a_facet(uid, &name))?;
        let highlighted = fields.texts("attributesToHighlight", "invalid_search_attributes_to_highlight")?;
        let cropped = fields.texts("attributesToCrop", "invalid_search_attributes_to_crop")?;
        let crop_length = fields.number("cropLength", "invalid_search_crop_length")?.unwrap_or(10);
        let shows_places = fields.flag("showMatchesPosition", "invalid_search_show_matches_position")?;
        let marks = highlighted.is_some() || cropped.is_some() || shows_places;
        let sort = match fields.texts("sort", "invalid_search_sort")?.unwrap_or_default().first() {
            Some(rule) => order(rule).map_err(|message| MeiliError::invalid("invalid_search_sort", inside(uid, &message)))?,
            None => sort_of_name,
        };
        let search = Self {
            uid: uid.to_owned(),
            paging,
            attributes_to_retrieve: retrieved(fields, "invalid_search_attributes_to_retrieve")?,
            attributes_to_highlight: highlighted.unwrap_or_default(),
            attributes_to_crop: cropped
                .unwrap_or_default()
                .iter()
                .map(|name| cut(name, crop_length))
                .collect(),
            crop_marker: tag(fields, "cropMarker", "…", "invalid_search_crop_marker")?,
            pre_tag: tag(fields, "highlightPreTag", "<em>", "invalid_search_highlight_pre_tag")?,
            post_tag: tag(fields, "highlightPostTag", "</em>", "invalid_search_highlight_post_tag")?,
            shows_places,
            shows_score: fields.flag("showRankingScore", "invalid_search_show_ranking_score")?,
            facets: facets.is_some(),
            question: Question {
                text: shared.text,
                matching: shared.matching,
                condition: shared.condition,
                count,
                values: MAX_VALUES,
                sort,
                skip: paging.skip(),
                limit: paging.limit(),
                marks,
                noted,
            },
        };
        // Known, and of no effect here.
        for name in [
            "showRankingScoreDetails",
            "showPerformanceDetails",
            "retrieveVectors",
            "locales",
            "media",
            "personalize",
            "useNetwork",
        ] {
            fields.take(name);
        }
        Ok(search)
    }

    pub(super) fn text(&self) -> &str {
        &self.question.text
    }

    pub(super) fn question(&self) -> Question {
        self.question.clone()
    }
}

/// A search in values of a facet.
#[derive(Clone, Debug)]
pub(super) struct FacetSearch {
    pub(super) facet_query: Option<String>,
    attribute: Attribute,
    shared: Shared,
}

impl FacetSearch {
    /// Reads one. Fields that it does not know are left alone: instant-meilisearch sends those of a search too.
    pub(super) fn read(uid: &str, fields: &mut Fields) -> Result<Self, MeiliError> {
        order_of(uid).ok_or_else(|| MeiliError::index_not_found(uid))?;
        let name = fields
            .text("facetName", "invalid_facet_search_facet_name")?
            .ok_or_else(|| MeiliError::invalid("missing_facet_search_facet_name", "Missing field `facetName`"))?;
        let attribute = match Attribute::parse(&name) {
            Some(attribute @ Attribute::Facet(_)) => attribute,
            _ => {
                let message = format!("Attribute `{}` is not facet-searchable.", name.escape_debug());
                return Err(MeiliError::invalid("invalid_facet_search_facet_name", message));
            }
        };
        Ok(Self {
            facet_query: fields.text("facetQuery", "invalid_facet_search_facet_query")?,
            attribute,
            shared: Shared::read(uid, fields)?,
        })
    }

    pub(super) fn question(&self) -> Question {
        Question {
            text: self.shared.text.clone(),
            matching: self.shared.matching,
            condition: self.shared.condition.clone(),
            count: vec![self.attribute],
            values: ALL_VALUES,
            sort: Sort::Newest,
            skip: 0,
            limit: 0,
            marks: false,
            noted: false,
        }
    }

    /// Values whose words begin with what was typed, the most frequent first.
    pub(super) fn hits<'a>(&self, found: &'a [Found]) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let wanted = self.facet_query.clone().unwrap_or_default();
        crate::facades::query::values_that_begin(found, wanted, MAX_VALUES)
    }
}

/// A question for similar documents.
#[derive(Clone, Debug)]
pub(super) struct Similar {
    pub(super) id: u64,
    pub(super) offset: usize,
    pub(super) limit: usize,
    pub(super) attributes_to_retrieve: Vec<String>,
    pub(super) show_ranking_score: bool,
}

impl Similar {
    pub(super) fn read(uid: &str, fields: &mut Fields) -> Result<Self, MeiliError> {
        order_of(uid).ok_or_else(|| MeiliError::index_not_found(uid))?;
        let id = match fields.take("id") {
            Some(Value::Number(id)) => id.as_u64(),
            Some(Value::String(id)) => id.parse().ok(),
            None => return Err(MeiliError::invalid("missing_similar_id", "Missing field `id`")),
            Some(_) => None,
        };
        let id = id.ok_or_else(|| {
            MeiliError::invalid(
                "invalid_similar_id",
                "Invalid value at `.id`: ids of documents are positive integers here.",
            )
        })?;
        if fields.take("filter").is_some_and(|filter| !filter.is_null()) {
            return Err(MeiliError::invalid(
                "invalid_similar_filter",
                "Similar documents cannot be filtered here.",
            ));
        }
        for name in [
            "embedder",
            "retrieveVectors",
            "showRankingScoreDetails",
            "rankingScoreThreshold",
        ] {
            fields.take(name);
        }
        Ok(Self {
            id,
            offset: fields.number("offset", "invalid_similar_offset")?.unwrap_or(0).min(200),
            limit: fields.number("limit", "invalid_similar_limit")?.unwrap_or(20).min(200),
            attributes_to_retrieve: retrieved(fields, "invalid_similar_attributes_to_retrieve")?,
            show_ranking_score: fields.flag("showRankingScore", "invalid_similar_show_ranking_score")?,
        })
    }
}

/// What all searches have.
#[derive(Clone, Debug)]
struct Shared {
    text: String,
    matching: Matching,
    condition: Condition,
}

impl Shared {
    fn read(uid: &str, fields: &mut Fields) -> Result<Self, MeiliError> {
        let matching = match fields
            .text("matchingStrategy", "invalid_search_matching_strategy")?
            .as_deref()
        {
            // As there: words are given up from the last one on, and what has all of them comes first.
            None | Some("last") => Matching::Last,
            Some("all") => Matching::All,
            Some("frequency") => Matching::Frequency,
            Some(other) => {
                let message = format!(
                    "Unknown value `{}` at `.matchingStrategy`: expected one of `last`, `all`, `frequency`",
                    other.escape_debug()
                );
                return Err(MeiliError::invalid("invalid_search_matching_strategy", message));
            }
        };
        for (name, code) in [
            ("hybrid", "invalid_search_hybrid_query"),
            ("vector", "invalid_search_vector"),
            ("distinct", "invalid_search_distinct"),
            ("attributesToSearchOn", "invalid_search_attributes_to_search_on"),
            ("rankingScoreThreshold", "invalid_search_ranking_score_threshold"),
        ] {
            if fields.take(name).is_some_and(|value| !value.is_null()) {
                let message = inside(uid, &format!("`{name}` is not available here."));
                return Err(MeiliError::invalid(code, message));
            }
        }
        let filter = fields.take("filter").unwrap_or(Value::Null);
        Ok(Self {
            text: fields.text("q", "invalid_search_q")?.unwrap_or_default(),
            matching,
            condition: filter::read(&filter)
                .map_err(|error| MeiliError::invalid("invalid_search_filter", inside(uid, &error.to_string())))?,
        })
    }
}

fn paging(fields: &mut Fields) -> Result<Paging, MeiliError> {
    let page = fields.number("page", "invalid_search_page")?;
    let per_page = fields.number("hitsPerPage", "invalid_search_hits_per_page")?;
    let limit = fields.number("limit", "invalid_search_limit")?;
    let offset = fields.number("offset", "invalid_search_offset")?;
    if page.is_some() || per_page.is_some() {
        return Ok(Paging::Page {
            page: page.unwrap_or(1),
            per_page: per_page.unwrap_or(20).min(MAX_HITS),
        });
    }
    Ok(Paging::Window {
        limit: limit.unwrap_or(20).min(MAX_HITS),
        offset: offset.unwrap_or(0),
    })
}

fn retrieved(fields: &mut Fields, code: &'static str) -> Result<Vec<String>, MeiliError> {
    Ok(fields
        .texts("attributesToRetrieve", code)?
        .unwrap_or_else(|| vec!["*".to_owned()]))
}

fn tag(fields: &mut Fields, name: &str, otherwise: &str, code: &'static str) -> Result<String, MeiliError> {
    let tag = fields.text(name, code)?.unwrap_or_else(|| otherwise.to_owned());
    if tag.chars().count() > MAX_TAG_CHARS {
        return Err(wrong_type(name, "a short string", &Value::String(tag), code));
    }
    Ok(tag)
}

fn inside(uid: &str, message: &str) -> String {
    format!("Index `{uid}`: {message}")
}

fn not_a_facet(uid: &str, name: &str) -> MeiliError {
    let names: Vec<String> = Attribute::names().into_iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "Invalid facet distribution: Attribute `{}` is not filterable. Available filterable attribute patterns are: {}.",
        name.escape_debug(),
        names.join(", ")
    );
    MeiliError::invalid("invalid_search_facets", inside(uid, &message))
}
