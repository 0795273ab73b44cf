//! The `cookbook` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Documents and answers are made of many small strings, by several threads: building an index takes a quarter less time with it than
/// with glibc's allocator (`script/bench follow`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cookbook::cli::main()
}
