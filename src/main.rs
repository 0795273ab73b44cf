//! The `cookbook` command.
fn main() {}
