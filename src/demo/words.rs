//! What the demo's producers talk about: genres with their tempi, keys and sounds, and the words that titles are made of.

/// A genre, with what is usual in it.
pub(super) struct Genre {
    /// As written in `workflows.genre`.
    pub(super) name: &'static str,
    /// Share of all workflows, relative to the others.
    pub(super) weight: f64,
    /// Slowest and fastest usual tempo, in beats a minute.
    pub(super) bpm: (u32, u32),
    /// Tags that its racks carry more than others do.
    pub(super) tags: &'static [&'static str],
    /// Words that its titles lean on.
    pub(super) moods: &'static [&'static str],
}

pub(super) const GENRES: &[Genre] = &[
    Genre {
        name: "Techno",
        weight: 10.0,
        bpm: (125, 145),
        tags: &["techno", "warehouse", "rumble", "hypnotic"],
        moods: &["Rumbling", "Concrete", "Hypnotic", "Industrial"],
    },
    Genre {
        name: "House",
        weight: 9.0,
        bpm: (118, 128),
        tags: &["house", "groove", "swing", "club"],
        moods: &["Bouncing", "Sunlit", "Swung", "Chunky"],
    },
    Genre {
        name: "Drum and Bass",
        weight: 8.0,
        bpm: (168, 178),
        tags: &["dnb", "reese", "breaks", "neuro"],
        moods: &["Rolling", "Twisted", "Reese", "Liquid"],
    },
    Genre {
        name: "Ambient",
        weight: 8.0,
        bpm: (60, 100),
        tags: &["ambient", "drone", "texture", "slow"],
        moods: &["Drifting", "Frozen", "Distant", "Weightless"],
    },
    Genre {
        name: "Hip Hop",
        weight: 7.0,
        bpm: (80, 96),
        tags: &["hiphop", "boom bap", "sampling", "dusty"],
        moods: &["Dusty", "Lazy", "Crackling", "Smoky"],
    },
    Genre {
        name: "Lo-Fi",
        weight: 6.0,
        bpm: (70, 90),
        tags: &["lofi", "tape", "wobble", "chill"],
        moods: &["Wobbly", "Faded", "Cassette", "Sleepy"],
    },
    Genre {
        name: "Trap",
        weight: 6.0,
        bpm: (130, 150),
        tags: &["trap", "808", "hats", "dark"],
        moods: &["Icy", "Heavy", "808", "Midnight"],
    },
    Genre {
        name: "Dubstep",
        weight: 4.0,
        bpm: (138, 142),
        tags: &["dubstep", "wobble", "sub", "growl"],
        moods: &["Growling", "Half-Time", "Sub", "Snarling"],
    },
    Genre {
        name: "Trance",
        weight: 4.0,
        bpm: (132, 142),
        tags: &["trance", "supersaw", "uplifting", "pluck"],
        moods: &["Uplifting", "Soaring", "Gated", "Endless"],
    },
    Genre {
        name: "Downtempo",
        weight: 4.0,
        bpm: (85, 110),
        tags: &["downtempo", "organic", "dub", "warm"],
        moods: &["Warm", "Unhurried", "Dubby", "Organic"],
    },
    Genre {
        name: "IDM",
        weight: 3.0,
        bpm: (90, 160),
        tags: &["idm", "glitch", "generative", "broken"],
        moods: &["Broken", "Generative", "Jittery", "Folded"],
    },
    Genre {
        name: "UK Garage",
        weight: 3.0,
        bpm: (128, 136),
        tags: &["ukg", "2-step", "shuffle", "bassline"],
        moods: &["Skippy", "Shuffled", "2-Step", "Slinky"],
    },
    Genre {
        name: "Synthwave",
        weight: 3.0,
        bpm: (84, 118),
        tags: &["synthwave", "retro", "80s", "arp"],
        moods: &["Neon", "Retro", "Chrome", "Sunset"],
    },
    Genre {
        name: "Cinematic",
        weight: 2.0,
        bpm: (60, 120),
        tags: &["cinematic", "score", "tension", "hybrid"],
        moods: &["Vast", "Tense", "Widescreen", "Ominous"],
    },
];

/// A sort of rack: what it does, in the words of its title, with the devices that it is built from (names of elements in a rack file).
pub(super) struct Recipe {
    /// Last words of the title.
    pub(super) noun: &'static str,
    /// Kind of the rack, as `workflows.kind` names it.
    pub(super) kind: &'static str,
    /// Devices, in order; of a drum rack, those of every pad.
    pub(super) devices: &'static [&'static str],
    /// Names of its macros.
    pub(super) macros: &'static [&'static str],
    /// Tags that say what it is.
    pub(super) tags: &'static [&'static str],
    /// What it is for, to end a sentence of the description.
    pub(super) purpose: &'static str,
}

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        noun: "Bass",
        kind: "instrument",
        devices: &["Operator", "Saturator", "Eq8", "Compressor2"],
        macros: &["Drive", "Cutoff", "Sub Level", "Movement"],
        tags: &["bass", "mono"],
        purpose: "a bass line that holds the low end together",
    },
    Recipe {
        noun: "Reese",
        kind: "instrument",
        devices: &["InstrumentVector", "AutoFilter", "Chorus2", "Saturator", "MultibandDynamics"],
        macros: &["Detune", "Growl", "Width", "Filter"],
        tags: &["bass", "reese"],
        purpose: "wide basses that still work in mono",
    },
    Recipe {
        noun: "Pad",
        kind: "instrument",
        devices: &["InstrumentVector", "AutoFilter", "Hybrid", "Eq8"],
        macros: &["Attack", "Brightness", "Space", "Drift"],
        tags: &["pad", "atmosphere"],
        purpose: "long chords behind a mix",
    },
    Recipe {
        noun: "Keys",
        kind: "instrument",
        devices: &["LoungeLizard", "Chorus2", "Amp", "Reverb"],
        macros: &["Tine", "Tremolo", "Room", "Age"],
        tags: &["keys", "chords"],
        purpose: "chords with a little dirt on them",
    },
    Recipe {
        noun: "Pluck",
        kind: "instrument",
        devices: &["UltraAnalog", "Echo", "Reverb", "Limiter"],
        macros: &["Decay", "Tone", "Echo", "Size"],
        tags: &["pluck", "lead"],
        purpose: "short melodies that leave room for a vocal",
    },
    Recipe {
        noun: "Lead",
        kind: "instrument",
        devices: &["Drift", "Overdrive", "Delay", "Eq8"],
        macros: &["Glide", "Drive", "Delay", "Vibrato"],
        tags: &["lead", "mono"],
        purpose: "a lead that cuts through without pain",
    },
    Recipe {
        noun: "Choir",
        kind: "instrument",
        devices: &["MultiSampler", "GrainDelay", "Hybrid", "Eq8"],
        macros: &["Vowel", "Grain", "Hall", "Air"],
        tags: &["choir", "texture"],
        purpose: "voices that are not quite there",
    },
    Recipe {
        noun: "Kit",
        kind: "drum",
        devices: &["OriginalSimpler", "Saturator"],
        macros: &["Tune", "Decay", "Crush", "Room"],
        tags: &["drums", "kit"],
        purpose: "a whole kit that is mixed before you start",
    },
    Recipe {
        noun: "Percussion",
        kind: "drum",
        devices: &["OriginalSimpler", "Corpus"],
        macros: &["Tune", "Ring", "Scatter", "Pan"],
        tags: &["drums", "percussion"],
        purpose: "percussion to fill the gaps of a loop",
    },
    Recipe {
        noun: "Drum Bus",
        kind: "audio_effect",
        devices: &["DrumBuss", "GlueCompressor", "Eq8", "Limiter"],
        macros: &["Crunch", "Boom", "Glue", "Parallel"],
        tags: &["drums", "bus", "mixing"],
        purpose: "a drum bus that needs weight",
    },
    Recipe {
        noun: "Vocal Chain",
        kind: "audio_effect",
        devices: &["Eq8", "Compressor2", "MultibandDynamics", "Delay", "Reverb"],
        macros: &["De-Ess", "Presence", "Slap", "Plate"],
        tags: &["vocal", "mixing"],
        purpose: "a vocal recorded in a bedroom",
    },
    Recipe {
        noun: "Tape Machine",
        kind: "audio_effect",
        devices: &["Saturator", "Vinyl", "Redux2", "AutoFilter"],
        macros: &["Wow", "Hiss", "Age", "Bandwidth"],
        tags: &["tape", "saturation"],
        purpose: "anything that sounds too clean",
    },
    Recipe {
        noun: "Space",
        kind: "audio_effect",
        devices: &["Echo", "Hybrid", "Transmute", "StereoGain"],
        macros: &["Feedback", "Size", "Shimmer", "Freeze"],
        tags: &["reverb", "delay", "send"],
        purpose: "a send that turns notes into rooms",
    },
    Recipe {
        noun: "Sidechain Pump",
        kind: "audio_effect",
        devices: &["AutoPan", "GlueCompressor", "StereoGain"],
        macros: &["Depth", "Shape", "Rate", "Release"],
        tags: &["sidechain", "pump"],
        purpose: "pumping without routing a kick",
    },
    Recipe {
        noun: "Master Chain",
        kind: "audio_effect",
        devices: &["Eq8", "GlueCompressor", "MultibandDynamics", "Limiter", "SpectrumAnalyzer"],
        macros: &["Tilt", "Glue", "Loudness", "Width"],
        tags: &["mastering", "bus"],
        purpose: "a rough master to send to friends",
    },
    Recipe {
        noun: "Stutter",
        kind: "audio_effect",
        devices: &["BeatRepeat", "AutoFilter", "Redux2", "Gate"],
        macros: &["Chance", "Grid", "Crush", "Mix"],
        tags: &["glitch", "performance"],
        purpose: "fills that you play by hand",
    },
    Recipe {
        noun: "Distortion",
        kind: "audio_effect",
        devices: &["Roar", "Pedal", "Cabinet", "Eq8"],
        macros: &["Gain", "Tone", "Fold", "Blend"],
        tags: &["distortion", "saturation"],
        purpose: "everything that should bite",
    },
    Recipe {
        noun: "Chords",
        kind: "midi_effect",
        devices: &["MidiChord", "MidiScale", "MidiVelocity"],
        macros: &["Voicing", "Spread", "Strum", "Accent"],
        tags: &["chords", "midi"],
        purpose: "one finger that plays four notes",
    },
    Recipe {
        noun: "Arp",
        kind: "midi_effect",
        devices: &["MidiArpeggiator", "MidiRandom", "MidiScale", "MidiNoteLength"],
        macros: &["Rate", "Steps", "Chance", "Gate"],
        tags: &["arp", "midi", "generative"],
        purpose: "patterns that do not repeat too soon",
    },
];

/// First words of titles that fit anything.
pub(super) const COLOURS: &[&str] = &[
    "Velvet",
    "Glass",
    "Rust",
    "Amber",
    "Hollow",
    "Paper",
    "Static",
    "Moss",
    "Copper",
    "Ghost",
    "Salt",
    "Cobalt",
    "Ash",
    "Tin",
    "Harbour",
    "Lunar",
    "Granite",
    "Silk",
    "Ember",
    "Marble",
    "Pocket",
    "Basement",
    "Satellite",
    "Tidal",
    "Echoing",
    "Polar",
    "Saffron",
    "Quiet",
    "Brutal",
    "Elastic",
    "Fractured",
    "Golden",
];

/// Tags that have nothing to do with a genre or a sound.
pub(super) const COMMON_TAGS: &[&str] = &[
    "free",
    "performance",
    "macro heavy",
    "low cpu",
    "push ready",
    "beginner friendly",
    "stock only",
    "experimental",
];

/// Opening sentences of descriptions; `{title}`, `{genre}`, `{purpose}`, `{device}` and `{macro}` are filled in.
pub(super) const OPENINGS: &[&str] = &[
    "Made for {purpose}.",
    "I kept reaching for the same chain in every {genre} track, so here it is as one rack: {purpose}.",
    "{device} does most of the work here. Meant for {purpose}.",
    "A {genre} staple of mine, meant for {purpose}.",
    "Started as an accident with {device} and ended as {purpose}.",
];

/// Closing sentences of descriptions.
pub(super) const CLOSINGS: &[&str] = &[
    "Turn {macro} slowly, it goes a long way.",
    "Map {macro} to a knob that you like.",
    "Everything is on the macros; start with {macro}.",
    "Watch your levels when {macro} is past noon.",
    "No samples needed, so it loads anywhere.",
    "Questions are welcome in the comments.",
];

/// What people write under racks.
pub(super) const COMMENTS: &[&str] = &[
    "Works straight away in my set, thanks.",
    "The {macro} macro is lovely on a send.",
    "Did you try it before a limiter? Mine gets loud.",
    "Used this on three tracks this week.",
    "Would love a version without {device}.",
    "Great starting point, I swapped the last device and kept the rest.",
    "How do you keep the low end so tidy?",
    "This taught me what {device} is for.",
];

/// Places where producers say they live: regions, so that nobody's town is meant.
pub(super) const REGIONS: &[&str] = &[
    "Northern Europe",
    "Southern Europe",
    "East Asia",
    "South America",
    "North America",
    "Oceania",
    "West Africa",
    "Middle East",
];
