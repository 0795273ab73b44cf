//! Send a mail: over SMTP, or into a folder where none is configured.

use anyhow::Context as _;
use chrono::DateTime;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{Address, AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use store::queue::SendMail;
use store::secret::SigningKey;
use store::{Conn, link, registration, user};

use crate::{Context, permanent};

/// Domain of addresses that lead nowhere (RFC 2606), which accounts made on the command line have.
const NOWHERE: &str = ".invalid";

/// What a mail says.
struct Mail {
    to: String,
    subject: &'static str,
    text: String,
    /// The same for each attempt, so that mail programs show a mail that was sent twice once.
    id: String,
}

/// Sent twice, it says the same twice, with the same id and the same link. What it is about is read when it is sent: what is gone by then
/// needs no mail.
pub(crate) async fn run(context: Context, job: SendMail) -> anyhow::Result<()> {
    let mut db = context.db.acquire().await?;
    let mail = compose(&context, &mut db, &job).await?;
    drop(db);
    let Some(mail) = mail.filter(|mail| !mail.to.ends_with(NOWHERE)) else {
        return Ok(());
    };
    let to: Address = mail.to.parse().context("the address").map_err(permanent)?;
    let from: Mailbox = context.settings.mail.from.parse().context("`mail.from`").map_err(permanent)?;
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let message = MessageBuilder::new()
        .from(from)
        .to(to.into())
        .subject(mail.subject)
        .message_id(Some(id))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.text)
        .context("write the mail")
        .map_err(permanent)?;
    deliver(&context, message).await
}

/// Hands a message over: to the server, or into the folder.
pub(crate) async fn deliver(context: &Context, message: Message) -> anyhow::Result<()> {
    let settings = &context.settings;
    if settings.mail.url.is_empty() {
        let folder = settings.mail_dir();
        tokio::fs::create_dir_all(&folder)
            .await
            .with_context(|| format!("make `{}`", folder.display()))?;
        AsyncFileTransport::<Tokio1Executor>::new(&folder)
            .send(message)
            .await
            .with_context(|| format!("write into `{}`", folder.display()))?;
        tracing::info!(folder = %folder.display(), "wrote a mail; `mail.url` names no server to send it");
        return Ok(());
    }
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.mail.url.expose())
        .context("`mail.url`")
        .map_err(permanent)?
        .build();
    match transport.send(message).await {
        Ok(_) => Ok(()),
        // The server will not have it, now or later.
        Err(error) if error.is_permanent() => Err(permanent(anyhow::Error::new(without_address(&error)))),
        Err(error) => Err(anyhow::Error::new(without_address(&error))),
    }
}

/// What a mail server said may repeat the address, which belongs into no log: only the kind of the failure is kept.
fn without_address(error: &lettre::transport::smtp::Error) -> std::io::Error {
    let code = error.status().map(|code| code.to_string());
    std::io::Error::other(format!(
        "the mail server did not take it ({})",
        code.as_deref().unwrap_or("no answer")
    ))
}

async fn compose(context: &Context, db: &mut Conn, job: &SendMail) -> anyhow::Result<Option<Mail>> {
    let settings = &context.settings;
    let base = settings.public_url();
    Ok(match job {
        SendMail::Registration { registration_id } => {
            let Some(waiting) = registration::find(db, *registration_id).await? else {
                return Ok(None);
            };
            let id = format!("registration-{registration_id}");
            if let Some(username) = user::username_by_email(db, &waiting.email).await? {
                return Ok(Some(Mail {
                    to: waiting.email,
                    subject: "You have an account",
                    text: format!(
                        "Somebody, perhaps you, asked for a new account with this address. It has one already: @{username}.\n\n\
                         If you forgot its password, ask for a new one. If it was not you, there is nothing to do.\n"
                    ),
                    id,
                }));
            }
            let key = SigningKey::load(settings)?;
            let token = link::to_confirm(&key, &waiting);
            Some(Mail {
                to: waiting.email,
                subject: "Confirm your address",
                text: format!(
                    "Somebody, perhaps you, asked for the account @{} with this address. To make it, open\n\n  \
                     {base}/v1/registrations/confirm?token={token}\n\n\
                     The link works once, until {}. If it was not you, there is nothing to do.\n",
                    waiting.username,
                    waiting.expires_at.format("%Y-%m-%d %H:%M UTC"),
                ),
                id,
            })
        }
        SendMail::PasswordReset { user_id, asked_at_s } => {
            let Some((to, username)) = user::address(db, *user_id).await? else {
                return Ok(None);
            };
            let Some(credentials) = user::credentials(db, *user_id).await? else {
                return Ok(None);
            };
            let asked_at = DateTime::from_timestamp(*asked_at_s, 0)
                .context("a time")
                .map_err(permanent)?;
            let key = SigningKey::load(settings)?;
            let token = link::to_reset(&key, &credentials, asked_at, settings.auth.reset_minutes);
            Some(Mail {
                to,
                subject: "Set a new password",
                text: format!(
                    "Somebody, perhaps you, asked for a new password for the account @{username}. To set one, open\n\n  \
                     {base}/v1/password-resets/confirm?token={token}\n\n\
                     The link works once, within {} minutes. If it was not you, there is nothing to do: the password stays.\n",
                    settings.auth.reset_minutes
                ),
                id: format!("reset-{user_id}-{asked_at_s}"),
            })
        }
        SendMail::PasswordChanged { user_id } => user::address(db, *user_id).await?.map(|(to, username)| Mail {
            to,
            subject: "Your password was changed",
            text: format!(
                "The password of the account @{username} was changed, and it was logged out everywhere else.\n\n\
                 If it was not you, ask for a new one at once.\n"
            ),
            id: format!("changed-{}", ulid::Ulid::generate()),
        }),
    })
}
