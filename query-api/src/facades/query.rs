//! Questions of one body, answered together: all that are about the same text in one pass over the index.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indexer::{
    Condition, Facet, Filters, Flag, MAX_GROUPS, Matching, Number, SearchRequest, SearchResponse, Sort, Test, fold, words,
};
use store::search_log::{QueryId, Source};

use super::attribute::Attribute;
use super::document::Document;
use super::marks;
use crate::context::ApiContext;
use crate::error::ApiError;
use crate::search_log::{Answered, Searcher};

/// Deepest hit that page numbers reach; totals are exact beyond. `/v1/search` has cursors without a limit.
pub(super) const MAX_REACH: usize = 10_000;

/// Most hits of a page.
pub(super) const MAX_HITS: usize = 1000;

/// Most questions of one body that ask for all values of a facet.
const MAX_LISTED: usize = 8;

/// Longest text, in characters; what is longer is cut. Each further word would cost time.
const MAX_TEXT_CHARS: usize = 512;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) text: String,
    /// Which of its words hits must have.
    pub(super) matching: Matching,
    /// What hits must be like.
    pub(super) condition: Condition,
    /// What is to be counted.
    pub(super) count: Vec<Attribute>,
    /// Most values of each facet.
    pub(super) values: usize,
    pub(super) sort: Sort,
    pub(super) skip: usize,
    pub(super) limit: usize,
    /// Whether what met the text is to be marked.
    pub(super) marks: bool,
    /// Whether it is somebody's search, and not a part of what their page shows beside.
    pub(super) noted: bool,
}

/// Its answer.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) total: u64,
    pub(super) documents: Vec<Document>,
    /// Values of facets with their counts, the most frequent first; of flags `true` and `false`.
    pub(super) values: Vec<(&'static str, Vec<(String, u64)>)>,
    /// Spreads of numbers.
    pub(super) numbers: Vec<NumberFound>,
    /// Where it was noted: the id by which what is done with hits can be reported.
    pub(super) query_id: Option<QueryId>,
}

/// How a number is spread over the hits.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberFound {
    pub(super) name: &'static str,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
    pub(super) count: u64,
}

impl NumberFound {
    pub(super) fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

/// Answers all questions, and says how long that took.
pub(super) async fn answer(
    context: &ApiContext,
    searcher: &Searcher,
    source: Source,
    questions: Vec<Question>,
) -> Result<(Vec<Found>, Duration), ApiError> {
    check(&questions)?;
    let started = Instant::now();
    let now = Utc::now();
    // A flag is counted by a question of its own, in the same pass.
    let mut requests: Vec<SearchRequest> = Vec::new();
    let mut flags: Vec<Vec<(Flag, usize)>> = Vec::new();
    for question in &questions {
        requests.push(question.request(now));
    }
    for question in &questions {
        let of_question = question.count.iter().filter_map(|attribute| match attribute {
            Attribute::Flag(flag) => {
                let mut request = question.request(now);
                (request.limit, request.skip) = (0, 0);
                request.facets.clear();
                request.numbers.clear();
                request.filters.and(Condition::Is(Test::Flag(*flag)));
                requests.push(request);
                Some((*flag, requests.len() - 1))
            }
            Attribute::Facet(_) | Attribute::Number(_) => None,
        });
        flags.push(of_question.collect());
    }
    let (requests, answers) = context
        .ask_index(move |index, deadline| {
            for request in &mut requests {
                request.deadline = Some(deadline);
            }
            let answers = index.search_all(&requests)?;
            Ok((requests, answers))
        })
        .await?;
    let took = started.elapsed();
    let totals: Vec<u64> = answers.iter().map(|answer| answer.total).collect();
    let mut found = Vec::with_capacity(questions.len());
    for (((question, flags), answer), request) in questions.iter().zip(flags).zip(answers).zip(&requests) {
        let query_id = question.noted.then(|| {
            let answered = Answered {
                request,
                first_page: question.skip == 0,
                total: answer.total,
                took,
                source,
            };
            context.search_log.note(searcher, answered)
        });
        let flags = flags.into_iter().map(|(flag, at)| {
            let with = totals.get(at).copied().unwrap_or_default();
            let counts = [("true", with), ("false", answer.total - with.min(answer.total))];
            let counts = counts.into_iter().filter(|(_, count)| *count > 0);
            (flag.name(), counts.map(|(value, count)| (value.to_owned(), count)).collect())
        });
        let flags: Vec<_> = flags.collect();
        found.push(Found::of(answer, flags, query_id));
    }
    Ok((found, took))
}

/// Refuses a body of which each question is modest and all together are not: hits are read, marked and written after the index's own time is up.
fn check(questions: &[Question]) -> Result<(), ApiError> {
    let too_much = |detail: String| {
        Err(ApiError::BadRequest {
            code: "too_much",
            detail,
        })
    };
    let hits: usize = questions.iter().map(|question| question.limit.min(MAX_HITS)).sum();
    if hits > MAX_HITS {
        return too_much(format!(
            "all queries together ask for {hits} hits; at most {MAX_HITS} are given at once"
        ));
    }
    let listed = questions.iter().filter(|question| question.values > MAX_HITS).count();
    if listed > MAX_LISTED {
        return too_much(format!(
            "{listed} queries search the values of a facet; at most {MAX_LISTED} do at once"
        ));
    }
    Ok(())
}

impl Question {
    fn request(&self, now: DateTime<Utc>) -> SearchRequest {
        let limit = self.limit.min(MAX_HITS);
        let facets = self.count.iter().filter_map(|attribute| match attribute {
            Attribute::Facet(facet) => Some(*facet),
            Attribute::Number(_) | Attribute::Flag(_) => None,
        });
        let numbers = self.count.iter().filter_map(|attribute| match attribute {
            Attribute::Number(number) => Some(*number),
            Attribute::Facet(_) | Attribute::Flag(_) => None,
        });
        SearchRequest {
            text: self.text.chars().take(MAX_TEXT_CHARS).collect(),
            matching: self.matching,
            filters: filters(self.condition.clone()),
            facets: facets.collect::<Vec<Facet>>(),
            facet_limit: self.values,
            numbers: numbers.collect::<Vec<Number>>(),
            sort: self.sort,
            limit: limit.min(MAX_REACH.saturating_sub(self.skip)),
            skip: self.skip.min(MAX_REACH),
            highlight: self.marks.then(marks::options),
            // These APIs have no place for other texts.
            suggest: false,
            now,
            ..SearchRequest::default()
        }
    }
}

/// One group for each condition that must hold, so that the questions of a page share what they have in common. None belongs to a control:
/// here every question says for itself what narrows it.
fn filters(condition: Condition) -> Filters {
    fn flatten(condition: Condition, all: &mut Vec<Condition>) {
        match condition {
            Condition::All(inner) => inner.into_iter().for_each(|inner| flatten(inner, all)),
            other => all.push(other),
        }
    }
    let mut all = Vec::new();
    flatten(condition, &mut all);
    let mut filters = Filters::default();
    let rest = all.split_off(all.len().min(MAX_GROUPS - 2));
    all.into_iter().for_each(|condition| filters.and(condition));
    if !rest.is_empty() {
        filters.and(Condition::All(rest));
    }
    filters
}

impl Found {
    fn of(answer: SearchResponse, flags: Vec<(&'static str, Vec<(String, u64)>)>, query_id: Option<QueryId>) -> Self {
        let facets = answer.facets.into_iter().map(|counts| {
            let values = counts.values.into_iter().filter(|value| value.count > 0);
            let values = values.map(|value| (value.value, value.count));
            (counts.facet.name(), values.collect())
        });
        let numbers = answer.numbers.into_iter().filter_map(|counts| {
            Some(NumberFound {
                name: counts.number.name(),
                min: counts.min?,
                max: counts.max?,
                sum: counts.sum,
                count: counts.count,
            })
        });
        Self {
            total: answer.total,
            documents: answer.hits.into_iter().map(Document::from).collect(),
            values: facets.chain(flags).collect(),
            numbers: numbers.collect(),
            query_id,
        }
    }
}

/// The condition of one document.
pub(super) fn of_id(id: &str) -> Option<Condition> {
    let id: u64 = id.parse().ok()?;
    Some(Attribute::Number(Number::Id).is(&id.to_string()))
}

/// A question for one thing, without text.
pub(super) fn one(condition: Condition) -> Question {
    Question {
        text: String::new(),
        matching: Matching::All,
        condition,
        count: Vec::new(),
        values: 0,
        sort: Sort::Newest,
        skip: 0,
        limit: 1,
        marks: false,
        noted: false,
    }
}

/// Attributes of these names; `*` stands for all.
///
/// # Errors
/// The first name that is of none.
pub(super) fn counted(names: &[String]) -> Result<Vec<Attribute>, String> {
    if names.iter().any(|name| name == "*") {
        let all = Attribute::names().into_iter().filter_map(Attribute::parse);
        return Ok(all.filter(|attribute| *attribute != Attribute::Number(Number::Id)).collect());
    }
    let mut counted = Vec::new();
    for name in names {
        let attribute = Attribute::parse(name).ok_or_else(|| name.clone())?;
        if !counted.contains(&attribute) {
            counted.push(attribute);
        }
    }
    Ok(counted)
}

/// Values of the one facet that was counted, with a word that begins with what was typed, the most frequent first.
pub(super) fn values_that_begin(found: &[Found], typed: String, limit: usize) -> impl Iterator<Item = (&str, u64)> {
    let typed = fold(typed.trim());
    let values = found.iter().flat_map(|found| &found.values).flat_map(|(_, values)| values);
    let fits = move |value: &str| {
        let value = fold(value);
        value.starts_with(&typed) || words(&value).iter().any(|word| word.starts_with(&typed))
    };
    values
        .filter(move |(value, _)| fits(value))
        .map(|(value, count)| (value.as_str(), *count))
        .take(limit)
}
