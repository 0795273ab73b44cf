//! `cookbook parse`: what is in rack files, as JSON.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::config::Settings;
use anyhow::Result;
use clap::Args;
use ingest::{Limits, Parsed};
use serde_json::{Value, json};

use crate::output;

/// Arguments of `cookbook parse`.
#[derive(Debug, Args)]
pub struct ParseArgs {
    /// Rack files (.adg) or device presets (.adv)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs `cookbook parse`: one JSON object a file on standard output, in the order of the arguments. Needs no database.
///
/// Exit code 0 if every file is a rack or device preset, else 1.
///
/// # Errors
/// Standard output cannot be written to.
pub async fn run(args: ParseArgs, settings: Settings) -> Result<ExitCode> {
    let limits = Limits::from(&settings.parser);
    let mut refused = false;
    for file in &args.files {
        let shown = match parse_file(file, settings.http.max_upload_bytes, &limits) {
            Ok(parsed) => rack_object(file, &parsed),
            Err((code, message)) => {
                refused = true;
                json!({"file": file.display().to_string(), "error": {"code": code, "message": message}})
            }
        };
        // A line for programs, more lines for people.
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(&shown)?
        } else {
            serde_json::to_string(&shown)?
        };
        output::line(text)?;
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads and parses one file; an error is a code and a message for people.
fn parse_file(file: &Path, max_bytes: u64, limits: &Limits) -> Result<Parsed, (&'static str, String)> {
    let unreadable = |error: std::io::Error| ("unreadable", format!("the file cannot be read: {error}"));
    let mut bytes = Vec::new();
    // One byte more than allowed tells that there is more, also of what has no size, such as a pipe.
    let bounded = File::open(file).map_err(unreadable)?.take(max_bytes.saturating_add(1));
    BufReader::new(bounded).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err((
            "file_too_large",
            format!("the file is larger than the {max_bytes} bytes of an upload"),
        ));
    }
    ingest::parse(&bytes, limits).map_err(|error| (error.code(), error.to_string()))
}

/// What is shown of a rack.
fn rack_object(file: &Path, parsed: &Parsed) -> Value {
    json!({
        "file": file.display().to_string(),
        "parser_version": ingest::PARSER_VERSION,
        "content_hash": hex::encode(parsed.content_hash),
        "rack": parsed.rack,
        "requirements": parsed.rack.requirements(),
        "warnings": parsed.warnings,
    })
}
