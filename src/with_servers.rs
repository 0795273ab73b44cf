//! `cookbook with-servers -- CMD…`: private servers for the duration of a command.

use std::ffi::OsString;
use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook with-servers`.
#[derive(Debug, Args)]
pub struct WithServersArgs {
    /// Use this MySQL server (a URL without a database) rather than a private one; Redis is private all the same
    #[arg(long, value_name = "URL")]
    pub mysql_url: Option<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Runs a command with private servers.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: WithServersArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook with-servers` is not built yet")
}
