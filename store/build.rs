//! Has the crate built again when a migration is added: `sqlx::migrate!` cannot see a new file by itself.
#![expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
