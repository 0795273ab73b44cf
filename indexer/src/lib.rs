//! Rows to tantivy documents; queries to hits and facets.
//!
//! [`Index`] is the index of one process: [`Index::search`] answers from memory and files alone, [`Index::rebuild`] makes it from the
//! database, [`Follower`] keeps it in step, [`CounterPoller`] its counters. This crate alone names tantivy. It knows nothing of HTTP, and of the rack format only what `store` keeps of it.

mod build;
mod candidates;
mod collector;
mod columns;
mod compare;
mod counters;
mod dictionary;
mod directory;
mod document;
mod error;
mod facet;
mod filter;
mod folder;
mod follower;
mod generation;
mod highlight;
mod index;
mod mixing;
mod number;
mod plan;
mod poll_counters;
mod predicate;
mod rank;
mod relax;
mod request;
mod response;
mod schema;
mod search;
mod similar;
mod spread;
mod stop_words;
mod suggest;
mod text;
mod totals;
mod understand;
mod values;
mod window;

pub use build::{BuildProgress, Built};
pub use compare::Comparison;
pub use counters::{Counters, Counts, Watermark};
pub use error::{IndexError, SearchError};
pub use facet::Facet;
pub use filter::{
    Condition, Control, Filters, Fits, Flag, Group, MAX_DEPTH, MAX_GROUPS, MAX_TESTS, Owned, Test, live_version_of,
};
pub use follower::{Follower, Step};
pub use highlight::HighlightOptions;
pub use index::{Index, IndexStatus, RebuildReason};
pub use mixing::{Harmony, TempoNear};
pub use number::{Number, Range};
pub use plan::MatchKind;
pub use poll_counters::CounterPoller;
pub use rank::{Explained, ExplainedWord};
pub use request::{Cursor, Matching, SearchRequest, Sort};
pub use response::{
    Card, CardAuthor, FacetCounts, FacetValue, Highlight, Hit, Mix, NumberCounts, Relaxed, Requirements, SearchResponse,
    Step as NumberStep,
};
pub use schema::SCHEMA_VERSION;
pub use similar::{Likeness, LikenessKind, Similar, SimilarRacks};
pub use suggest::{FacetSearch, Suggestion, Suggestions};
pub use text::{fold, words};
pub use understand::{Fielded, Sought, Understood, Wanted};
