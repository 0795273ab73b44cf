//! What `GET /v1/search` is asked: every parameter read, bounded and named when it is refused.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use config::LiveVersion;
use config::catalogue::Edition;
use indexer::{
    Condition, Facet, Flag, Harmony, HighlightOptions, MAX_GROUPS, Matching, Number, Owned, Range, SearchRequest, Sort,
    TempoNear, Test, live_version_of,
};
use store::musical_key::MusicalKey;

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError};

/// Longest text, in characters: a pasted paragraph. Each further word would cost time.
const MAX_TEXT_CHARS: usize = 2048;

/// Longest selected value, in characters: no column that a value comes from holds more.
const MAX_VALUE_CHARS: usize = 255;

/// Most selected values in one search.
const MAX_VALUES: usize = 64;

/// Most things that somebody may say to own, each sort for itself.
const MAX_OWNED: usize = 500;

/// Longest mark of a highlight, in characters: an element with a class.
const MAX_MARK_CHARS: usize = 64;

/// Most words of a snippet.
const MAX_CROP: usize = 200;

/// Most hits of a page.
const MAX_LIMIT: usize = 100;

/// Most values of each facet.
const MAX_FACET_LIMIT: usize = 200;

/// Ends of the names of facet parameters that ask for all of their values, or for none of them.
const ALL_OF: &str = "_all";
const NONE_OF: &str = "_none";

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
        Self::read(pairs_of(parts, context).await?)
    }
}

/// What `GET /v1/facets/{name}` is asked: a text that values fit, and a search whose own text is called `text` here.
#[derive(Clone, Debug)]
pub(crate) struct FacetSearchParams {
    /// What values begin with.
    pub(crate) text: String,
    /// The search in which they are counted.
    pub(crate) search: SearchParams,
}

impl FromRequestParts<ApiContext> for FacetSearchParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let mut text = String::new();
        let mut pairs = Vec::new();
        for (name, value) in pairs_of(parts, context).await? {
            match name.as_str() {
                "q" => {
                    within(&value, MAX_TEXT_CHARS).map_err(|message| ApiError::Invalid(vec![FieldError::new("q", message)]))?;
                    text = value;
                }
                "text" => pairs.push(("q".to_owned(), value)),
                _ => pairs.push((name, value)),
            }
        }
        Ok(Self {
            text,
            search: SearchParams::read(pairs)?,
        })
    }
}

/// The parameters of a request, in their order.
async fn pairs_of(parts: &mut Parts, context: &ApiContext) -> Result<Vec<(String, String)>, ApiError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, context)
        .await
        .map_err(|error| ApiError::BadRequest {
            code: "bad_query",
            detail: error.body_text(),
        })?;
    Ok(pairs)
}

/// What several parameters say together.
#[derive(Default)]
struct Together {
    keys: Vec<String>,
    harmony: Option<Harmony>,
    tempo: Option<f64>,
    within: Option<f64>,
    half_and_double: bool,
    owns: bool,
    live: Option<LiveVersion>,
    edition: Option<Edition>,
    max_for_live: Option<bool>,
    plugins: Vec<String>,
    packs: Vec<String>,
    max_devices: Vec<String>,
    suite_holds_all: bool,
    sorted: bool,
    values: usize,
    marks: HighlightOptions,
    no_marks: bool,
}

impl SearchParams {
    /// Reads parameters.
    fn read(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut params = Self {
            request: SearchRequest::default(),
            wait_for: None,
        };
        let mut more = Together::default();
        let mut errors = Vec::new();
        for (name, value) in pairs {
            if let Err(message) = params.take(&name, value, &mut more) {
                errors.push(FieldError::new(name, message));
            }
        }
        params.finish(more, &mut errors);
        if errors.is_empty() {
            Ok(params)
        } else {
            Err(ApiError::Invalid(errors))
        }
    }

    /// Takes one parameter. The text of an error is to be read after the parameter's name.
    fn take(&mut self, name: &str, value: String, more: &mut Together) -> Result<(), String> {
        let request = &mut self.request;
        match name {
            "q" => {
                within(&value, MAX_TEXT_CHARS)?;
                request.text = value;
            }
            "matching" => {
                request.matching = Matching::parse(&value).ok_or_else(|| one_of(Matching::ALL.map(Matching::name)))?;
            }
            "key" => {
                within(&value, MAX_VALUE_CHARS)?;
                more.values += 1;
                more.keys.push(value);
            }
            "harmony" => more.harmony = Some(Harmony::parse(&value).ok_or_else(|| one_of(Harmony::ALL.map(Harmony::name)))?),
            "tempo" => more.tempo = Some(decimal(&value, 20.0, 999.0)?),
            "tempo_within" => more.within = Some(decimal(&value, 0.0, TempoNear::MOST * 100.0)? / 100.0),
            "half_double" => more.half_and_double = boolean(&value)?,
            "mix_with" => request.mix_with = Some(value.parse().map_err(|_| "must be the id of a workflow".to_owned())?),
            "uploaded_since" => request.filters.number(Number::Uploaded, Range::at_least(since(&value)?)),
            "has_preview" => {
                let either = [Flag::PreviewAudio, Flag::PreviewImage].map(|flag| Condition::Is(Test::Flag(flag)));
                let has = Condition::Any(either.into());
                request.filters.and(if boolean(&value)? { has } else { has.negated() });
            }
            "opens_in" => request.filters.and(Condition::Is(Test::Live(live(&value)?))),
            "sort" => {
                request.sort = Sort::parse(&value).ok_or_else(|| one_of(Sort::ALL.map(Sort::name)))?;
                more.sorted = true;
            }
            "seed" => request.seed = value.parse().map_err(|_| "must be a whole number".to_owned())?,
            "limit" => request.limit = number(&value, MAX_LIMIT)?,
            "cursor" => request.after = Some(value.parse().map_err(sentence)?),
            "facet_limit" => request.facet_limit = number(&value, MAX_FACET_LIMIT)?,
            "facets" => request.facets = listed(&value, Facet::parse, &Facet::ALL.map(Facet::name))?,
            "numbers" => request.numbers = listed(&value, Number::parse, &Number::ALL.map(Number::name))?,
            "highlight" => more.no_marks = !boolean(&value)?,
            "highlight_pre" => {
                within(&value, MAX_MARK_CHARS)?;
                more.marks.pre = value;
            }
            "highlight_post" => {
                within(&value, MAX_MARK_CHARS)?;
                more.marks.post = value;
            }
            "crop" => more.marks.crop = number(&value, MAX_CROP)?,
            "explain" => request.explain = boolean(&value)?,
            "wait_for" => self.wait_for = Some(value.parse().map_err(|_| "must be a position".to_owned())?),
            name if name.starts_with("own_") || name == "suite_holds_all" => own(name, value, more)?,
            name => {
                more.values += 1;
                self.take_filter(name, value)?;
            }
        }
        Ok(())
    }

    /// Takes a parameter that is named after a facet, a number or a flag.
    fn take_filter(&mut self, name: &str, value: String) -> Result<(), String> {
        let filters = &mut self.request.filters;
        if let Some(flag) = Flag::parse(name) {
            filters.flag(flag, boolean(&value)?);
        } else if let Some(number) = Number::parse(name).filter(|number| !matches!(number, Number::Uploaded | Number::Id)) {
            filters.number(number, value.parse().map_err(sentence)?);
        } else if let Some(facet) = Facet::parse(name) {
            filters.any(facet, selected(facet, value)?);
        } else if let Some(facet) = name.strip_suffix(ALL_OF).and_then(Facet::parse) {
            filters.all(facet, selected(facet, value)?);
        } else if let Some(facet) = name.strip_suffix(NONE_OF).and_then(Facet::parse) {
            filters.none(facet, selected(facet, value)?);
        } else {
            return Err("is no parameter of this search".to_owned());
        }
        Ok(())
    }

    /// Puts together what several parameters say.
    fn finish(&mut self, more: Together, errors: &mut Vec<FieldError>) {
        let request = &mut self.request;
        request.highlight = (!more.no_marks).then_some(more.marks);
        for key in &more.keys {
            match MusicalKey::parse(key) {
                Some(key) => request.filters.key(key, more.harmony.unwrap_or_default()),
                // What is no key is looked for as it is written: other programs may have written it so.
                None => request.filters.any(Facet::Key, key.as_str()),
            }
        }
        if more.harmony.is_some() && more.keys.is_empty() {
            errors.push(FieldError::new("harmony", "needs a `key`"));
        }
        match more.tempo {
            Some(bpm) => {
                request.tempo = Some(TempoNear {
                    bpm,
                    within: Some(more.within.unwrap_or(TempoNear::USUAL)),
                    half_and_double: more.half_and_double,
                });
            }
            None if more.within.is_some() || more.half_and_double => {
                let name = if more.half_and_double { "half_double" } else { "tempo_within" };
                errors.push(FieldError::new(name, "needs a `tempo`; a range of `bpm` is taken as it is"));
            }
            None => {}
        }
        if request.sort == Sort::BpmDistance && request.tempo.is_none() && request.mix_with.is_none() {
            errors.push(FieldError::new("sort", "needs a `tempo` or a rack to `mix_with`"));
        }
        if request.mix_with.is_some() && request.text.is_empty() && !more.sorted {
            request.sort = Sort::BpmDistance;
        }
        if more.owns {
            match (more.live, more.edition) {
                (Some(live), Some(edition)) => request.filters.opens(Owned {
                    live,
                    edition,
                    max_for_live: more.max_for_live.unwrap_or(edition == Edition::Suite),
                    plugins: more.plugins,
                    packs: more.packs,
                    max_devices: more.max_devices,
                    suite_holds_all: more.suite_holds_all,
                }),
                (None, _) => errors.push(FieldError::new("own_live", "is needed to tell what opens")),
                (_, None) => errors.push(FieldError::new("own_edition", "is needed to tell what opens")),
            }
        }
        if more.values > MAX_VALUES {
            let message = format!("must be at most {MAX_VALUES} values, not {}", more.values);
            errors.push(FieldError::new("selections", message));
        } else if request.filters.groups.len() + 4 > MAX_GROUPS {
            // A tempo and a rack to mix with become up to four more.
            let message = format!("must be at most {} conditions that all hold", MAX_GROUPS - 4);
            errors.push(FieldError::new("selections", message));
        }
    }
}

/// Takes a parameter about what somebody owns.
fn own(name: &str, value: String, more: &mut Together) -> Result<(), String> {
    more.owns = true;
    let add = |list: &mut Vec<String>| {
        within(&value, MAX_VALUE_CHARS)?;
        if list.len() == MAX_OWNED {
            return Err(format!("must be given at most {MAX_OWNED} times"));
        }
        list.push(value.clone());
        Ok(())
    };
    match name {
        "own_live" => more.live = Some(live(&value)?),
        "own_edition" => {
            let editions = [Edition::Intro, Edition::Standard, Edition::Suite];
            let found = editions.into_iter().find(|edition| edition.as_str() == value);
            more.edition = Some(found.ok_or_else(|| one_of(editions.map(Edition::as_str)))?);
        }
        "own_max_for_live" => more.max_for_live = Some(boolean(&value)?),
        "own_plugin" => add(&mut more.plugins)?,
        "own_pack" => add(&mut more.packs)?,
        "own_max_device" => add(&mut more.max_devices)?,
        "suite_holds_all" => more.suite_holds_all = boolean(&value)?,
        _ => return Err("is no parameter of this search".to_owned()),
    }
    Ok(())
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
        Facet::Origin => closed(&["native", "max_for_live", "plugin"]),
        Facet::Edition => closed(&["intro", "standard", "suite", "unknown"]),
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

fn decimal(value: &str, min: f64, max: f64) -> Result<f64, String> {
    value
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a number from {min} to {max}"))
}

fn boolean(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "must be `true` or `false`".to_owned())
}

fn live(value: &str) -> Result<LiveVersion, String> {
    live_version_of(value).ok_or_else(|| "must be a version of Live such as `11.3` or `12`".to_owned())
}

/// A point in time, in seconds since 1970: a day, a time with its zone, or so many days ago.
fn since(value: &str) -> Result<f64, String> {
    let days_ago = value.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let time = match days_ago {
        Some(days) => Some(Utc::now() - TimeDelta::days(days.into())),
        None => value
            .parse::<NaiveDate>()
            .ok()
            .map(|day| day.and_time(NaiveTime::MIN).and_utc())
            .or_else(|| value.parse::<DateTime<Utc>>().ok()),
    };
    time.map(|time| time.timestamp() as f64)
        .ok_or_else(|| "must be a day (`2026-01-31`), a time (`2026-01-31T12:00:00Z`) or so many days ago (`30d`)".to_owned())
}

/// Names joined by commas.
fn listed<T>(value: &str, parse: impl Fn(&str) -> Option<T>, names: &[&'static str]) -> Result<Vec<T>, String> {
    value
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| parse(name).ok_or_else(|| one_of(names.iter().copied())))
        .take(names.len() * 2)
        .collect()
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
    use indexer::Control;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<SearchParams, ApiError> {
        SearchParams::read(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
        match read(pairs) {
            Err(ApiError::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn repeated_parameters_select_several_values() {
        let params = read(&[("q", "warm"), ("device", "Eq Eight"), ("device", "Operator"), ("limit", "0")]).expect("valid");
        let groups = params.request.filters.groups;
        let wanted = ["Eq Eight", "Operator"].map(|value| Condition::value(Facet::Device, value));
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].of, Some(Control::Facet(Facet::Device)));
        assert_eq!(groups[0].condition, Condition::Any(wanted.into()));
        assert_eq!(params.request.limit, 0);
    }

    #[test]
    fn marks_are_configured_and_can_be_left_out() {
        let params = read(&[("highlight_pre", "<b>"), ("crop", "5")]).expect("valid");
        let marks = params.request.highlight.expect("marks");
        assert_eq!((marks.pre.as_str(), marks.post.as_str(), marks.crop), ("<b>", "</em>", 5));
        let params = read(&[("highlight", "false"), ("highlight_pre", "<b>")]).expect("valid");
        assert_eq!(params.request.highlight, None);
        assert!(read(&[("explain", "maybe")]).is_err());
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

    #[test]
    fn parameters_that_need_others_say_so() {
        assert_eq!(refused(&[("harmony", "compatible")]), ["harmony"]);
        assert_eq!(refused(&[("half_double", "true"), ("bpm", "120-130")]), ["half_double"]);
        assert_eq!(refused(&[("sort", "bpm_distance")]), ["sort"]);
        assert_eq!(refused(&[("own_edition", "suite")]), ["own_live"]);
        assert_eq!(refused(&[("own_live", "12"), ("own_plugin", "Serum")]), ["own_edition"]);
        assert!(read(&[("own_live", "12"), ("own_edition", "suite")]).is_ok());
        assert!(read(&[("tempo", "128"), ("sort", "bpm_distance")]).is_ok());
    }

    #[test]
    fn a_key_in_any_notation_brings_along_what_goes_with_it() {
        let keys = |harmony: &str| {
            let params = read(&[("key", "8A"), ("harmony", harmony)]).expect("valid");
            let Condition::Any(keys) = &params.request.filters.groups[0].condition else {
                panic!("not a choice");
            };
            keys.len()
        };
        assert_eq!((keys("exact"), keys("compatible"), keys("diagonal")), (1, 4, 6));
    }

    #[test]
    fn days_times_and_ages_are_read() {
        assert_eq!(since("2026-01-31"), Ok(1_769_817_600.0));
        assert_eq!(since("2026-01-31T01:00:00+01:00"), Ok(1_769_817_600.0));
        assert!(since("30d").is_ok() && since("soon").is_err() && since("-5d").is_err());
    }
}
