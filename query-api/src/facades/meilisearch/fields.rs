//! Fields of a body, taken one by one, with the errors that Meilisearch has for them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::MeiliError;

/// Fields that a query in an address may have as lists, joined by commas.
const LISTS: [&str; 6] = [
    "attributesToRetrieve",
    "attributesToCrop",
    "attributesToHighlight",
    "attributesToSearchOn",
    "facets",
    "sort",
];

/// Fields of a query in an address that are texts whatever they look like.
const TEXTS: [&str; 8] = [
    "q",
    "filter",
    "cropMarker",
    "highlightPreTag",
    "highlightPostTag",
    "matchingStrategy",
    "distinct",
    "locales",
];

/// The fields that were not taken yet.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a body: JSON, whatever its content type says.
    pub(super) fn read(body: Result<Bytes, BytesRejection>) -> Result<Self, MeiliError> {
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => MeiliError::too_large(),
            _ => MeiliError::invalid("malformed_payload", "The body ended early."),
        })?;
        if body.is_empty() {
            return Err(MeiliError::invalid("missing_payload", "A json payload is missing."));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            let message = format!("The json payload provided is malformed. `{error}`.");
            MeiliError::invalid("malformed_payload", message)
        })?;
        Self::of(value)
    }

    /// Of a value.
    pub(super) fn of(value: Value) -> Result<Self, MeiliError> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            other => {
                let message = format!("Invalid value type: expected an object, but found {}", kind_of(&other));
                Err(MeiliError::invalid("bad_request", message))
            }
        }
    }

    /// Of an address.
    pub(super) fn of_address(pairs: Vec<(String, String)>) -> Self {
        let fields = pairs.into_iter().map(|(name, value)| {
            let value = if LISTS.contains(&name.as_str()) {
                Value::Array(value.split(',').filter(|part| !part.is_empty()).map(Value::from).collect())
            } else if TEXTS.contains(&name.as_str()) {
                Value::String(value)
            } else {
                serde_json::from_str(&value).unwrap_or(Value::String(value))
            };
            (name, value)
        });
        Self(fields.collect())
    }

    /// Takes a field as it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// A text, which stays.
    pub(super) fn peek_text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str, code: &'static str) -> Result<Option<String>, MeiliError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, "a string", &other, code)),
        }
    }

    /// Takes a number that is none below zero.
    pub(super) fn number(&mut self, name: &str, code: &'static str) -> Result<Option<usize>, MeiliError> {
        match self.present(name) {
            None => Ok(None),
            Some(value) => match value.as_u64().map(usize::try_from) {
                Some(Ok(number)) => Ok(Some(number)),
                _ => Err(wrong_type(name, "a positive integer", &value, code)),
            },
        }
    }

    /// Takes yes or no; no when it is absent.
    pub(super) fn flag(&mut self, name: &str, code: &'static str) -> Result<bool, MeiliError> {
        match self.present(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong_type(name, "a boolean", &other, code)),
        }
    }

    /// Takes a list of texts.
    pub(super) fn texts(&mut self, name: &str, code: &'static str) -> Result<Option<Vec<String>>, MeiliError> {
        let Some(value) = self.present(name) else { return Ok(None) };
        let Value::Array(members) = value else {
            return Err(wrong_type(name, "an array", &value, code));
        };
        let texts = members.into_iter().enumerate().map(|(at, member)| match member {
            Value::String(text) => Ok(text),
            other => Err(wrong_type(&format!("{name}[{at}]"), "a string", &other, code)),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Refuses fields that are left, since nobody knows them.
    pub(super) fn finish(self) -> Result<(), MeiliError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(MeiliError::invalid(
                "bad_request",
                format!("Unknown field `{}`", name.chars().take(100).collect::<String>()),
            )),
        }
    }

    fn present(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

/// A field of another type than wanted.
pub(super) fn wrong_type(name: &str, wanted: &str, found: &Value, code: &'static str) -> MeiliError {
    let shown: String = found.to_string().chars().take(100).collect();
    let message = format!(
        "Invalid value type for `.{name}`: expected {wanted}, but found {}: `{shown}`",
        kind_of(found)
    );
    MeiliError::invalid(code, message)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_u64() => "a positive integer",
        Value::Number(number) if number.is_i64() => "a negative integer",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
