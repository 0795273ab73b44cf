//! Musical keys: any of the field's notations in, one canonical form out, and the keys that mix with it.
//!
//! There is one list of spellings, made here. [`MusicalKey::parse`] looks a text up in it after folding; so do the triggers that
//! keep `workflows.musical_key`, whose table `musical_key_spellings` is filled by a migration that a test holds equal to the list.
//!
//! Decisions where notations disagree:
//! - A letter alone is major in upper case and minor in lower case (`F#`, `f#`). With a mode, its case says nothing: `am` is A minor.
//! - Of the mode's letter the case is all: `Am` is minor, `AM` is major. Words are read in any case.
//! - `B` is the English B. Germans write H for it, which is read too, and B for B flat, which is read only where the mode is German
//!   (`B-Dur`, `b-Moll`), as nothing else can be meant.
//! - `1m` and `1d` are Open Key, `1A` and `1B` Camelot. `1M` is neither.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// Major or minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Major.
    Major,
    /// Minor.
    Minor,
}

/// One of the 24 keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MusicalKey {
    /// Semitones above C, 0 to 11.
    tonic: u8,
    mode: Mode,
}

/// Canonical names of the major keys, by semitones above C: of two spellings the one with fewer signs, F sharp where they are even.
const MAJOR_NAMES: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
/// Canonical names of the minor keys, by the same rule, E flat minor where they are even.
const MINOR_NAMES: [&str; 12] = ["Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"];

/// Every folded spelling of every key.
static SPELLINGS: LazyLock<BTreeMap<String, MusicalKey>> = LazyLock::new(list_spellings);

impl MusicalKey {
    /// A key by its tonic, in semitones above C, of which whole octaves are dropped.
    pub fn new(tonic: u8, mode: Mode) -> Self {
        Self { tonic: tonic % 12, mode }
    }

    /// Every key, from C major up, major before minor.
    pub fn all() -> impl Iterator<Item = Self> {
        [Mode::Major, Mode::Minor]
            .into_iter()
            .flat_map(|mode| (0..12).map(move |tonic| Self { tonic, mode }))
    }

    /// Reads a key in any notation: `F#m`, `F♯ minor`, `Gb min`, `f#`, `8A`, `08A`, `1m`, `fis-Moll`, `H`. `None` for what is no key, scales and modes
    /// other than major and minor included.
    pub fn parse(text: &str) -> Option<Self> {
        SPELLINGS.get(&fold(text)?).copied()
    }

    /// Every folded spelling with its key, in the order of the spellings' bytes.
    pub fn spellings() -> impl Iterator<Item = (&'static str, Self)> {
        SPELLINGS.iter().map(|(spelling, key)| (spelling.as_str(), *key))
    }

    /// Semitones of the tonic above C, 0 to 11.
    pub fn tonic(self) -> u8 {
        self.tonic
    }

    /// Major or minor.
    pub fn mode(self) -> Mode {
        self.mode
    }

    /// The canonical name, as `workflows.musical_key` holds it: `F#m`, `Bb`.
    pub fn name(self) -> &'static str {
        let names = match self.mode {
            Mode::Major => &MAJOR_NAMES,
            Mode::Minor => &MINOR_NAMES,
        };
        names[usize::from(self.tonic)]
    }

    /// The place on the Camelot wheel, such as `8A` for A minor.
    pub fn camelot(self) -> String {
        let letter = match self.mode {
            Mode::Major => 'B',
            Mode::Minor => 'A',
        };
        // Camelot's numbers are Open Key's, turned by seven: C major is 1d and 8B.
        format!("{}{letter}", (self.open_key_number() + 6) % 12 + 1)
    }

    /// The place in Open Key notation, such as `1m` for A minor.
    pub fn open_key(self) -> String {
        let letter = match self.mode {
            Mode::Major => 'd',
            Mode::Minor => 'm',
        };
        format!("{}{letter}", self.open_key_number())
    }

    /// The relative key: the same place on the wheel in the other mode.
    pub fn relative(self) -> Self {
        match self.mode {
            Mode::Major => Self::new(self.tonic + 9, Mode::Minor),
            Mode::Minor => Self::new(self.tonic + 3, Mode::Major),
        }
    }

    /// The keys that mix with this one by the usual rule: itself, its relative, and its neighbours on the wheel in its own mode.
    pub fn compatible(self) -> [Self; 4] {
        [self, self.relative(), self.fifth_below(), self.fifth_above()]
    }

    /// The neighbours of its relative, which some mix as well.
    pub fn diagonal(self) -> [Self; 2] {
        [self.relative().fifth_below(), self.relative().fifth_above()]
    }

    /// One step on along the wheel.
    fn fifth_above(self) -> Self {
        Self::new(self.tonic + 7, self.mode)
    }

    /// One step back along the wheel.
    fn fifth_below(self) -> Self {
        Self::new(self.tonic + 5, self.mode)
    }

    /// Open Key's number, 1 to 12: C major and A minor are 1, and each fifth above is one more.
    fn open_key_number(self) -> u8 {
        let major = match self.mode {
            Mode::Major => self.tonic,
            Mode::Minor => self.relative().tonic,
        };
        // Seven semitones make a fifth, and 7 × 7 = 49 is 1 modulo 12.
        major * 7 % 12 + 1
    }
}

impl fmt::Display for MusicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Brings a text to the form in which spellings are listed; `None` where no spelling can come of it.
///
/// The triggers of `migrations/0005_musical_keys.sql` do the same, step by step.
fn fold(text: &str) -> Option<String> {
    let mut spelling: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '_'))
        .map(|c| match c {
            '♯' => '#',
            '♭' => 'b',
            other => other,
        })
        .collect();
    // `C-` is how some write C minor: without its sign it would become C major.
    if !spelling.ends_with('-') {
        spelling.retain(|c| c != '-');
    }
    if !spelling.is_ascii() || spelling.is_empty() {
        return None;
    }
    // The first letter's case and that of a final `M` mean something.
    let end = if spelling.ends_with('M') {
        spelling.len() - 1
    } else {
        spelling.len()
    };
    if end > 1 {
        spelling[1..end].make_ascii_lowercase();
    }
    Some(spelling)
}

fn list_spellings() -> BTreeMap<String, MusicalKey> {
    let mut spellings = BTreeMap::new();
    for (tonic, semitones) in english_tonics() {
        for (word, mode) in MODES {
            spell(&mut spellings, &tonic, semitones, word, *mode);
        }
    }
    for (tonic, semitones) in GERMAN_TONICS {
        for (word, mode) in MODES {
            spell(&mut spellings, tonic, *semitones, word, *mode);
        }
    }
    // Only under a German mode is B the flat one. This replaces what the English B has put there.
    for (word, mode) in [("dur", Mode::Major), ("moll", Mode::Minor)] {
        spell(&mut spellings, "B", 10, word, Some(mode));
    }
    for key in MusicalKey::all() {
        for place in [key.camelot(), key.open_key()] {
            let place = place.to_ascii_lowercase();
            if place.len() == 2 {
                spellings.insert(format!("0{place}"), key);
            }
            spellings.insert(place, key);
        }
    }
    spellings
}

/// What may follow a tonic. `None`: the case of the tonic's letter tells.
const MODES: &[(&str, Option<Mode>)] = &[
    ("", None),
    ("m", Some(Mode::Minor)),
    ("min", Some(Mode::Minor)),
    ("minor", Some(Mode::Minor)),
    ("moll", Some(Mode::Minor)),
    ("M", Some(Mode::Major)),
    ("maj", Some(Mode::Major)),
    ("major", Some(Mode::Major)),
    ("dur", Some(Mode::Major)),
];

/// German names that are not English ones, with semitones above C.
const GERMAN_TONICS: &[(&str, u8)] = &[
    ("Cis", 1),
    ("Des", 1),
    ("Dis", 3),
    ("Es", 3),
    ("Fis", 6),
    ("Ges", 6),
    ("Gis", 8),
    ("As", 8),
    ("Ais", 10),
    ("H", 11),
];

/// Letters with and without a sign, with semitones above C.
fn english_tonics() -> impl Iterator<Item = (String, u8)> {
    const LETTERS: [(char, u8); 7] = [('C', 0), ('D', 2), ('E', 4), ('F', 5), ('G', 7), ('A', 9), ('B', 11)];
    const SIGNS: [(&str, u8); 5] = [("", 0), ("#", 1), ("sharp", 1), ("b", 11), ("flat", 11)];
    LETTERS
        .into_iter()
        .flat_map(|(letter, natural)| SIGNS.map(|(sign, raised)| (format!("{letter}{sign}"), natural + raised)))
}

/// Lists a tonic, given with its first letter in upper case, in both cases.
fn spell(spellings: &mut BTreeMap<String, MusicalKey>, tonic: &str, semitones: u8, word: &str, mode: Option<Mode>) {
    let upper = MusicalKey::new(semitones, mode.unwrap_or(Mode::Major));
    let lower = MusicalKey::new(semitones, mode.unwrap_or(Mode::Minor));
    spellings.insert(format!("{tonic}{word}"), upper);
    spellings.insert(format!("{}{word}", tonic.to_ascii_lowercase()), lower);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wheel, as the field prints it: Open Key, Camelot, major, minor (spellings divided by a slash).
    const WHEEL: [(&str, &str, &str, &str); 12] = [
        ("1", "8", "C", "A"),
        ("2", "9", "G", "E"),
        ("3", "10", "D", "B"),
        ("4", "11", "A", "F♯/G♭"),
        ("5", "12", "E", "C♯/D♭"),
        ("6", "1", "B", "G♯/A♭"),
        ("7", "2", "F♯/G♭", "E♭/D♯"),
        ("8", "3", "D♭/C♯", "B♭/A♯"),
        ("9", "4", "A♭/G♯", "F"),
        ("10", "5", "E♭/D♯", "C"),
        ("11", "6", "B♭/A♯", "G"),
        ("12", "7", "F", "D"),
    ];

    fn key(text: &str) -> MusicalKey {
        MusicalKey::parse(text).unwrap_or_else(|| panic!("`{text}` is a key"))
    }

    #[test]
    fn every_place_of_the_wheel_has_its_two_keys() {
        for (open, camelot, majors, minors) in WHEEL {
            for name in majors.split('/') {
                let major = key(name);
                assert_eq!(
                    (major.open_key(), major.camelot()),
                    (format!("{open}d"), format!("{camelot}B")),
                    "{name}"
                );
                assert_eq!(key(&major.camelot()), major);
                assert_eq!(key(&major.open_key()), major);
            }
            for name in minors.split('/') {
                let minor = key(&format!("{name}m"));
                assert_eq!(
                    (minor.open_key(), minor.camelot()),
                    (format!("{open}m"), format!("{camelot}A")),
                    "{name}m"
                );
                assert_eq!(key(&minor.camelot()), minor);
                assert_eq!(key(&minor.open_key()), minor);
            }
        }
    }

    #[test]
    fn notations_seen_in_the_wild_are_read() {
        for (text, name) in [
            ("8A", "Am"),
            ("08A", "Am"),
            ("8a", "Am"),
            ("1m", "Am"),
            ("12B", "E"),
            ("01d", "C"),
            ("10M", ""),
            ("13A", ""),
            ("0A", ""),
            ("F#m", "F#m"),
            ("F♯m", "F#m"),
            ("Gbm", "F#m"),
            ("F# minor", "F#m"),
            ("F# Minor", "F#m"),
            ("f sharp minor", "F#m"),
            ("Gb minor", "F#m"),
            ("Dmaj", "D"),
            ("Ebmin", "Ebm"),
            ("EB MINOR", "Ebm"),
            ("f#", "F#m"),
            ("F#", "F#"),
            ("A", "A"),
            ("a", "Am"),
            ("AM", "A"),
            ("Am", "Am"),
            ("am", "Am"),
            ("aM", "A"),
            ("A_min", "Am"),
            ("A-min", "Am"),
            ("B", "B"),
            ("Bm", "Bm"),
            ("b", "Bm"),
            ("bm", "Bm"),
            ("bb", "Bbm"),
            ("Bb", "Bb"),
            ("BB", "Bb"),
            ("B♭ Major", "Bb"),
            ("H", "B"),
            ("h", "Bm"),
            ("Hm", "Bm"),
            ("H-Moll", "Bm"),
            ("B-Dur", "Bb"),
            ("b-Moll", "Bbm"),
            ("fis-Moll", "F#m"),
            ("Es", "Eb"),
            ("C#", "Db"),
            ("db", "C#m"),
            ("E#", "F"),
            ("Cb", "B"),
            ("  D  ", "D"),
            ("", ""),
            (" ", ""),
            ("C-", ""),
            ("C dorian", ""),
            ("I", ""),
            ("m", ""),
            ("M", ""),
            ("8", ""),
            ("Ä", ""),
            ("AmM", ""),
        ] {
            assert_eq!(MusicalKey::parse(text).map_or("", MusicalKey::name), name, "`{text}`");
        }
    }

    #[test]
    fn the_names_are_themselves_spellings() {
        for key in MusicalKey::all() {
            assert_eq!(MusicalKey::parse(key.name()), Some(key));
            assert!(key.name().len() <= 8, "`workflows.musical_key` holds it");
        }
    }

    #[test]
    fn a_minor_mixes_with_its_relative_and_its_neighbours() {
        let names = |keys: &[MusicalKey]| keys.iter().map(|key| key.name()).collect::<Vec<_>>();
        assert_eq!(names(&key("Am").compatible()), ["Am", "C", "Dm", "Em"]);
        let places: Vec<_> = key("1A")
            .compatible()
            .into_iter()
            .chain(key("1A").diagonal())
            .map(MusicalKey::camelot)
            .collect();
        assert_eq!(places, ["1A", "1B", "12A", "2A", "12B", "2B"]);
    }

    #[test]
    fn mixing_goes_both_ways() {
        for one in MusicalKey::all() {
            for other in MusicalKey::all() {
                assert_eq!(one.compatible().contains(&other), other.compatible().contains(&one));
                assert_eq!(one.diagonal().contains(&other), other.diagonal().contains(&one));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_spaces_do_not_matter(text in "\\PC{0,12}", gap in 0_usize..12) {
            let read = MusicalKey::parse(&text);
            let mut spaced = text.clone();
            let at = spaced.char_indices().nth(gap).map_or(spaced.len(), |(index, _)| index);
            spaced.insert(at, ' ');
            proptest::prop_assert_eq!(MusicalKey::parse(&spaced), read);
        }

        #[test]
        fn whatever_is_read_is_one_of_the_24(text in "[A-Ha-h0-9][#b♯♭0-9 ]?[mMaAdDbB]?[a-z]{0,4}") {
            if let Some(key) = MusicalKey::parse(&text) {
                proptest::prop_assert!(MusicalKey::all().any(|other| other == key));
                proptest::prop_assert_eq!(MusicalKey::parse(key.name()), Some(key));
            }
        }
    }
}
