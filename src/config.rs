//! `cookbook config`: the effective settings.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::Result;
use clap::Args;

use crate::output;

/// Arguments of `cookbook config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Print the commented defaults instead: every key, its unit and the reason for its value
    #[arg(long)]
    defaults: bool,
}

/// Prints the effective settings as TOML, with secrets hidden.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(args: ConfigArgs, settings: Settings) -> Result<ExitCode> {
    let text = if args.defaults {
        ::config::DEFAULTS.to_owned()
    } else {
        settings.to_toml()
    };
    output::line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
