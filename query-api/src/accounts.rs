//! What accounts are made of, checked; and how often one may try a password or cause a mail.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use store::login_attempt::{self, Attempt};
use store::token::{self, NewToken};
use store::user::{self, Credentials};
use store::{StoreError, TokenId, UserId};

use crate::client::network;
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, FieldError};
use crate::passwords::Checked;

/// Longest handle, as the column takes it.
const MAX_USERNAME_CHARS: usize = 50;

/// Fewest characters of a password. Length is what makes one hard to guess (NIST SP 800-63B-4).
const MIN_PASSWORD_CHARS: usize = 10;

/// Most bytes of a password: hashing takes any, but nobody types more.
const MAX_PASSWORD_BYTES: usize = 256;

/// Longest e-mail address (RFC 5321), in bytes.
const MAX_EMAIL_BYTES: usize = 254;

/// Handles that would be mistaken for something else.
const RESERVED: &[&str] = &[
    "me",
    "admin",
    "administrator",
    "root",
    "staff",
    "support",
    "system",
    "cookbook",
    "everyone",
    "here",
];

/// Mails to one address within the window in which logins are counted. More are not sent, which nobody is told: whoever asks for
/// them need not be the one who gets them.
const MAX_MAILS: u32 = 3;

/// Valid tokens of one user.
pub(crate) const MAX_TOKENS: u32 = 50;

/// Collects what is refused.
#[derive(Debug, Default)]
pub(crate) struct Refused(Vec<FieldError>);

impl Refused {
    /// Takes the value, or notes why it is refused.
    pub(crate) fn check<T>(&mut self, field: &str, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|message| self.0.push(FieldError::new(field, message))).ok()
    }

    /// Whether nothing was refused.
    pub(crate) fn end(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(self.0))
        }
    }
}

/// A handle: what mentions, addresses and people can write.
pub(crate) fn username(text: &str) -> Result<String, String> {
    let is_handle = text.chars().count() <= MAX_USERNAME_CHARS
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_handle {
        return Err(format!(
            "must be 1 to {MAX_USERNAME_CHARS} letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
        ));
    }
    if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        return Err("is reserved".to_owned());
    }
    Ok(text.to_owned())
}

/// An e-mail address in lower case. Only such as every mail server takes: one form of each, so that attempts at it are counted together.
pub(crate) fn email(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_address = text.len() <= MAX_EMAIL_BYTES
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.len() <= 64
                && !local.starts_with('.')
                && !local.ends_with('.')
                && !local.contains("..")
                && local
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte))
                && domain.contains('.')
                && domain.split('.').all(label)
        });
    if is_address {
        Ok(text)
    } else {
        Err("must be an e-mail address".to_owned())
    }
}

/// A new password.
pub(crate) fn password(text: String) -> Result<String, String> {
    if text.chars().count() < MIN_PASSWORD_CHARS {
        return Err(format!("must have at least {MIN_PASSWORD_CHARS} characters"));
    }
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(format!("must have at most {MAX_PASSWORD_BYTES} bytes"));
    }
    Ok(text)
}

/// What a token is for.
pub(crate) fn token_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err("must be one line of 1 to 100 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// One of these a login can be refused for, all of which take the same time.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No such account, or another password: one answer.
    Wrong,
    /// Too many failures of late.
    TooMany,
    /// Something else went wrong.
    Other(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl Refusal {
    /// The answer.
    pub(crate) fn answer(self, context: &ApiContext, wrong: &'static str) -> ApiError {
        match self {
            Self::Wrong => ApiError::Unauthenticated(wrong),
            Self::TooMany => ApiError::TooManyRequests {
                detail: "too many attempts of late".to_owned(),
                retry_after: Duration::from_secs(context.settings.auth.login_window_s.into()),
            },
            Self::Other(error) => error,
        }
    }
}

/// Whose attempts are counted together: an account's by what is typed, whether or not there is such an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    account: [u8; 32],
    address: [u8; 32],
}

impl Counted {
    /// Logins at the account of an address.
    pub(crate) fn login(context: &ApiContext, email: &str, from: IpAddr) -> Self {
        Self::of(context, "login", email.as_bytes(), from)
    }

    /// Passwords that somebody who is logged in tries.
    pub(crate) fn confirmation(context: &ApiContext, user: UserId, from: IpAddr) -> Self {
        Self::of(context, "confirm-password", &user.0.to_be_bytes(), from)
    }

    /// Mails to an address.
    fn mail(context: &ApiContext, email: &str, from: IpAddr) -> Self {
        Self::of(context, "mail", email.as_bytes(), from)
    }

    fn of(context: &ApiContext, what: &str, account: &[u8], from: IpAddr) -> Self {
        let sign = |part: &[u8]| context.key.sign("attempts", &[what.as_bytes(), part]);
        Self {
            account: sign(account),
            address: sign(network(from).to_string().as_bytes()),
        }
    }
}

/// Checks a password against an account's, if there is one, and counts it. Takes about as long whatever comes of it; whoever calls waits
/// out the rest.
pub(crate) async fn check_password(
    context: &ApiContext,
    counted: Counted,
    credentials: Option<Credentials>,
    password: String,
) -> Result<Credentials, Refusal> {
    let attempt = begin(context, counted).await?.ok_or(Refusal::TooMany)?;
    let hash = credentials.as_ref().map(|credentials| credentials.password.clone());
    let checked = context.passwords.check(password.clone(), hash).await?;
    let (Some(mut credentials), Checked::Right { is_outdated }) = (credentials, checked) else {
        return Err(Refusal::Wrong);
    };
    login_attempt::succeed(&mut *context.connection().await?, attempt).await?;
    if is_outdated {
        let renewed = context.passwords.hash(password).await?;
        let mut db = context.connection().await?;
        if user::replace_password(&mut db, &credentials, &renewed).await? {
            credentials.password = renewed;
        }
    }
    Ok(credentials)
}

/// Notes an attempt; `None` when there were too many before it.
async fn begin(context: &ApiContext, counted: Counted) -> Result<Option<Attempt>, ApiError> {
    let settings = &context.settings.auth;
    let mut db = context.connection().await?;
    let Counted { account, address } = counted;
    let attempt = login_attempt::begin(&mut db, &account, &address).await?;
    let before = login_attempt::failures(&mut db, &account, &address, settings.login_window_s, attempt).await?;
    let is_allowed =
        before.of_account < settings.login_failures_per_account && before.of_address < settings.login_failures_per_address;
    if !is_allowed {
        login_attempt::forget(&mut db, attempt).await?;
    }
    Ok(is_allowed.then_some(attempt))
}

/// Whether a mail to an address may be sent now, which is counted.
pub(crate) async fn may_mail(context: &ApiContext, email: &str, from: IpAddr) -> Result<bool, ApiError> {
    let settings = &context.settings.auth;
    let Counted { account, address } = Counted::mail(context, email, from);
    let mut db = context.connection().await?;
    let attempt = login_attempt::begin(&mut db, &account, &address).await?;
    let before = login_attempt::failures(&mut db, &account, &address, settings.login_window_s, attempt).await?;
    let is_allowed = before.of_account < MAX_MAILS && before.of_address < settings.login_failures_per_address;
    if !is_allowed {
        login_attempt::forget(&mut db, attempt).await?;
    }
    Ok(is_allowed)
}

/// Makes a token of a number of days, or for ever. When the user has too many, the oldest goes (`makes_room`), or it is refused.
pub(crate) async fn new_token(
    context: &ApiContext,
    user: UserId,
    name: String,
    days: Option<u32>,
    makes_room: bool,
) -> Result<(TokenId, NewToken), ApiError> {
    let db = context.db.clone();
    detached(async move {
        let new = NewToken::generate().map_err(ApiError::internal)?;
        let expires_at = days.map(|days| chrono::Utc::now() + chrono::TimeDelta::days(days.into()));
        let mut tx = db.begin().await.map_err(StoreError::from)?;
        // Locked, so that tokens which are made at once see each other.
        user::lock_credentials(&mut tx, user).await?;
        let valid = token::list_valid(&mut tx, user, MAX_TOKENS).await?;
        if valid.len() >= MAX_TOKENS as usize {
            match valid.first() {
                Some(oldest) if makes_room => {
                    token::revoke(&mut tx, oldest.id).await?;
                }
                _ => {
                    return Err(ApiError::Conflict {
                        code: "too_many_tokens",
                        detail: format!("there are {MAX_TOKENS} tokens already; revoke one first"),
                    });
                }
            }
        }
        let id = token::create(&mut tx, user, &name, &new, expires_at).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok((id, new))
    })
    .await
}

/// Checks the password of somebody who is logged in, for what a stolen token alone must not do. An account without a password has none to
/// be asked for.
pub(crate) async fn confirm_password(
    context: &ApiContext,
    user_id: UserId,
    from: IpAddr,
    password: Option<String>,
) -> Result<Credentials, ApiError> {
    let started = Instant::now();
    let credentials = user::credentials(&mut *context.connection().await?, user_id)
        .await?
        .ok_or(ApiError::NotFound("account"))?;
    if credentials.password == user::NO_PASSWORD {
        return Ok(credentials);
    }
    let Some(password) = password else {
        return Err(ApiError::Invalid(vec![FieldError::new("password", "is needed")]));
    };
    let _place = context.passwords.place_to_log_in()?;
    let counted = Counted::confirmation(context, user_id, from);
    match check_password(context, counted, Some(credentials), password).await {
        Ok(credentials) => Ok(credentials),
        Err(Refusal::Wrong) => {
            context.passwords.wait_out(started).await;
            Err(ApiError::Invalid(vec![FieldError::new("password", "is wrong")]))
        }
        Err(other) => {
            context.passwords.wait_out(started).await;
            Err(other.answer(context, "the password is wrong"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_and_addresses_are_what_others_take() {
        for good in ["producer-001", "a", "A.b_c-9"] {
            assert!(username(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "ä", "a/b", "me", "Admin", &"a".repeat(51)] {
            assert!(username(bad).is_err(), "{bad}");
        }
        assert_eq!(email(" Producer-001@Example.ORG ").as_deref(), Ok("producer-001@example.org"));
        for bad in [
            "",
            "a",
            "@example.org",
            "a@",
            "a@b",
            "a@@b.org",
            "a b@c.org",
            "a@b..org",
            "ä@b.org",
            "a@b.org\r\nBcc: x@y.org",
            ".a@b.org",
            "a@-b.org",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(password("short".to_owned()).is_err());
        assert!(password("long enough".to_owned()).is_ok());
    }
}
