//! A catalogue of plain structs and what a search must answer about it, worked out one document after the other: what the one pass is
//! compared with.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use indexer::{Condition, Control, Facet, Fits, Flag, Number, Range, SearchRequest, Sort, Test};
use serde_json::json;
use store::WorkflowId;
use store::counters::CounterRow;
use store::rack_summary::{DeviceOrigin, DeviceSummary, PluginSummary, RackSummary};

use crate::support::Fixture;

pub(crate) const GENRES: [&str; 5] = ["Techno", "House", "Drum & Bass", "Ambient", "Lo-Fi"];
pub(crate) const KEYS: [&str; 5] = ["Am", "C", "F#m", "Eb", "Em"];
pub(crate) const TAGS: [&str; 6] = ["warm", "dark", "glitch", "pad", "808", "vocal"];
pub(crate) const KINDS: [&str; 3] = ["instrument", "audio_effect", "midi_effect"];
pub(crate) const LEVELS: [&str; 3] = ["beginner", "intermediate", "advanced"];
pub(crate) const AUTHORS: [&str; 2] = ["producer-001", "producer-002"];
pub(crate) const PLUGINS: [(&str, Option<&str>); 4] = [
    ("Serum", Some("Xfer Records")),
    ("Pro-Q 3", Some("FabFilter")),
    ("Pro-L 2", Some("FabFilter")),
    ("Nameless", None),
];
pub(crate) const PACKS: [&str; 2] = ["Drum Essentials", "Grand Piano"];
pub(crate) const LIVES: [&str; 4] = ["10.1", "11.0", "11.3", "12.2"];
pub(crate) const EDITIONS: [&str; 4] = ["intro", "standard", "suite", "unknown"];

/// Element, name, group, whether it is a Max for Live device, category.
pub(crate) const DEVICES: [(&str, &str, &str, bool, &str); 6] = [
    ("AutoPan", "Auto Pan", "Auto Pan", false, "audio_effect"),
    ("AutoPan2", "Auto Pan-Tremolo", "Auto Pan", false, "audio_effect"),
    ("Reverb", "Reverb", "Reverb", false, "audio_effect"),
    ("Operator", "Operator", "Operator", false, "instrument"),
    ("MidiArpeggiator", "Arpeggiator", "Arpeggiator", false, "midi_effect"),
    ("MxDeviceInstrument", "Granulator", "Granulator", true, "instrument"),
];

/// Time at which the first of them was published.
pub(crate) fn first_day() -> DateTime<Utc> {
    "2026-01-20T10:00:00Z".parse().expect("a time")
}

/// One workflow.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub(crate) id: u64,
    pub(crate) word: &'static str,
    pub(crate) author: usize,
    pub(crate) genre: Option<&'static str>,
    pub(crate) key: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) level: &'static str,
    pub(crate) tags: Vec<&'static str>,
    pub(crate) devices: Vec<usize>,
    pub(crate) plugins: Vec<usize>,
    pub(crate) packs: Vec<&'static str>,
    pub(crate) bpm: Option<u32>,
    pub(crate) parsed: bool,
    pub(crate) live: &'static str,
    pub(crate) edition: &'static str,
    pub(crate) audio: bool,
    pub(crate) featured: bool,
    pub(crate) chains: u32,
    pub(crate) macros: u32,
    pub(crate) downloads: u32,
    pub(crate) likes: u32,
    pub(crate) ratings: u32,
    pub(crate) published: DateTime<Utc>,
}

/// A number that looks random and is always the same.
fn mixed(seed: u64) -> usize {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(x >> 40).unwrap_or(0)
}

impl Plain {
    pub(crate) fn of(id: u64) -> Self {
        let pick = |salt: u64, of: usize| mixed(id * 131 + salt) % of;
        let maybe = |salt: u64, values: &[&'static str]| match pick(salt, values.len() + 1) {
            0 => None,
            at => Some(values[at - 1]),
        };
        let some = |salt: u64, of: usize, one_in: usize| -> Vec<usize> {
            (0..of).filter(|at| pick(salt + *at as u64, one_in) == 0).collect()
        };
        let parsed = pick(1, 4) > 0;
        let devices = some(10, DEVICES.len(), 3);
        Self {
            id,
            word: if pick(2, 2) == 0 { "soft" } else { "hard" },
            author: pick(3, 2),
            genre: maybe(4, &GENRES),
            key: maybe(5, &KEYS),
            kind: KINDS[pick(6, 3)],
            level: LEVELS[pick(7, 3)],
            tags: some(20, TAGS.len(), 4).into_iter().map(|at| TAGS[at]).collect(),
            // A row of plain SQL names devices; only Live's own are known by their names.
            devices: devices.into_iter().filter(|at| parsed || !DEVICES[*at].3).collect(),
            plugins: some(30, PLUGINS.len(), 6).into_iter().filter(|_| parsed).collect(),
            packs: some(40, PACKS.len(), 8)
                .into_iter()
                .filter(|_| parsed)
                .map(|at| PACKS[at])
                .collect(),
            bpm: (pick(8, 5) > 0).then(|| 60 + pick(9, 120) as u32),
            parsed,
            live: LIVES[pick(50, 4)],
            edition: EDITIONS[pick(51, 4)],
            audio: pick(52, 2) == 0,
            featured: pick(53, 5) == 0,
            chains: pick(54, 20) as u32,
            macros: pick(55, 9) as u32,
            downloads: pick(56, 40) as u32,
            likes: pick(57, 300) as u32,
            ratings: pick(58, 3) as u32,
            published: first_day() + TimeDelta::days(pick(59, 90) as i64),
        }
    }

    fn groups(&self) -> BTreeSet<&'static str> {
        self.devices.iter().map(|at| DEVICES[*at].2).collect()
    }

    /// What else it needs: what, and its name.
    fn needs(&self) -> Vec<(&'static str, &'static str)> {
        let plugins = self.plugins.iter().map(|at| ("plugin", PLUGINS[*at].0));
        plugins.chain(self.packs.iter().map(|pack| ("pack", *pack))).collect()
    }

    fn needs_max(&self) -> bool {
        self.devices.iter().any(|at| DEVICES[*at].3)
    }

    /// Values in a facet, each once.
    pub(crate) fn values(&self, facet: Facet) -> BTreeSet<String> {
        let devices = || self.devices.iter().map(|at| &DEVICES[*at]);
        let owned = |values: &mut dyn Iterator<Item = &'static str>| values.map(str::to_owned).collect();
        match facet {
            Facet::Genre => owned(&mut self.genre.into_iter()),
            Facet::Key => owned(&mut self.key.into_iter()),
            Facet::Device => owned(&mut self.groups().into_iter()),
            Facet::Plugin => owned(&mut self.plugins.iter().map(|at| PLUGINS[*at].0)),
            Facet::Tag => owned(&mut self.tags.iter().copied()),
            Facet::Kind => owned(&mut [self.kind].into_iter()),
            Facet::Difficulty => owned(&mut [self.level].into_iter()),
            Facet::Author => owned(&mut [AUTHORS[self.author]].into_iter()),
            Facet::Origin => {
                let of_devices = devices().map(|device| if device.3 { "max_for_live" } else { "native" });
                owned(&mut of_devices.chain(self.plugins.first().map(|_| "plugin")))
            }
            Facet::Vendor => owned(&mut self.plugins.iter().filter_map(|at| PLUGINS[*at].1)),
            Facet::Category => owned(&mut devices().map(|device| device.4)),
            Facet::CategoryDevice => devices().map(|device| format!("{} > {}", device.4, device.2)).collect(),
            Facet::Edition => owned(&mut Some(self.edition).filter(|_| self.parsed).into_iter()),
            Facet::Live => owned(&mut Some(self.live).filter(|_| self.parsed).into_iter()),
            Facet::Form => owned(&mut Some("rack").filter(|_| self.parsed).into_iter()),
            Facet::Needs => self
                .needs()
                .into_iter()
                .map(|(what, name)| format!("{what}:{name}"))
                .collect(),
        }
    }

    pub(crate) fn number(&self, number: Number) -> Option<f64> {
        match number {
            Number::Bpm => self.bpm.map(f64::from),
            Number::Rating => (self.ratings > 0).then(|| 1.0 + f64::from(self.ratings)),
            Number::Downloads => Some(self.downloads.into()),
            Number::Likes => Some(self.likes.into()),
            Number::Uploaded => Some(self.published.timestamp() as f64),
            Number::DeviceCount => self.parsed.then_some((self.devices.len() + self.plugins.len()) as f64),
            Number::ChainCount => self.parsed.then_some(self.chains.into()),
            Number::MacroCount => self.parsed.then_some(self.macros.into()),
            Number::Id => Some(self.id as f64),
        }
    }

    fn passes(&self, test: &Test) -> bool {
        let fold = |text: &str| text.trim().to_lowercase();
        match test {
            Test::Value(facet, fits) => self.values(*facet).iter().any(|value| match fits {
                Fits::Is(wanted) => fold(value) == fold(wanted),
                Fits::StartsWith(text) => fold(value).starts_with(&fold(text)),
                Fits::Contains(text) => fold(value).contains(&fold(text)),
                Fits::Anything => true,
            }),
            Test::Number(number, range) => self.number(*number).is_some_and(|number| range.contains(number)),
            Test::Flag(flag) => match flag {
                Flag::PreviewAudio => self.audio,
                Flag::PreviewImage => false,
                Flag::Featured => self.featured,
                Flag::Parsed => self.parsed,
                Flag::NeedsMax => self.needs_max(),
            },
            Test::Live(version) => self.parsed && self.live.parse::<config::LiveVersion>().expect("a version") <= *version,
            Test::Opens(owned) => {
                let holds = match self.edition {
                    "unknown" => owned.suite_holds_all && owned.edition.as_str() == "suite",
                    edition => {
                        EDITIONS.iter().position(|name| *name == edition)
                            <= EDITIONS.iter().position(|name| *name == owned.edition.as_str())
                    }
                };
                let has = self.needs().iter().all(|(what, name)| {
                    let owned = if *what == "plugin" { &owned.plugins } else { &owned.packs };
                    owned.iter().any(|its| fold(its) == fold(name))
                });
                self.passes(&Test::Live(owned.live)) && holds && has && (owned.max_for_live || !self.needs_max())
            }
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(inner) => inner.iter().all(|inner| self.holds(inner)),
            Condition::Any(inner) => inner.iter().any(|inner| self.holds(inner)),
            Condition::Not(inner) => !self.holds(inner),
            Condition::Is(test) => self.passes(test),
        }
    }

    /// Controls of the groups that it fails, none for a group without one; `None`: it does not even have the text.
    fn failed(&self, request: &SearchRequest) -> Option<Vec<Option<Control>>> {
        if !request.text.is_empty() && self.word != request.text {
            return None;
        }
        let groups = request.filters.groups.iter().filter(|group| !self.holds(&group.condition));
        let mut failed: Vec<Option<Control>> = groups.map(|group| group.of).collect();
        if let Some((tempo, within)) = request.tempo.and_then(|tempo| Some((tempo, tempo.within?))) {
            let around = |bpm: f64, of: f64| bpm >= of * (1.0 - within) && bpm <= of * (1.0 + within);
            let is_near = self.bpm.map(f64::from).is_some_and(|bpm| {
                let other = tempo.half_and_double && (around(bpm, tempo.bpm / 2.0) || around(bpm, tempo.bpm * 2.0));
                around(bpm, tempo.bpm) || other
            });
            if !is_near {
                failed.push(Some(Control::Number(Number::Bpm)));
            }
        }
        Some(failed)
    }

    /// What it is ordered by: higher first, then the higher id.
    fn order(&self, request: &SearchRequest) -> Option<(bool, f64)> {
        let bpm = self.bpm.map(f64::from);
        let tempo = request.tempo.filter(|tempo| tempo.half_and_double);
        let direct = match (tempo, bpm) {
            (Some(tempo), Some(bpm)) => (bpm / tempo.bpm).log2().abs() <= 0.5,
            _ => false,
        };
        let key = match request.sort {
            Sort::Newest => self.published.timestamp() as f64,
            Sort::Downloads => self.downloads.into(),
            Sort::Likes => self.likes.into(),
            Sort::Bpm => bpm.map_or(f64::NEG_INFINITY, |bpm| -bpm),
            Sort::BpmDistance => bpm.map_or(f64::NEG_INFINITY, |bpm| -octaves(request, bpm)),
            Sort::Relevance | Sort::Rating | Sort::Random | Sort::Trending => return None,
        };
        Some((direct, key))
    }

    fn sql(&self) -> String {
        let text = |value: Option<&str>| value.map_or("NULL".to_owned(), |value| format!("'{value}'"));
        let names: Vec<&str> = self.devices.iter().map(|at| DEVICES[*at].1).collect();
        let bpm = self.bpm.map_or("NULL".to_owned(), |bpm| bpm.to_string());
        let (id, published) = (self.id, self.published.format("%Y-%m-%d %H:%M:%S"));
        let mut needs: Vec<_> = self
            .needs()
            .into_iter()
            .map(|(what, name)| json!({"needs": what, "value": name, "because": "x"}))
            .collect();
        needs.push(json!({"needs": "live_version", "value": self.live, "because": "x"}));
        if self.needs_max() {
            needs.push(json!({"needs": "max_for_live", "value": "max_for_live", "because": "Granulator"}));
        }
        let (live, edition, form, needs) = if self.parsed {
            let needs = serde_json::to_string(&needs).expect("JSON");
            (text(Some(self.live)), text(Some(self.edition)), "'rack'", text(Some(&needs)))
        } else {
            ("NULL".to_owned(), "NULL".to_owned(), "NULL", "NULL".to_owned())
        };
        format!(
            "({id}, {}, 'rack {}', 'r{id}', '{}', {}, {}, {bpm}, '{}', '{}', 'none.adg', TRUE, '{published}', {}, {}, {live}, {edition}, {form}, {needs})",
            self.author + 1,
            self.word,
            self.kind,
            text(self.genre),
            text(self.key),
            self.level,
            serde_json::to_string(&names).expect("JSON"),
            self.featured,
            text(Some("preview.mp3").filter(|_| self.audio)),
        )
    }

    fn summary(&self) -> RackSummary {
        RackSummary {
            devices: self
                .devices
                .iter()
                .map(|at| DEVICES[*at])
                .map(|(element, name, facet, is_max, category)| DeviceSummary {
                    element: element.to_owned(),
                    name: name.to_owned(),
                    facet: facet.to_owned(),
                    origin: if is_max {
                        DeviceOrigin::MaxForLive
                    } else {
                        DeviceOrigin::Native
                    },
                    category: category.to_owned(),
                    count: 1,
                })
                .collect(),
            plugins: self
                .plugins
                .iter()
                .map(|at| PLUGINS[*at])
                .map(|(name, vendor)| PluginSummary {
                    format: "vst3".to_owned(),
                    id: name.to_owned(),
                    name: Some(name.to_owned()),
                    vendor: vendor.map(str::to_owned),
                    count: 1,
                })
                .collect(),
            chains: self.chains,
            macros: self.macros,
            device_count: (self.devices.len() + self.plugins.len()) as u32,
            ..RackSummary::default()
        }
    }
}

/// Puts workflows into a database, builds its index and gives it their counters.
pub(crate) async fn fill(fixture: &Fixture, catalogue: &[Plain]) {
    let tags: Vec<String> = (1..).zip(TAGS).map(|(id, tag)| format!("({id}, '{tag}')")).collect();
    fixture
        .db
        .execute(&format!("INSERT INTO workflow_tags (id, name) VALUES {}", tags.join(", ")))
        .await;
    let rows: Vec<String> = catalogue.iter().map(Plain::sql).collect();
    let pivots = catalogue.iter().flat_map(|plain| {
        let number = |tag: &str| 1 + TAGS.iter().position(|known| *known == tag).expect("a tag");
        plain.tags.iter().map(move |tag| format!("({}, {})", plain.id, number(tag)))
    });
    let pivots: Vec<String> = pivots.collect();
    let summaries = catalogue.iter().filter(|plain| plain.parsed).map(|plain| {
        let summary = serde_json::to_string(&plain.summary()).expect("JSON");
        format!("({}, 1, '{summary}', '{{}}', '[]')", plain.id)
    });
    let summaries: Vec<String> = summaries.collect();
    fixture
        .db
        .execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, key_signature, bpm, difficulty_level, devices_used,
               adg_file_path, is_published, published_at, is_featured, preview_audio_path, required_live_version, required_edition,
               preset_form, requirements) VALUES {};
             INSERT INTO workflow_tag_pivot VALUES {};
             INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) VALUES {}",
            rows.join(", "),
            pivots.join(", "),
            summaries.join(", "),
        ))
        .await;
    fixture.rebuild().await;
    let counters: Vec<CounterRow> = catalogue
        .iter()
        .map(|plain| CounterRow {
            id: WorkflowId(plain.id),
            downloads: plain.downloads,
            likes: plain.likes,
            comments: 0,
            ratings: plain.ratings,
            average_rating: if plain.ratings > 0 { 1.0 + plain.ratings as f32 } else { 0.0 },
            changed_at: first_day(),
        })
        .collect();
    fixture.index.counters().apply(&counters);
}

/// What an answer must say.
pub(crate) struct Expected {
    pub(crate) ids: BTreeSet<u64>,
    /// In order, where the order is one of plain numbers.
    pub(crate) order: Option<Vec<u64>>,
    pub(crate) facets: Vec<BTreeMap<String, u64>>,
    pub(crate) numbers: Vec<Vec<f64>>,
}

/// Works a request out, one document after the other.
pub(crate) fn expected(catalogue: &[Plain], request: &SearchRequest) -> Expected {
    let judged: Vec<(&Plain, Vec<Option<Control>>)> = catalogue
        .iter()
        .filter_map(|plain| Some((plain, plain.failed(request)?)))
        .collect();
    // What would be a hit, were it not for what was set with the control.
    let but = |control: Control| {
        let fits = judged
            .iter()
            .filter(move |(_, failed)| failed.iter().all(|of| *of == Some(control)));
        fits.map(|(plain, _)| *plain)
    };
    let mut hits: Vec<&Plain> = judged
        .iter()
        .filter(|(_, failed)| failed.is_empty())
        .map(|(plain, _)| *plain)
        .collect();
    hits.sort_by(|a, b| {
        let (a, b) = ((a.order(request), a.id), (b.order(request), b.id));
        b.partial_cmp(&a).expect("numbers")
    });
    let has_order = hits.first().is_none_or(|plain| plain.order(request).is_some());
    Expected {
        ids: hits.iter().map(|plain| plain.id).collect(),
        order: has_order.then(|| hits.iter().map(|plain| plain.id).collect()),
        facets: request
            .facets
            .iter()
            .map(|facet| {
                let mut counts = BTreeMap::new();
                for value in but(Control::Facet(facet.family())).flat_map(|plain| plain.values(*facet)) {
                    *counts.entry(value).or_default() += 1;
                }
                counts
            })
            .collect(),
        numbers: request
            .numbers
            .iter()
            .map(|number| {
                but(Control::Number(*number))
                    .filter_map(|plain| plain.number(*number))
                    .collect()
            })
            .collect(),
    }
}

/// A range for tests: both ends included or one open.
pub(crate) fn range(min: u32, width: u32, form: u8) -> Range {
    let (min, max) = (f64::from(min), f64::from(min + width));
    match form {
        0 => Range::between(min, max),
        1 => Range::at_least(min),
        2 => Range::at_most(max),
        _ => Range {
            min: std::ops::Bound::Excluded(min),
            max: std::ops::Bound::Excluded(max),
        },
    }
}

/// Distance of a tempo from the one asked for, in octaves.
fn octaves(request: &SearchRequest, bpm: f64) -> f64 {
    let tempo = request.tempo.expect("a tempo");
    let near: &[f64] = if tempo.half_and_double { &[1.0, 0.5, 2.0] } else { &[1.0] };
    let distance = near
        .iter()
        .map(|times| (bpm / (tempo.bpm * times)).log2().abs())
        .fold(f64::INFINITY, f64::min);
    // Two ways to the same distance differ in their last bits.
    (distance * 1e9).round() / 1e9
}
