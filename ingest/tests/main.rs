//! Tests of `ingest` against real files, hostile files and real servers.

mod corpus;
