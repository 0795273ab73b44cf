//! A made catalogue, the same for the same size: believable titles, and values that few things have much of and many little (Zipf).
//!
//! Plug-ins are left out: rows have none before their files are parsed.

use test_support::TestDb;

/// Workflows of one INSERT.
const INSERT: u64 = 1000;

/// Words that titles are mostly made of.
const WORDS: [&str; 48] = [
    "warm",
    "deep",
    "dusty",
    "wide",
    "tape",
    "vocal",
    "drum",
    "bass",
    "pad",
    "chord",
    "noise",
    "lead",
    "pluck",
    "acid",
    "dark",
    "bright",
    "analog",
    "granular",
    "glitch",
    "lofi",
    "reverb",
    "delay",
    "chorus",
    "filter",
    "sidechain",
    "kick",
    "snare",
    "hat",
    "break",
    "loop",
    "ambient",
    "texture",
    "drone",
    "bell",
    "keys",
    "organ",
    "strings",
    "brass",
    "sub",
    "stab",
    "riser",
    "impact",
    "space",
    "dream",
    "motion",
    "pulse",
    "shimmer",
    "crush",
];

const SYLLABLES: [&str; 24] = [
    "ka", "lo", "mi", "ra", "to", "ve", "sho", "ni", "pe", "dur", "gal", "hem", "zo", "qui", "ster", "mon", "lin", "bra", "cor",
    "fey", "nal", "ost", "ur", "vin",
];

pub(crate) const GENRES: [&str; 14] = [
    "House",
    "Techno",
    "Drum & Bass",
    "Dubstep",
    "Ambient",
    "Hip Hop",
    "Trap",
    "Trance",
    "UK Garage",
    "Downtempo",
    "Electro",
    "Lo-Fi",
    "IDM",
    "Pop",
];

const KEYS: [&str; 24] = [
    "C", "Cm", "C#", "C#m", "D", "Dm", "D#", "D#m", "E", "Em", "F", "Fm", "F#", "F#m", "G", "Gm", "G#", "G#m", "A", "Am", "A#",
    "A#m", "B", "Bm",
];

pub(crate) const DEVICES: [&str; 40] = [
    "EQ Eight",
    "Compressor",
    "Reverb",
    "Delay",
    "Auto Filter",
    "Saturator",
    "Utility",
    "Operator",
    "Wavetable",
    "Simpler",
    "Drum Buss",
    "Glue Compressor",
    "Echo",
    "Hybrid Reverb",
    "Chorus-Ensemble",
    "Erosion",
    "Redux",
    "Limiter",
    "Sampler",
    "Analog",
    "Drift",
    "Meld",
    "Corpus",
    "Resonators",
    "Vocoder",
    "Beat Repeat",
    "Grain Delay",
    "Frequency Shifter",
    "Phaser-Flanger",
    "Spectral Time",
    "Spectral Resonator",
    "Roar",
    "Shifter",
    "Tuner",
    "Gate",
    "Multiband Dynamics",
    "Overdrive",
    "Pedal",
    "Amp",
    "Cabinet",
];

const KINDS: [&str; 3] = ["audio_effect", "instrument", "midi_effect"];

/// Tags that there are.
const TAGS: usize = 400;

/// Words that titles are made of, common ones first.
const VOCABULARY: usize = 4000;

/// Numbers from a seed, by splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A rank below `end`, the first about twice as often as the second.
    pub(crate) fn zipf(&mut self, end: usize) -> usize {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = ((end as f64 + 1.0).ln() * uniform).exp() - 1.0;
        (rank as usize).min(end - 1)
    }
}

/// A catalogue.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) workflows: u64,
    vocabulary: Vec<String>,
    authors: u64,
}

/// A row of it.
#[derive(Clone, Debug)]
pub(crate) struct Rack {
    pub(crate) id: u64,
    pub(crate) author: u64,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) kind: &'static str,
    pub(crate) genre: &'static str,
    pub(crate) bpm: usize,
    pub(crate) key: &'static str,
    pub(crate) devices: Vec<&'static str>,
    pub(crate) tags: Vec<usize>,
    macros: String,
}

impl Catalogue {
    pub(crate) fn new(workflows: u64) -> Self {
        let mut random = Random::new(7);
        let mut vocabulary: Vec<String> = WORDS.iter().map(ToString::to_string).collect();
        while vocabulary.len() < VOCABULARY {
            let word: String = (0..2 + random.below(2))
                .map(|_| SYLLABLES[random.below(SYLLABLES.len())])
                .collect();
            if !vocabulary.contains(&word) {
                vocabulary.push(word);
            }
        }
        Self {
            workflows,
            vocabulary,
            authors: (workflows / 40).max(10),
        }
    }

    pub(crate) fn word(&self, random: &mut Random) -> &str {
        &self.vocabulary[random.zipf(VOCABULARY)]
    }

    pub(crate) fn rack(&self, id: u64) -> Rack {
        let mut random = Random::new(id.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let words = |count: usize, random: &mut Random| -> Vec<&str> { (0..count).map(|_| self.word(random)).collect() };
        let count = 2 + random.below(3);
        let title = words(count, &mut random).join(" ");
        let count = 12 + random.below(20);
        let description = words(count, &mut random).join(" ");
        let macros = words(4, &mut random).join("\", \"");
        let mut distinct = |count: usize, end: usize| -> Vec<usize> {
            let mut all: Vec<usize> = (0..count).map(|_| random.zipf(end)).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let devices = distinct(5, DEVICES.len()).into_iter().map(|at| DEVICES[at]).collect();
        let tags = distinct(4, TAGS);
        Rack {
            id,
            author: 1 + random.zipf(self.authors as usize) as u64,
            title,
            description,
            kind: KINDS[random.zipf(KINDS.len())],
            genre: GENRES[random.zipf(GENRES.len())],
            bpm: 70 + (random.below(55) + random.below(55)),
            key: KEYS[random.below(KEYS.len())],
            devices,
            tags,
            macros,
        }
    }

    /// Writes it as somebody in a SQL shell would.
    pub(crate) async fn fill(&self, db: &TestDb) {
        for from in (1..=self.authors).step_by(5000) {
            let users: Vec<String> = (from..(from + 5000).min(self.authors + 1))
                .map(|id| format!("({id}, 'producer-{id:06}', 'producer-{id:06}@example.org', 'x')"))
                .collect();
            db.execute(&format!(
                "INSERT INTO users (id, username, email, password) VALUES {}",
                users.join(", ")
            ))
            .await;
        }
        let tags: Vec<String> = (0..TAGS)
            .map(|tag| format!("({}, 'tag {}')", tag + 1, self.vocabulary[tag]))
            .collect();
        db.execute(&format!("INSERT INTO workflow_tags (id, name) VALUES {}", tags.join(", ")))
            .await;
        for from in (1..=self.workflows).step_by(INSERT as usize) {
            let racks: Vec<Rack> = (from..(from + INSERT).min(self.workflows + 1))
                .map(|id| self.rack(id))
                .collect();
            let rows: Vec<String> = racks
                .iter()
                .map(|rack| {
                    format!(
                        "({id}, {}, '{}', '{}', 'rack-{id}', '{}', '{}', {}, '{}', '[\"{}\"]', '[\"{}\"]', 'none.adg', TRUE)",
                        rack.author,
                        rack.title,
                        rack.description,
                        rack.kind,
                        rack.genre,
                        rack.bpm,
                        rack.key,
                        rack.devices.join("\", \""),
                        rack.macros,
                        id = rack.id,
                    )
                })
                .collect();
            let pivots: Vec<String> = racks
                .iter()
                .flat_map(|rack| rack.tags.iter().map(|tag| format!("({}, {})", rack.id, tag + 1)))
                .collect();
            db.execute(&format!(
                "INSERT INTO workflows (id, user_id, title, description, slug, rack_type, genre, bpm, key_signature, devices_used,
                   macro_controls, adg_file_path, is_published) VALUES {};
                 INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES {}",
                rows.join(", "),
                pivots.join(", ")
            ))
            .await;
        }
    }
}
