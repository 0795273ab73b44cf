//! Rows to tantivy documents; queries to hits and facets.
