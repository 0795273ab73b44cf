//! `cookbook token`: makes, lists and revokes API tokens.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use store::audit::{self, Subject};
use store::token::NewToken;
use store::{Conn, TokenId, UserId, token, user};

use crate::output;

/// Longest handle, as the column takes it.
const MAX_USERNAME_CHARS: usize = 50;

/// Arguments of `cookbook token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it: the only time that it is seen
    Create(CreateArgs),
    /// List tokens, never in clear
    List {
        /// Only those of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// End a token
    Revoke {
        /// Its id, as `list` shows it
        id: u64,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// For whom the token speaks
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Make the user, if there is none of that name
    #[arg(long)]
    create_user: bool,
    /// E-mail address of a user that is made [default: one that can't receive]
    #[arg(long, value_name = "ADDRESS", requires = "create_user")]
    email: Option<String>,
    /// Make the user an admin, which is written down
    #[arg(long)]
    admin: bool,
    /// What the token is for
    #[arg(long, value_name = "TEXT", default_value = "command line")]
    name: String,
    /// Days after which it ends [default: never]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
}

/// Runs `cookbook token`.
///
/// # Errors
/// There is no such user or token, or the database refused.
pub async fn run(args: TokenArgs, settings: Settings) -> Result<ExitCode> {
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    let mut connection = db.acquire().await?;
    match args.action {
        Action::Create(args) => {
            let mut tx = db.begin().await?;
            let token = create(&mut tx, args).await?;
            tx.commit().await?;
            output::line(token.expose())?;
        }
        Action::List { user } => list(&mut connection, user.as_deref()).await?,
        Action::Revoke { id } => {
            if !token::revoke(&mut connection, TokenId(id)).await? {
                bail!("there is no token `{id}` that could be revoked");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(db: &mut Conn, args: CreateArgs) -> Result<NewToken> {
    let user_id = match user::find_by_username(db, &args.user).await? {
        Some(id) => id,
        None if args.create_user => make_user(db, &args.user, args.email).await?,
        None => bail!("there is no user `{}`; `--create-user` makes one", args.user),
    };
    let expires_at = args.days.map(|days| Utc::now() + TimeDelta::days(days.into()));
    if args.admin && user::set_admin(db, user_id, true).await? {
        let reason = Some("from the command line");
        audit::record(db, None, audit::Action::GrantAdmin, Subject::User(user_id), reason).await?;
    }
    let new = NewToken::generate().context("ask the operating system for random numbers")?;
    token::create(db, user_id, &args.name, &new, expires_at).await?;
    Ok(new)
}

/// Makes an account that nobody can log in to by password.
///
/// # Errors
/// The name is no handle, the address is taken, or the database refused.
pub async fn make_user(db: &mut Conn, username: &str, email: Option<String>) -> Result<UserId> {
    let is_handle = !username.is_empty()
        && username.chars().count() <= MAX_USERNAME_CHARS
        && username.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_handle {
        bail!("`{username}` is no handle: 1 to {MAX_USERNAME_CHARS} letters, digits, `-`, `_` and `.`");
    }
    // A domain that is reserved for addresses that lead nowhere (RFC 2606).
    let email = email.unwrap_or_else(|| format!("{username}@users.invalid"));
    match user::create(db, username, &email, user::NO_PASSWORD).await {
        Err(error) if error.is_duplicate() => bail!("the handle `{username}` or the e-mail address is taken"),
        outcome => Ok(outcome?),
    }
}

async fn list(db: &mut Conn, username: Option<&str>) -> Result<()> {
    let user_id = match username {
        Some(name) => match user::find_by_username(db, name).await? {
            Some(id) => Some(id),
            None => bail!("there is no user `{name}`"),
        },
        None => None,
    };
    output::line(format!(
        "{:>6}  {:<24} {:<24} {:<16} {:<16} state",
        "id", "user", "name", "made", "last used"
    ))?;
    let now = Utc::now();
    for row in token::list(db, user_id).await? {
        let state = if row.revoked_at.is_some() {
            "revoked".to_owned()
        } else if let Some(end) = row.expires_at {
            format!("{} {}", if end <= now { "ended" } else { "until" }, minute(end))
        } else {
            "valid".to_owned()
        };
        output::line(format!(
            "{:>6}  {:<24} {:<24} {:<16} {:<16} {state}",
            row.id.0,
            row.username,
            row.name,
            minute(row.created_at),
            row.last_used_at.map_or_else(|| "never".to_owned(), minute),
        ))?;
    }
    Ok(())
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}
