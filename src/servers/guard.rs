//! A child that dies with its parent.
//!
//! The kernel's parent-death signal must be asked for by the child itself, between fork and exec, where only `unsafe` code can run
//! in Rust. So the child is first this same program once more (`cookbook run-child`), which asks, and then becomes the server by
//! exec, keeping its process id. The signal comes when the *thread* that forked ends: whoever spawns must do it from a thread that
//! lives as long as the child may.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Name of the hidden subcommand.
pub const SUBCOMMAND: &str = "run-child";

/// What happens to a child when its parent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnParentDeath {
    /// It is killed: nothing it does can keep it alive. For servers, whose data survive a kill.
    Kill,
    /// It is asked to stop. For commands, which may have children of their own to stop.
    Terminate,
}

/// Arguments of `cookbook run-child`.
#[derive(Debug, Args)]
pub struct RunChildArgs {
    /// Process id of the parent
    #[arg(long)]
    parent: u32,
    /// What to do when it ends
    #[arg(long, value_enum)]
    on_parent_death: OnParentDeath,
    /// What to become
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// A command that dies with the thread that spawns it. Add the arguments of `program` to it.
pub fn command(program: &OsStr, on_parent_death: OnParentDeath) -> Command {
    // The link, and not where it points to: a program that was built anew while it runs has no path any more.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg(SUBCOMMAND)
        .arg("--parent")
        .arg(std::process::id().to_string())
        .arg("--on-parent-death")
        .arg(match on_parent_death {
            OnParentDeath::Kill => "kill",
            OnParentDeath::Terminate => "terminate",
        })
        .arg("--")
        .arg(program);
    command
}

/// Asks for the signal, then becomes the command. Returns only when that failed.
pub fn run(args: &RunChildArgs) -> Result<ExitCode> {
    let signal = match args.on_parent_death {
        OnParentDeath::Kill => Signal::KILL,
        OnParentDeath::Terminate => Signal::TERM,
    };
    set_parent_process_death_signal(Some(signal)).context("ask for the parent-death signal")?;
    // A parent that died before the line above has sent nothing, and someone else is the parent now.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(args.parent) {
        bail!("the process `{}` that started this one is gone", args.parent);
    }
    let Some((program, arguments)) = args.command.split_first() else {
        bail!("no command to run");
    };
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("run `{}`", program.display()))
}
