//! Tests of `ingest` against real files, hostile files and real servers.

mod built;
mod corpus;
mod hostile;
mod support;
