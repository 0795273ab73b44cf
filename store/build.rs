//! Has the crate built again when a migration is added: `sqlx::migrate!` cannot see a new file by itself.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
