//! A row becomes a document: a pure function, so that the same row gives the same document on every node.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use config::catalogue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::document::DocumentRow;
use store::rack_summary::{DeviceOrigin, DeviceSummary, RackSummary};
use tantivy::TantivyDocument;

use crate::facet::{Facet, LEVEL};
use crate::filter::Flag;
use crate::predicate::live_key;
use crate::response::{Card, CardAuthor, Requirements};
use crate::schema::{BEGINNING_CHARS, Fields, level};
use crate::text::{is_unspaced, words};
use crate::values;

/// Longest excerpt of a description on a card, in characters: three lines in a list.
const EXCERPT_CHARS: usize = 280;

/// Most names of one sort (devices, macros, chains, …) taken from one row. The most chains seen in a rack are 1,697.
const MAX_NAMES: usize = 4096;

/// Most that is kept of a description for highlights, in characters. A snippet is cut from it; what is found further down is found, and
/// not shown.
const MAX_PROSE_CHARS: usize = 4096;

/// Most names of chains that are kept for highlights: a drum rack has 128.
const MAX_PROSE_CHAINS: usize = 256;

/// Deepest JSON that is looked into for names. Writers of plain SQL put in what they like.
const MAX_JSON_DEPTH: usize = 6;

/// Values of [`Facet::Origin`].
const NATIVE: &str = "native";
const PLUGIN: &str = "plugin";

/// All that the index keeps of one workflow.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) card: Card,
    author_names: Vec<String>,
    device_groups: Vec<String>,
    chains: Vec<String>,
    description: Vec<String>,
    facets: [Vec<String>; Facet::ALL.len()],
    visible_from: i64,
    listed_at: i64,
    flags: u64,
    needs_live: Option<u64>,
    device_count: Option<u64>,
    chain_count: Option<u64>,
    macro_count: Option<u64>,
}

impl Entry {
    /// Reads a row.
    pub(crate) fn from_row(row: DocumentRow) -> Self {
        let names = Names::of(&row);
        let needs = Needs::of(&row.requirements);
        let flags = [
            (Flag::PreviewAudio, row.has_preview_audio),
            (Flag::PreviewImage, row.has_preview_image),
            (Flag::Featured, row.is_featured),
            (Flag::Parsed, row.summary.is_some() && row.requirements.is_array()),
            (Flag::NeedsMax, needs.max_for_live),
        ];
        let flags = flags.into_iter().filter(|(_, has)| *has).map(|(flag, _)| flag.bit()).sum();
        let needs_live = row
            .required_live_version
            .as_deref()
            .and_then(|version| version.parse().ok())
            .map(live_key);
        let description = row.description.clone().unwrap_or_default();
        let published = row.published_at.map(|time| time.timestamp());
        let listed_at = published.or(row.created_at.map(|time| time.timestamp())).unwrap_or(0);
        let display_name = row.author_display_name.filter(|name| !name.trim().is_empty());
        let mut author_names = vec![row.author_username.clone()];
        author_names.extend(display_name.clone());
        let facets = Facet::ALL.map(|facet| match facet {
            Facet::Genre => terms(row.genre.iter()),
            Facet::Key => terms(row.key.iter()),
            Facet::Device => terms(names.device_groups.iter()),
            Facet::Plugin => terms(names.plugins.iter()),
            Facet::Tag => terms(row.tags.iter()),
            Facet::Kind => terms([&row.kind]),
            Facet::Difficulty => terms(row.difficulty.iter()),
            Facet::Author => terms([&row.author_username]),
            Facet::Origin => terms(names.origins.iter()),
            Facet::Vendor => terms(names.vendors.iter()),
            Facet::Category => terms(names.categories.iter()),
            Facet::CategoryDevice => terms(names.category_devices.iter()),
            Facet::Edition => terms(row.required_edition.iter()),
            Facet::Live => terms(row.required_live_version.iter()),
            Facet::Form => terms(row.preset_form.iter()),
            Facet::Needs => terms(needs.others.iter()),
        });
        let card = Card {
            id: row.id.0,
            slug: row.slug,
            title: row.title,
            excerpt: excerpt(&description),
            author: CardAuthor {
                id: row.author_id.0,
                username: row.author_username,
                display_name,
            },
            genre: row.genre,
            bpm: row.tempo.filter(|bpm| bpm.is_finite() && *bpm > 0.0),
            key: row.key,
            kind: row.kind,
            form: row.preset_form,
            difficulty: row.difficulty,
            tags: row.tags,
            devices: names.devices,
            plugins: names.plugins,
            macros: names.macros,
            requirements: Requirements {
                written_by: row.ableton_version,
                live_version: row.required_live_version,
                live_edition: row.required_edition,
                forced_by: row.requirements,
            },
            is_featured: row.is_featured,
            has_preview_audio: row.has_preview_audio,
            has_preview_image: row.has_preview_image,
            published_at: row.published_at.or(row.created_at),
            content_hash: row.content_hash,
        };
        Self {
            card,
            author_names,
            device_groups: names.device_groups,
            chains: names.chains,
            description: [description, names.annotation]
                .into_iter()
                .filter(|text| !text.trim().is_empty())
                .collect(),
            facets,
            visible_from: published.unwrap_or(0),
            listed_at,
            flags,
            needs_live,
            device_count: names.device_count,
            chain_count: names.chain_count,
            macro_count: names.macro_count,
        }
    }

    /// Hash of all that the document says. Two nodes of the same program agree about it; of other programs, the schema version differs.
    pub(crate) fn revision(&self) -> u64 {
        // What holds no map with other keys than strings can always be written.
        fnv1a(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The document.
    pub(crate) fn into_document(self, fields: &Fields) -> Result<TantivyDocument, serde_json::Error> {
        let mut document = TantivyDocument::new();
        document.add_u64(fields.id, self.card.id);
        document.add_u64(fields.revision, self.revision());
        document.add_i64(fields.visible_from, self.visible_from);
        document.add_i64(fields.listed_at, self.listed_at);
        if let Some(bpm) = self.card.bpm {
            document.add_f64(fields.bpm, bpm);
        }
        document.add_u64(fields.flags, self.flags);
        let numbers = [
            (fields.needs_live, self.needs_live),
            (fields.device_count, self.device_count),
            (fields.chain_count, self.chain_count),
            (fields.macro_count, self.macro_count),
        ];
        for (field, number) in numbers {
            if let Some(number) = number {
                document.add_u64(field, number);
            }
        }
        document.add_bytes(fields.card, &serde_json::to_vec(&self.card)?);
        for (field, values) in fields.facets.iter().zip(&self.facets) {
            for value in values {
                document.add_text(*field, value);
            }
        }
        document.add_text(fields.texts.title, &self.card.title);
        let devices = distinct([&self.card.devices[..], &self.device_groups].concat());
        let lists = [
            (fields.texts.tags, &self.card.tags),
            (fields.texts.author, &self.author_names),
            (fields.texts.devices, &devices),
            (fields.texts.plugins, &self.card.plugins),
            (fields.texts.macros, &self.card.macros),
            (fields.texts.chains, &self.chains),
            (fields.texts.description, &self.description),
        ];
        for (field, texts) in lists {
            for text in texts {
                document.add_text(field, text);
            }
        }
        for text in &self.description {
            document.add_text(fields.stems, text);
        }
        document.add_text(fields.title_stems, &self.card.title);
        let title_words = words(&self.card.title);
        document.add_u64(fields.title_words, title_words.len() as u64);
        let mut leveled = LeveledWords::default();
        leveled.add(level::TITLE, title_words);
        for (level, texts) in [
            (level::TAGS, &self.card.tags),
            (level::AUTHOR, &self.author_names),
            (level::DEVICES, &devices),
            (level::PLUGINS, &self.card.plugins),
            (level::MACROS, &self.card.macros),
            (level::CHAINS, &self.chains),
            (level::DESCRIPTION, &self.description),
        ] {
            for text in texts {
                leveled.add(level, words(text));
            }
        }
        document.add_text(fields.all, leveled.all);
        document.add_text(fields.beginnings, leveled.beginnings);
        document.add_bytes(fields.prose, &serde_json::to_vec(&self.prose())?);
        Ok(document)
    }

    /// What highlights show of it beside the card.
    fn prose(&self) -> Prose {
        let mut description = self.description.join("\n");
        if let Some((end, _)) = description.char_indices().nth(MAX_PROSE_CHARS) {
            description.truncate(end);
        }
        Prose {
            description,
            chains: self.chains.iter().take(MAX_PROSE_CHAINS).cloned().collect(),
        }
    }
}

/// Texts that are kept for highlights and are not on the card.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Prose {
    #[serde(rename = "d", default)]
    pub(crate) description: String,
    #[serde(rename = "c", default)]
    pub(crate) chains: Vec<String>,
}

/// Lists of distinct words and beginnings of words, in the form that [`crate::text::Leveled`] reads. The best level has to come first.
#[derive(Default)]
struct LeveledWords {
    all: String,
    beginnings: String,
    seen: HashSet<String>,
    seen_beginnings: HashSet<String>,
}

impl LeveledWords {
    fn add(&mut self, level: u8, words: Vec<String>) {
        let level = char::from(b'0' + level);
        let write = |list: &mut String, word: &str| {
            list.push(level);
            list.push_str(word);
            list.push(' ');
        };
        for word in words {
            if self.seen.contains(&word) {
                continue;
            }
            write(&mut self.all, &word);
            for (end, _) in word.char_indices().skip(1).take(BEGINNING_CHARS) {
                let beginning = &word[..end];
                if !self.seen_beginnings.contains(beginning) {
                    self.seen_beginnings.insert(beginning.to_owned());
                    write(&mut self.beginnings, beginning);
                }
            }
            // Every character of a script without spaces is found alone: the first of a pair begins it, the second would be lost at
            // the end of a run.
            if let Some(second) = word.chars().nth(1).filter(|c| is_unspaced(*c)).map(String::from)
                && self.seen_beginnings.insert(second.clone())
            {
                write(&mut self.beginnings, &second);
            }
            self.seen.insert(word);
        }
    }
}

/// Names found in a rack.
#[derive(Default)]
struct Names {
    devices: Vec<String>,
    /// Names under which the devices are counted and chosen: one for the old and the new element of a device.
    device_groups: Vec<String>,
    plugins: Vec<String>,
    macros: Vec<String>,
    chains: Vec<String>,
    annotation: String,
    origins: Vec<String>,
    vendors: Vec<String>,
    categories: Vec<String>,
    /// Category and group of each device.
    category_devices: Vec<String>,
    device_count: Option<u64>,
    chain_count: Option<u64>,
    macro_count: Option<u64>,
}

impl Names {
    fn of(row: &DocumentRow) -> Self {
        match &row.summary {
            Some(summary) => Self::from_summary(summary),
            None => {
                let devices = distinct(names_in(&row.devices_used, &["name", "display_name", "device", "title"]));
                let known: Vec<&catalogue::Device> = devices.iter().filter_map(|name| device_of_name(name)).collect();
                let categorised = known.iter().map(|device| (device.category.as_str(), device.facet()));
                Self {
                    device_groups: distinct(devices.iter().map(|name| group_of_name(name).to_owned()).collect()),
                    origins: known.first().map(|_| NATIVE.to_owned()).into_iter().collect(),
                    categories: distinct(categorised.clone().map(|(category, _)| category.to_owned()).collect()),
                    category_devices: category_devices(categorised),
                    devices,
                    macros: distinct(names_in(
                        &row.macro_controls,
                        &["name", "label", "display_name", "title", "macro"],
                    )),
                    ..Self::default()
                }
            }
        }
    }

    fn from_summary(summary: &RackSummary) -> Self {
        Self {
            devices: distinct(summary.devices.iter().map(|device| device.name.clone()).collect()),
            device_groups: distinct(summary.devices.iter().map(|device| group_of(device).to_owned()).collect()),
            plugins: distinct(summary.plugins.iter().filter_map(|plugin| plugin.name.clone()).collect()),
            macros: distinct(summary.macro_names.clone()),
            chains: distinct(summary.chain_names.clone()),
            annotation: summary.annotation.clone(),
            origins: distinct(
                summary
                    .devices
                    .iter()
                    .map(|device| match device.origin {
                        DeviceOrigin::Native => NATIVE,
                        DeviceOrigin::MaxForLive => "max_for_live",
                        DeviceOrigin::Plugin => PLUGIN,
                    })
                    .chain(summary.plugins.first().map(|_| PLUGIN))
                    .map(str::to_owned)
                    .collect(),
            ),
            vendors: distinct(summary.plugins.iter().filter_map(|plugin| plugin.vendor.clone()).collect()),
            categories: distinct(summary.devices.iter().map(|device| device.category.clone()).collect()),
            category_devices: category_devices(
                summary
                    .devices
                    .iter()
                    .filter(|device| !device.category.is_empty())
                    .map(|device| (device.category.as_str(), group_of(device))),
            ),
            device_count: Some(summary.device_count.into()),
            chain_count: Some(summary.chains.into()),
            macro_count: Some(summary.macros.into()),
        }
    }
}

/// The name under which a parsed device is grouped: that of the parse, which rows written by an early one lack.
fn group_of(device: &DeviceSummary) -> &str {
    if device.facet.is_empty() {
        &device.name
    } else {
        &device.facet
    }
}

/// The name under which a device is grouped of which only a name is known, or maybe its element.
pub(crate) fn group_of_name(name: &str) -> &str {
    device_of_name(name).map_or(name, |device| device.facet())
}

/// One of Live's own devices by its name or element.
fn device_of_name(name: &str) -> Option<&'static catalogue::Device> {
    static DEVICES: LazyLock<HashMap<String, &'static catalogue::Device>> = LazyLock::new(|| {
        let devices = catalogue::devices().filter(|(_, device)| !device.max_for_live);
        devices
            .flat_map(|(element, device)| [element, &device.name].map(|name| (values::key_of(name), device)))
            .collect()
    });
    DEVICES.get(&values::key_of(name)).copied()
}

/// Values of the lower level of the hierarchy of devices.
fn category_devices<'a>(devices: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    distinct(
        devices
            .map(|(category, device)| format!("{category}{LEVEL}{device}"))
            .collect(),
    )
}

/// What a rack needs besides a version and an edition of Live.
#[derive(Default)]
struct Needs {
    max_for_live: bool,
    /// Values of [`Facet::Needs`].
    others: Vec<String>,
}

impl Needs {
    /// Reads what the parse wrote. What it is made of is in `ingest`, which this crate does not know.
    fn of(requirements: &Value) -> Self {
        let mut needs = Self::default();
        for reason in requirements.as_array().into_iter().flatten() {
            let text = |key: &str| reason.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("needs") {
                "max_for_live" => needs.max_for_live = true,
                "live_version" | "edition" => {}
                // Plug-ins, packs, Max for Live devices, and whatever a later parser finds: unknown needs are needs.
                other => needs.others.push(needs_value(other, text("value"))),
            }
        }
        needs
    }
}

/// A value of [`Facet::Needs`].
pub(crate) fn needs_value(what: &str, name: &str) -> String {
    format!("{what}:{}", name.trim())
}

/// Names in JSON of an unknown writer: strings, lists of them, objects with a name, or objects that map something to names.
fn names_in(value: &Value, name_keys: &[&str]) -> Vec<String> {
    fn walk(value: &Value, name_keys: &[&str], depth: usize, names: &mut Vec<String>) {
        if depth == 0 || names.len() >= MAX_NAMES {
            return;
        }
        match value {
            Value::String(name) => names.push(name.clone()),
            Value::Array(items) => items.iter().for_each(|item| walk(item, name_keys, depth - 1, names)),
            Value::Object(entries) => {
                let name = name_keys.iter().find_map(|key| entries.get(*key)?.as_str());
                match name {
                    Some(name) => names.push(name.to_owned()),
                    // {"Macro 1": "Cutoff"} names values; {"Cutoff": 64} and {"Operator": {"count": 2}} name keys.
                    None => entries.iter().for_each(|(key, inner)| match inner {
                        Value::String(_) | Value::Array(_) => walk(inner, name_keys, depth - 1, names),
                        Value::Object(fields) if name_keys.iter().any(|key| fields.contains_key(*key)) => {
                            walk(inner, name_keys, depth - 1, names);
                        }
                        _ => names.push(key.clone()),
                    }),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut names = Vec::new();
    walk(value, name_keys, MAX_JSON_DEPTH, &mut names);
    names
}

/// Names that say something, each once whatever its letter case, in order of first appearance.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names
        .into_iter()
        .filter(|name| {
            let key = values::key_of(name);
            !key.is_empty() && seen.insert(key)
        })
        .take(MAX_NAMES)
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Terms of a facet's values, each value once.
fn terms<'a>(found: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut seen = HashSet::new();
    found
        .into_iter()
        .filter(|value| seen.insert(values::key_of(value)))
        .filter_map(|value| values::term_of(value))
        .collect()
}

/// The beginning of a text, cut between words where that loses little.
fn excerpt(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(EXCERPT_CHARS) else {
        return text;
    };
    let head = &text[..end];
    let cut = head.rfind(' ').filter(|at| *at > end / 2).unwrap_or(end);
    format!("{}…", &head[..cut])
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): small, and the same in every build, which the standard library's hasher does not promise.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_in_json_of_every_shape() {
        let devices = |value: Value| distinct(names_in(&value, &["name"]));
        assert_eq!(devices(json!(["Operator", "operator", " Reverb "])), ["Operator", "Reverb"]);
        assert_eq!(
            devices(json!([{"name": "Operator", "count": 2}, {"name": "Echo"}])),
            ["Operator", "Echo"]
        );
        assert_eq!(devices(json!({"Macro 1": "Cutoff"})), ["Cutoff"]);
        assert_eq!(devices(json!({"Cutoff": 64})), ["Cutoff"]);
        assert_eq!(devices(json!({"Operator": {"count": 2}})), ["Operator"]);
        assert_eq!(devices(json!({"devices": [{"name": "Echo"}]})), ["Echo"]);
        assert_eq!(devices(json!({"1": {"name": "Drive"}})), ["Drive"]);
        assert_eq!(devices(json!([null, 3, true, "", [["Deep"]]])), ["Deep"]);
        assert_eq!(devices(json!(7)), Vec::<String>::new());
    }

    #[test]
    fn old_and_new_names_of_one_device_are_one_group() {
        let group = group_of_name("AutoPan2");
        assert_eq!(group_of_name("AutoPan"), group);
        assert_eq!(group_of_name("auto pan"), group);
        assert_eq!(group_of_name("StereoGain"), "Utility");
        assert_eq!(group_of_name("Own Device"), "Own Device");
    }

    #[test]
    fn an_excerpt_ends_between_words() {
        assert_eq!(excerpt("  short\n text "), "short text");
        let long = "word ".repeat(100);
        let cut = excerpt(&long);
        assert!(cut.ends_with("word…"), "{cut}");
        assert!(cut.chars().count() <= EXCERPT_CHARS + 1);
    }

    #[test]
    fn words_are_listed_once_with_their_best_level() {
        let mut leveled = LeveledWords::default();
        leveled.add(level::TITLE, words("Warm 808"));
        leveled.add(level::DESCRIPTION, words("warmth of warm drums"));
        assert_eq!(leveled.all, "5warm 5808 1warmth 1of 1drums ");
        assert_eq!(leveled.beginnings, "5w 5wa 5war 58 580 1warm 1o 1d 1dr 1dru 1drum ");
        let mut leveled = LeveledWords::default();
        leveled.add(level::TITLE, words("東京"));
        assert_eq!(leveled.beginnings, "5東 5京 ");
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
