//! The `cookbook` command, as a library that `main.rs` calls: one file a subcommand, and what several of them share.
//!
//! No logic of the pipeline lives here. [`cli`] reads the command line, [`servers`] keeps private database servers for
//! whoever has none, [`shutdown`] turns signals into a token; the other modules are subcommands.

pub mod cli;
pub mod demo;
pub mod output;
pub mod parts;
pub mod servers;
pub mod shutdown;

pub mod config;
pub mod evaluate;
pub mod feed;
pub mod ingest;
pub mod jobs;
pub mod migrate;
pub mod parse;
pub mod rebuild;
pub mod report;
pub mod rollup;
pub mod serve;
pub mod stats;
pub mod token;
pub mod up;
pub mod with_servers;
pub mod work;
