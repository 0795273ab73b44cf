//! A fixed mix of queries.

use indexer::{Facet, Number, Range, SearchRequest};

use crate::catalogue::{Catalogue, DEVICES, GENRES, Random};

/// Hits of a page.
const PAGE: usize = 20;

/// Hits before a deep page.
const DEEP: usize = 5000;

/// Facets counted where facets are.
const FACETS: [Facet; 5] = [Facet::Genre, Facet::Key, Facet::Device, Facet::Tag, Facet::Kind];

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every state of two words as they are typed.
    Typing,
    /// No text, but a genre, a tempo and a device, and the counts of five facets.
    Filters,
    /// Two words, without facets.
    Text,
    /// Two words and the counts of five facets.
    Faceted,
    /// A word with a wrong letter.
    Typo,
    /// A word, far down.
    Deep,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [Kind::Typing, Kind::Filters, Kind::Text, Kind::Faceted, Kind::Typo, Kind::Deep];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Typing => "as-you-type",
            Kind::Filters => "filters only",
            Kind::Text => "text",
            Kind::Faceted => "text + 5 facets",
            Kind::Typo => "typo",
            Kind::Deep => "deep page",
        }
    }
}

/// One query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    genre: &'static str,
    device: &'static str,
    bpm: f64,
}

impl Query {
    pub(crate) fn request(&self) -> SearchRequest {
        let mut request = SearchRequest {
            facets: Vec::new(),
            limit: PAGE,
            ..SearchRequest::text(self.text.clone())
        };
        match self.kind {
            Kind::Filters => {
                request = request.with(Facet::Genre, self.genre).with(Facet::Device, self.device);
                request.filters.number(Number::Bpm, Range::between(self.bpm, self.bpm + 20.0));
                request.facets = FACETS.to_vec();
            }
            Kind::Faceted => request.facets = FACETS.to_vec(),
            Kind::Deep => request.skip = DEEP,
            Kind::Typing | Kind::Text | Kind::Typo => {}
        }
        request
    }

    /// Its words.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split_whitespace()
    }
}

impl Catalogue {
    /// So many queries of a kind, the same each time.
    pub(crate) fn queries(&self, kind: Kind, count: usize) -> Vec<Query> {
        let mut random = Random::new(kind as u64 + 1);
        let mut queries = Vec::with_capacity(count);
        while queries.len() < count {
            // Whole words end with a space: the last one is typed to its end.
            let texts: Vec<String> = match kind {
                Kind::Filters => vec![String::new()],
                Kind::Typing => {
                    let text = format!("{} {}", self.word(&mut random), self.word(&mut random));
                    (2..=text.len()).map(|end| text[..end].to_owned()).collect()
                }
                Kind::Text | Kind::Faceted => vec![format!("{} {} ", self.word(&mut random), self.word(&mut random))],
                Kind::Typo => vec![self.misspelt(&mut random)],
                Kind::Deep => vec![format!("{} ", self.word(&mut random))],
            };
            for text in texts {
                queries.push(Query {
                    kind,
                    text,
                    genre: GENRES[random.zipf(GENRES.len())],
                    device: DEVICES[random.zipf(DEVICES.len())],
                    bpm: 80.0 + random.below(60) as f64,
                });
            }
        }
        queries.truncate(count);
        queries
    }

    /// A word of six letters or more with two of them exchanged.
    fn misspelt(&self, random: &mut Random) -> String {
        loop {
            let word = self.word(random);
            let at = 2 + random.below(word.len().saturating_sub(4));
            let mut letters: Vec<char> = word.chars().collect();
            if letters.len() >= 6 && letters[at] != letters[at + 1] {
                letters.swap(at, at + 1);
                return letters.into_iter().chain([' ']).collect();
            }
        }
    }
}
