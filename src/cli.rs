//! The command line: what can be asked, and who answers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ::config::Settings;
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::servers::{self, guard};

/// File that is read from the current folder when no other is named.
const DEFAULT_FILE: &str = "cookbook.toml";

/// Time that blocking work left over at the end may take before it is abandoned.
const LAST_WORK: Duration = Duration::from_millis(500);

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cookbook",
    version,
    about = "Search and analytics pipeline for a community that shares Ableton Live racks",
    long_about = "Search and analytics pipeline for a community that shares Ableton Live racks.\n\n\
        Racks (.adg) go in over HTTP or from a folder, are parsed by background jobs, recorded in MySQL, followed into a \
        full-text and facet index, and found by search. MySQL and the uploaded files are the truth; all else comes back by itself.",
    after_help = "Examples:\n  \
        cookbook up --demo               everything in one process, with a community to look at\n  \
        cookbook parse 'My Rack.adg'     what is in a rack, as JSON; needs no database\n  \
        cookbook ingest ~/Music/Racks    take a folder of racks in\n  \
        cookbook config --defaults       every setting with its unit and reason\n  \
        COOKBOOK_HTTP__LISTEN=0.0.0.0:80 cookbook up\n                                   \
        any setting from the environment\n\n\
        Without `database.url`, commands use the private servers of the `cookbook up` that runs on the \
        same data folder."
)]
struct Cli {
    /// Configuration file [default: cookbook.toml in the current folder, where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "COOKBOOK_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: API, workers, scheduler, index follower; private servers where none are configured
    Up(crate::up::UpArgs),
    /// Run the API and the follower of its search index
    Serve(crate::serve::ServeArgs),
    /// Run workers and the scheduler
    Work(crate::work::WorkArgs),
    /// Bring the database's schema up to date, or adopt a database that holds the community's tables
    Migrate(crate::migrate::MigrateArgs),
    /// Take files and folders of racks in
    Ingest(crate::ingest::IngestArgs),
    /// Print what is in rack files as JSON
    Parse(crate::parse::ParseArgs),
    /// Build the search index of every live node anew
    Rebuild(crate::rebuild::RebuildArgs),
    /// Make what is kept of people's feeds anew
    Feed(crate::feed::FeedArgs),
    /// Make the hourly and daily numbers of a range again
    Rollup(crate::rollup::RollupArgs),
    /// Print what happened within some days: views, downloads, reactions, by genre, device and the like
    Stats(crate::stats::StatsArgs),
    /// Measure recommendations on what is in the database
    Evaluate(crate::evaluate::EvaluateArgs),
    /// Make, list and show the reports for admins
    Report(crate::report::ReportArgs),
    /// List jobs, and run dead ones again
    Jobs(crate::jobs::JobsArgs),
    /// Make, list and revoke API tokens
    Token(crate::token::TokenArgs),
    /// Print the effective settings, secrets hidden
    Config(crate::config::ConfigArgs),
    /// Run a command with private servers that last as long as it does
    WithServers(crate::with_servers::WithServersArgs),
    /// Run a command that dies with its parent (used by this program itself)
    #[command(name = guard::SUBCOMMAND, hide = true)]
    RunChild(guard::RunChildArgs),
}

/// Reads the command line, runs the subcommand, and says on standard error what went wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do about a standard error that can't be written.
            let _ = writeln!(std::io::stderr(), "cookbook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    // Before anything else is read or started: this process is to become another.
    if let Command::RunChild(args) = &cli.command {
        return guard::run(args);
    }
    let file = cli
        .config
        .or_else(|| Path::new(DEFAULT_FILE).is_file().then(|| PathBuf::from(DEFAULT_FILE)));
    let settings = Settings::load(file.as_deref())?;
    ::config::init_logging(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let code = runtime.block_on(dispatch(cli.command, settings));
    runtime.shutdown_timeout(LAST_WORK);
    code
}

/// Hands over to the subcommand. Those that need a database get settings in which its URL is filled in.
async fn dispatch(command: Command, settings: Settings) -> Result<ExitCode> {
    match command {
        Command::Up(args) => crate::up::run(args, settings).await,
        Command::Serve(args) => crate::serve::run(args, servers::locate(settings)?).await,
        Command::Work(args) => crate::work::run(args, servers::locate(settings)?).await,
        Command::Migrate(args) => crate::migrate::run(args, servers::locate(settings)?).await,
        Command::Ingest(args) => crate::ingest::run(args, servers::locate(settings)?).await,
        Command::Parse(args) => crate::parse::run(args, settings).await,
        Command::Rebuild(args) => crate::rebuild::run(args, servers::locate(settings)?).await,
        Command::Feed(args) => crate::feed::run(args, servers::locate(settings)?).await,
        Command::Rollup(args) => crate::rollup::run(args, servers::locate(settings)?).await,
        Command::Stats(args) => crate::stats::run(args, servers::locate(settings)?).await,
        Command::Evaluate(args) => crate::evaluate::run(args, settings).await,
        Command::Report(args) => crate::report::run(args, servers::locate(settings)?).await,
        Command::Jobs(args) => crate::jobs::run(args, servers::locate(settings)?).await,
        Command::Token(args) => crate::token::run(args, servers::locate(settings)?).await,
        Command::Config(args) => crate::config::run(args, settings).await,
        Command::WithServers(args) => crate::with_servers::run(args, settings).await,
        Command::RunChild(args) => guard::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
