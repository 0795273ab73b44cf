//! What `GET /v1/search` is asked: every parameter read, bounded and named when it is refused.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use indexer::{Facet, SearchRequest, Sort};
use store::musical_key::MusicalKey;

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError};

/// Longest text, in characters. Nobody types more; each further word would cost time.
const MAX_TEXT_CHARS: usize = 512;

/// Longest selected value, in characters: no column that a value comes from holds more.
const MAX_VALUE_CHARS: usize = 255;

/// Most selected values in one search.
const MAX_VALUES: usize = 64;

/// Most hits of a page.
const MAX_LIMIT: usize = 100;

/// Most values of each facet.
const MAX_FACET_LIMIT: usize = 200;

/// A search, and the position in the log of changes that its answer must reflect, if any.
#[derive(Clone, Debug)]
pub(crate) struct SearchParams {
    /// What to search.
    pub(crate) request: SearchRequest,
    /// Position to wait for.
    pub(crate) wait_for: Option<u64>,
}

impl FromRequestParts<ApiContext> for SearchParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, context)
            .await
            .map_err(|error| ApiError::BadRequest {
                code: "bad_query",
                detail: error.body_text(),
            })?;
        Self::read(pairs)
    }
}

impl SearchParams {
    fn read(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut params = Self {
            request: SearchRequest::default(),
            wait_for: None,
        };
        let mut errors = Vec::new();
        for (name, value) in pairs {
            if let Err(message) = params.take(&name, value) {
                errors.push(FieldError::new(name, message));
            }
        }
        let selected: usize = params.request.selections.values().map(Vec::len).sum();
        if selected > MAX_VALUES {
            errors.push(FieldError::new(
                "selections",
                format!("must be at most {MAX_VALUES} values, not {selected}"),
            ));
        }
        if errors.is_empty() {
            Ok(params)
        } else {
            Err(ApiError::Invalid(errors))
        }
    }

    /// Takes one parameter. The text of an error is to be read after the parameter's name.
    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let request = &mut self.request;
        match name {
            "q" => {
                within(&value, MAX_TEXT_CHARS)?;
                request.text = value;
            }
            "bpm" => request.bpm = Some(value.parse().map_err(sentence)?),
            "sort" => {
                request.sort = Sort::parse(&value).ok_or_else(|| one_of(Sort::ALL.map(Sort::name)))?;
            }
            "limit" => request.limit = number(&value, MAX_LIMIT)?,
            "cursor" => request.after = Some(value.parse().map_err(sentence)?),
            "facet_limit" => request.facet_limit = number(&value, MAX_FACET_LIMIT)?,
            "facets" => {
                request.facets = value
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(|name| Facet::parse(name).ok_or_else(|| one_of(Facet::ALL.map(Facet::name))))
                    .collect::<Result<_, _>>()?;
            }
            "wait_for" => self.wait_for = Some(value.parse().map_err(|_| "must be a position".to_owned())?),
            _ => {
                let facet = Facet::parse(name).ok_or("is no parameter of this search")?;
                let value = selected(facet, value)?;
                request.selections.entry(facet).or_default().push(value);
            }
        }
        Ok(())
    }
}

/// A selected value, in the form in which the index has it.
fn selected(facet: Facet, value: String) -> Result<String, String> {
    within(&value, MAX_VALUE_CHARS)?;
    let closed = |names: &[&'static str]| {
        if names.contains(&value.as_str()) {
            Ok(value.clone())
        } else {
            Err(one_of(names.iter().copied()))
        }
    };
    match facet {
        Facet::Kind => closed(&["audio_effect", "instrument", "midi_effect", "drum"]),
        Facet::Difficulty => closed(&["beginner", "intermediate", "advanced"]),
        // What is no key is looked for as it is written: other programs may have written it so.
        Facet::Key => Ok(MusicalKey::parse(&value).map_or(value, |key| key.name().to_owned())),
        _ => Ok(value),
    }
}

fn number(value: &str, max: usize) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|number| *number <= max)
        .ok_or_else(|| format!("must be a number from 0 to {max}"))
}

fn within(value: &str, max: usize) -> Result<(), String> {
    if value.chars().count() > max {
        return Err(format!("must be at most {max} characters"));
    }
    Ok(())
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("must be one of {}", names.join(", "))
}

/// The index's own words about a value.
fn sentence(error: indexer::SearchError) -> String {
    format!("cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<SearchParams, ApiError> {
        SearchParams::read(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn repeated_parameters_select_several_values() {
        let params = read(&[("q", "warm"), ("device", "Eq Eight"), ("device", "Operator"), ("limit", "0")]).expect("valid");
        assert_eq!(params.request.selections[&Facet::Device], ["Eq Eight", "Operator"]);
        assert_eq!(params.request.limit, 0);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let error = read(&[
            ("sort", "best"),
            ("limit", "101"),
            ("colour", "red"),
            ("kind", "drums"),
            ("bpm", "fast"),
        ]);
        let Err(ApiError::Invalid(errors)) = error else {
            panic!("{error:?}");
        };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["sort", "limit", "colour", "kind", "bpm"]);
        assert!(errors[3].message.contains("`drum`"), "{errors:?}");
    }
}
