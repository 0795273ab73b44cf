//! Attributes of a document by name, and the tests that can be made of them: what both filter languages end in.

use indexer::{Condition, Facet, Fits, Flag, Number, Range, Test};
use std::ops::Bound;
use store::musical_key::MusicalKey;

/// What can be filtered by. Names are the native ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Texts.
    Facet(Facet),
    /// A number.
    Number(Number),
    /// True or false.
    Flag(Flag),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Attribute {
    /// The attribute of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Facet::parse(name)
            .map(Self::Facet)
            .or_else(|| Number::parse(name).map(Self::Number))
            .or_else(|| Flag::parse(name).map(Self::Flag))
    }

    /// Names of all, in alphabetical order.
    pub(super) fn names() -> Vec<&'static str> {
        let facets = Facet::ALL.iter().map(|facet| facet.name());
        let numbers = Number::ALL.iter().map(|number| number.name());
        let flags = Flag::ALL.iter().map(|flag| flag.name());
        let mut names: Vec<_> = facets.chain(numbers).chain(flags).collect();
        names.sort_unstable();
        names
    }

    /// Has this value. One that it cannot have fits nothing.
    pub(super) fn is(self, value: &str) -> Condition {
        match self {
            // What is no key is looked for as it is written: other programs may have written it so.
            Self::Facet(Facet::Key) => {
                let key = MusicalKey::parse(value).map_or_else(|| value.to_owned(), |key| key.name().to_owned());
                Condition::value(Facet::Key, key)
            }
            Self::Facet(facet) => Condition::value(facet, value),
            Self::Number(number) => match value.trim().parse::<f64>() {
                Ok(value) if value.is_finite() => Condition::Is(Test::Number(number, Range::exactly(value))),
                _ => nothing(),
            },
            Self::Flag(flag) => match value {
                "true" | "1" => Condition::Is(Test::Flag(flag)),
                "false" | "0" => not(Condition::Is(Test::Flag(flag))),
                _ => nothing(),
            },
        }
    }

    /// Is a number so compared with this one. Texts are not.
    pub(super) fn compared(self, how: Comparison, with: f64) -> Condition {
        let range = match how {
            Comparison::Less => Range {
                min: Bound::Unbounded,
                max: Bound::Excluded(with),
            },
            Comparison::AtMost => Range::at_most(with),
            Comparison::More => Range {
                min: Bound::Excluded(with),
                max: Bound::Unbounded,
            },
            Comparison::AtLeast => Range::at_least(with),
        };
        self.within(range)
    }

    /// Is a number within a range. Texts are not.
    pub(super) fn within(self, range: Range) -> Condition {
        match self {
            Self::Number(number) => Condition::Is(Test::Number(number, range)),
            Self::Facet(_) | Self::Flag(_) => nothing(),
        }
    }

    /// Has a value at all.
    pub(super) fn exists(self) -> Condition {
        match self {
            Self::Facet(facet) => Condition::Is(Test::Value(facet, Fits::Anything)),
            Self::Number(number) => Condition::Is(Test::Number(number, Range::ALL)),
            Self::Flag(_) => Condition::All(Vec::new()),
        }
    }

    /// Is a text that begins so.
    pub(super) fn starts_with(self, beginning: &str) -> Condition {
        self.text(|| Fits::StartsWith(beginning.to_owned()))
    }

    /// Is a text that contains this.
    pub(super) fn contains(self, part: &str) -> Condition {
        self.text(|| Fits::Contains(part.to_owned()))
    }

    fn text(self, fits: impl Fn() -> Fits) -> Condition {
        match self {
            Self::Facet(facet) => Condition::Is(Test::Value(facet, fits())),
            Self::Number(_) | Self::Flag(_) => nothing(),
        }
    }
}

/// The opposite.
pub(super) fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// What no document is.
pub(super) fn nothing() -> Condition {
    Condition::Any(Vec::new())
}
