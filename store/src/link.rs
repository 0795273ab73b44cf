//! Signed links in mails: who may confirm an address or set a password. They are text, so that they fit into a mail and a form.
//!
//! What a link is bound to (an address, the hash of a password) is signed with it and changes when it is used: so it works once.

use chrono::{DateTime, TimeDelta, Utc};

use crate::registration::Registration;
use crate::secret::SigningKey;
use crate::user::Credentials;
use crate::{RegistrationId, UserId};

/// Longest text that is looked at, in bytes; ours have some 100.
const MAX_BYTES: usize = 200;

/// Purpose of a link that confirms an address.
const CONFIRM: &str = "confirm-registration";

/// Purpose of a link that sets a new password.
const RESET: &str = "reset-password";

/// A link as it came, of which nothing is known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    id: u64,
    until_s: i64,
    signature: Vec<u8>,
}

impl Link {
    /// Reads the form that the functions below write; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut parts = text.split('.');
        let link = Self {
            id: parts.next()?.parse().ok()?,
            until_s: parts.next()?.parse().ok()?,
            signature: hex::decode(parts.next()?).ok()?,
        };
        parts.next().is_none().then_some(link)
    }

    /// The registration that it claims to be of.
    pub fn registration(&self) -> RegistrationId {
        RegistrationId(self.id)
    }

    /// The user whom it claims to be of.
    pub fn user(&self) -> UserId {
        UserId(self.id)
    }

    /// Whether it confirms this registration, now.
    pub fn confirms(&self, key: &SigningKey, registration: &Registration) -> bool {
        self.holds(key, CONFIRM, registration.email.as_bytes())
    }

    /// Whether it sets a new password in place of this one, now.
    pub fn resets(&self, key: &SigningKey, credentials: &Credentials) -> bool {
        self.holds(key, RESET, credentials.password.as_bytes())
    }

    fn holds(&self, key: &SigningKey, purpose: &str, bound_to: &[u8]) -> bool {
        let (id, until) = (self.id.to_be_bytes(), self.until_s.to_be_bytes());
        self.until_s > Utc::now().timestamp() && key.verifies(purpose, &[&id, &until, bound_to], &self.signature)
    }
}

/// The link that confirms a registration, for as long as that waits.
pub fn to_confirm(key: &SigningKey, registration: &Registration) -> String {
    write(
        key,
        CONFIRM,
        registration.id.0,
        registration.expires_at,
        registration.email.as_bytes(),
    )
}

/// The link that sets a new password.
pub fn to_reset(key: &SigningKey, credentials: &Credentials, asked_at: DateTime<Utc>, minutes: u32) -> String {
    let until = asked_at + TimeDelta::minutes(minutes.into());
    write(key, RESET, credentials.id.0, until, credentials.password.as_bytes())
}

fn write(key: &SigningKey, purpose: &str, id: u64, until: DateTime<Utc>, bound_to: &[u8]) -> String {
    let until_s = until.timestamp();
    let signature = key.sign(purpose, &[&id.to_be_bytes(), &until_s.to_be_bytes(), bound_to]);
    format!("{id}.{until_s}.{}", hex::encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::new(&"k".repeat(32)).expect("long enough")
    }

    fn registration(email: &str, hours: i64) -> Registration {
        Registration {
            id: RegistrationId(7),
            username: "producer-001".to_owned(),
            email: email.to_owned(),
            password: String::new(),
            expires_at: Utc::now() + TimeDelta::hours(hours),
        }
    }

    #[test]
    fn a_link_is_good_for_what_it_was_made_for_and_until_it_ends() {
        let waiting = registration("producer-001@example.org", 1);
        let text = to_confirm(&key(), &waiting);
        let link = Link::parse(&text).expect("a link");
        assert_eq!(link.registration(), waiting.id);
        assert!(link.confirms(&key(), &waiting));
        assert!(!link.confirms(&key(), &registration("producer-002@example.org", 1)));
        let credentials = Credentials {
            id: UserId(7),
            password: waiting.email.clone(),
        };
        assert!(!link.resets(&key(), &credentials), "a link for another purpose");
        let ended = to_confirm(&key(), &registration("producer-001@example.org", -1));
        assert!(!Link::parse(&ended).expect("a link").confirms(&key(), &waiting));
        // Its end cannot be moved.
        let later = text.replacen(&link.until_s.to_string(), &(link.until_s + 9999).to_string(), 1);
        assert!(!Link::parse(&later).expect("a link").confirms(&key(), &waiting));
    }

    #[test]
    fn a_password_that_was_set_makes_its_link_worthless() {
        let mut credentials = Credentials {
            id: UserId(7),
            password: "$argon2id$old".to_owned(),
        };
        let link = Link::parse(&to_reset(&key(), &credentials, Utc::now(), 60)).expect("a link");
        assert!(link.resets(&key(), &credentials));
        credentials.password = "$argon2id$new".to_owned();
        assert!(!link.resets(&key(), &credentials));
    }

    #[test]
    fn what_is_no_link_is_none() {
        for text in ["", ".", "1.2", "1.2.zz", "1.2.ab.cd", "-1.2.ab", &"1".repeat(300)] {
            assert_eq!(Link::parse(text), None, "{text}");
        }
    }
}
