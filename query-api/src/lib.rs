//! The only door: HTTP and JSON.
