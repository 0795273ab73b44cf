//! A hit as a flat document, whose attributes have the names that filters, facets and orders have.

use indexer::{Card, Highlight, Hit};
use serde_json::{Map, Value, json};

use super::marks::Marked;

/// Name of the attribute that identifies a document.
pub(super) const PRIMARY_KEY: &str = "id";

/// A document, and which of its texts met the query.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Attributes that it has; one without a value is absent.
    pub(super) attributes: Map<String, Value>,
    highlights: Vec<Highlight>,
    /// From 0 to 1, where hits are in order of relevance.
    pub(super) score: Option<f32>,
}

/// A text or list of texts with marks.
#[derive(Clone, Debug)]
pub(super) enum MarkedValue {
    One(Marked),
    Many(Vec<Marked>),
}

/// The index's name for what the excerpt is the beginning of.
const DESCRIPTION: &str = "description";

/// Attributes that text is looked for in, with the index's names of them, and which of the values there they are.
const SEARCHED: [(&str, &str, usize); 8] = [
    ("title", "title", 0),
    ("excerpt", DESCRIPTION, 0),
    ("author", "author", 0),
    ("author_name", "author", 1),
    ("tag", "tags", 0),
    ("device", "devices", 0),
    ("plugin", "plugins", 0),
    ("macro", "macros", 0),
];

impl From<Hit> for Document {
    fn from(hit: Hit) -> Self {
        let mut attributes = attributes_of(hit.card);
        let counts = hit.counts;
        attributes.insert("downloads".to_owned(), counts.downloads.into());
        attributes.insert("likes".to_owned(), counts.likes.into());
        attributes.insert("comments".to_owned(), counts.comments.into());
        if counts.ratings > 0 {
            attributes.insert("rating".to_owned(), json!(counts.average_rating));
        }
        Self {
            attributes,
            highlights: hit.highlights,
            score: hit.score,
        }
    }
}

fn attributes_of(card: Card) -> Map<String, Value> {
    let uploaded = card.published_at.map(|time| time.timestamp());
    let attributes = [
        (PRIMARY_KEY, json!(card.id)),
        ("slug", json!(card.slug)),
        ("title", json!(card.title)),
        ("excerpt", json!(card.excerpt)),
        ("author", json!(card.author.username)),
        ("author_name", json!(card.author.display_name)),
        ("kind", json!(card.kind)),
        ("form", json!(card.form)),
        ("genre", json!(card.genre)),
        ("bpm", json!(card.bpm)),
        ("key", json!(card.key)),
        ("difficulty", json!(card.difficulty)),
        ("tag", json!(card.tags)),
        ("device", json!(card.devices)),
        ("plugin", json!(card.plugins)),
        ("macro", json!(card.macros)),
        ("live", json!(card.requirements.live_version)),
        ("edition", json!(card.requirements.live_edition)),
        ("is_featured", json!(card.is_featured)),
        ("has_preview_audio", json!(card.has_preview_audio)),
        ("has_preview_image", json!(card.has_preview_image)),
        ("published_at", json!(card.published_at)),
        ("uploaded", json!(uploaded)),
    ];
    attributes
        .into_iter()
        .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|values| !values.is_empty()))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl Document {
    /// Its identifier, as a text.
    pub(super) fn id(&self) -> String {
        self.attributes.get(PRIMARY_KEY).map(Value::to_string).unwrap_or_default()
    }

    /// The texts of an attribute that is searched, with marks; none for other attributes, and for those without a value.
    pub(super) fn marked(&self, attribute: &str) -> Option<MarkedValue> {
        let (_, field, at) = *SEARCHED.iter().find(|(name, ..)| *name == attribute)?;
        match self.attributes.get(attribute)? {
            Value::String(text) => {
                let marked = self.highlighted(field, at);
                let marked = match marked {
                    // The index marks all of a description.
                    Some(marked) if field == DESCRIPTION => marked.on_one_line().beginning(text),
                    marked => marked,
                };
                Some(MarkedValue::One(marked.unwrap_or_else(|| Marked::plain(text))))
            }
            Value::Array(values) => {
                let values = values.iter().enumerate().map(|(at, value)| {
                    let plain = value.as_str().unwrap_or_default();
                    self.highlighted(field, at).unwrap_or_else(|| Marked::plain(plain))
                });
                Some(MarkedValue::Many(values.collect()))
            }
            _ => None,
        }
    }

    /// The same, each text with at most so many words, those in which most is met. Of the excerpt they come from anywhere in the
    /// description.
    pub(super) fn cropped(&self, attribute: &str, words: usize, marker: &str) -> Option<MarkedValue> {
        let (_, field, at) = *SEARCHED.iter().find(|(name, ..)| *name == attribute)?;
        if field == DESCRIPTION
            && let Some(marked) = self.highlighted(field, at)
        {
            return Some(MarkedValue::One(marked.on_one_line().cropped(words, marker)));
        }
        Some(match self.marked(attribute)? {
            MarkedValue::One(marked) => MarkedValue::One(marked.cropped(words, marker)),
            MarkedValue::Many(values) => MarkedValue::Many(values.iter().map(|marked| marked.cropped(words, marker)).collect()),
        })
    }

    fn highlighted(&self, field: &str, at: usize) -> Option<Marked> {
        let mut highlights = self.highlights.iter();
        let found = highlights.find(|highlight| highlight.field == field && highlight.at == at);
        found.map(|highlight| Marked::read(&highlight.text))
    }

    /// Keeps these attributes only; `*` stands for all.
    pub(super) fn retain(&mut self, names: &[String]) {
        if !names.iter().any(|name| name == "*") {
            self.attributes.retain(|name, _| names.iter().any(|kept| kept == name));
        }
    }
}

/// Attributes that text is looked for in.
pub(super) fn searched() -> impl Iterator<Item = &'static str> {
    SEARCHED.iter().map(|(name, ..)| *name)
}

/// Whether a list of attribute names has this one; `*` stands for all.
pub(super) fn lists(names: &[String], name: &str) -> bool {
    names.iter().any(|listed| listed == "*" || listed == name)
}

/// An attribute that is to be cut, with the words that it may have: `excerpt` or `excerpt:20`.
pub(super) fn cut(written: &str, usual: usize) -> (String, usize) {
    match written.rsplit_once(':').map(|(name, words)| (name, words.parse::<usize>())) {
        Some((name, Ok(words))) => (name.to_owned(), words),
        _ => (written.to_owned(), usual),
    }
}

/// Words that an attribute may have, if it is to be cut.
pub(super) fn words_of(cuts: &[(String, usize)], name: &str) -> Option<usize> {
    let named = cuts.iter().find(|(listed, _)| listed == name);
    named
        .or_else(|| cuts.iter().find(|(listed, _)| listed == "*"))
        .map(|(_, words)| *words)
}
