//! The `cookbook` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    cookbook::cli::main()
}
