//! What authors send about a workflow, and its checks. Every refused field is named at once, not one a request.

use ingest::details::{self, BadField};
use serde::{Deserialize, Deserializer};
use store::workflow::{DetailChanges, Details, Difficulty};
use utoipa::ToSchema;

use crate::error::{ApiError, FieldError};

/// What an author says about an upload. All of it may be changed later.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowMetadata {
    /// Title, one line. When absent, the file's name without its ending.
    #[schema(max_length = 255, example = "Dreamy Vintage Piano")]
    pub(crate) title: Option<String>,
    /// Description, any lines.
    #[schema(max_length = 16000)]
    pub(crate) description: Option<String>,
    /// Genre.
    #[schema(max_length = 100, example = "lo-fi")]
    pub(crate) genre: Option<String>,
    /// Beats per minute, to the hundredth.
    #[schema(minimum = 20, maximum = 999, example = 82.5)]
    pub(crate) bpm: Option<f64>,
    /// Key in any usual notation: `F#m`, `Gb minor`, `8A`, `1m`.
    #[schema(max_length = 10, example = "Am")]
    pub(crate) key: Option<String>,
    /// How much one must know: `beginner`, `intermediate` (when absent) or `advanced`.
    #[schema(example = "beginner")]
    pub(crate) difficulty: Option<String>,
    /// Tags; made when first used. Lower case, at most 50 characters each.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["piano", "tape"]))]
    pub(crate) tags: Vec<String>,
}

/// What an author changes. An absent field stays as it is; `null` empties it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowChanges {
    /// Title. The slug stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255)]
    title: Option<Option<String>>,
    /// Description.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 16000)]
    description: Option<Option<String>>,
    /// Genre.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 100)]
    genre: Option<Option<String>>,
    /// Beats per minute, to the hundredth.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 20, maximum = 999)]
    bpm: Option<Option<f64>>,
    /// Key in any usual notation.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 10)]
    key: Option<Option<String>>,
    /// `beginner`, `intermediate` (also for `null`) or `advanced`.
    #[serde(default, deserialize_with = "present")]
    difficulty: Option<Option<String>>,
    /// All tags that it then has.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_items = 20)]
    tags: Option<Option<Vec<String>>>,
}

/// Tells a field that is `null` from one that is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl WorkflowMetadata {
    /// Checks every field; `file_name` stands in for an absent title.
    pub(crate) fn check(self, file_name: Option<&str>) -> Result<(Details, Vec<String>), ApiError> {
        let mut checks = Checks::default();
        let title = self
            .title
            .unwrap_or_else(|| details::title_of_file(file_name.unwrap_or_default()));
        let details = Details {
            title: checks.field("title", details::title(&title)).unwrap_or_default(),
            description: self
                .description
                .and_then(|text| checks.field("description", details::description(&text)))
                .flatten(),
            genre: self
                .genre
                .and_then(|text| checks.field("genre", details::genre(&text)))
                .flatten(),
            tempo: self.bpm.and_then(|bpm| checks.field("bpm", details::tempo(bpm))),
            key_signature: self.key.and_then(|text| checks.field("key", details::key(&text))).flatten(),
            difficulty: self
                .difficulty
                .and_then(|name| checks.field("difficulty", difficulty(&name)))
                .unwrap_or_default(),
        };
        let tags = checks.field("tags", details::tags(&self.tags)).unwrap_or_default();
        checks.end()?;
        Ok((details, tags))
    }
}

impl WorkflowChanges {
    /// Checks every field that is there.
    pub(crate) fn check(self) -> Result<(DetailChanges, Option<Vec<String>>), ApiError> {
        let mut checks = Checks::default();
        let changes = DetailChanges {
            title: self
                .title
                .and_then(|title| checks.field("title", details::title(title.as_deref().unwrap_or_default()))),
            description: self.description.and_then(|text| match text {
                Some(text) => checks.field("description", details::description(&text)),
                None => Some(None),
            }),
            genre: self.genre.and_then(|text| match text {
                Some(text) => checks.field("genre", details::genre(&text)),
                None => Some(None),
            }),
            tempo: self.bpm.and_then(|bpm| match bpm {
                Some(bpm) => checks.field("bpm", details::tempo(bpm)).map(Some),
                None => Some(None),
            }),
            key_signature: self.key.and_then(|text| match text {
                Some(text) => checks.field("key", details::key(&text)),
                None => Some(None),
            }),
            difficulty: self.difficulty.and_then(|name| match name {
                Some(name) => checks.field("difficulty", difficulty(&name)),
                None => Some(Difficulty::default()),
            }),
        };
        let tags = self
            .tags
            .and_then(|tags| checks.field("tags", details::tags(&tags.unwrap_or_default())));
        checks.end()?;
        Ok((changes, tags))
    }
}

/// Collects what is refused.
#[derive(Debug, Default)]
struct Checks(Vec<FieldError>);

impl Checks {
    fn field<T>(&mut self, name: &str, checked: Result<T, BadField>) -> Option<T> {
        checked
            .map_err(|error| self.0.push(FieldError::new(name, error.to_string())))
            .ok()
    }

    fn end(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(self.0))
        }
    }
}

fn difficulty(name: &str) -> Result<Difficulty, BadField> {
    match name {
        "beginner" => Ok(Difficulty::Beginner),
        "intermediate" => Ok(Difficulty::Intermediate),
        "advanced" => Ok(Difficulty::Advanced),
        _ => Err(BadField("must be `beginner`, `intermediate` or `advanced`".to_owned())),
    }
}
