//! Who looks at a workflow or fetches its file: as much of it as is kept.
//!
//! An address leaves this module only under the installation's key, or cut short, as `[events]` says; a session only under the key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::{FromRequestParts, Query};
use axum::http::header;
use axum::http::request::Parts;
use config::{AddressPolicy, EventsSettings};
use serde::Deserialize;
use store::event::{Discount, EventKind, NewEvent};
use store::event_writer::EventError;
use store::secret::SigningKey;
use store::{UserId, WorkflowId};
use utoipa::IntoParams;

use crate::client::Client;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError};

/// Longest session that a page may give itself, in characters.
const MAX_SESSION_CHARS: usize = 128;

/// Characters that are kept of what a program says about itself.
const USER_AGENT_CHARS: usize = 255;

/// Bytes of a keyed hash that are kept: 128 bits.
const HASH_BYTES: usize = 16;

/// The session of a page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionParams {
    /// What tells visitors behind one address apart: anything that a page keeps while it is open.
    #[param(max_length = 128)]
    session: Option<String>,
}

/// Who asks, besides a token.
#[derive(Debug)]
pub(crate) struct Visitor {
    address: Option<String>,
    network: Option<[u8; HASH_BYTES]>,
    session: Option<String>,
    user_agent: Option<String>,
    /// Whether it is a program that looks at everything.
    pub(crate) is_bot: bool,
}

impl FromRequestParts<ApiContext> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Ok(Client(client)) = Client::from_request_parts(parts, context).await;
        let Query(SessionParams { session }) =
            Query::from_request_parts(parts, context)
                .await
                .map_err(|error| ApiError::BadRequest {
                    code: "bad_query",
                    detail: error.body_text(),
                })?;
        if session
            .as_ref()
            .is_some_and(|session| session.chars().count() > MAX_SESSION_CHARS)
        {
            let message = format!("must have at most {MAX_SESSION_CHARS} characters");
            return Err(ApiError::Invalid(vec![FieldError::new("session", message)]));
        }
        let user_agent = parts.headers.get(header::USER_AGENT);
        let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Ok(Self::new(
            client,
            session.as_deref(),
            user_agent.as_deref(),
            &context.settings.events,
            &context.key,
        ))
    }
}

impl Visitor {
    fn new(client: IpAddr, session: Option<&str>, user_agent: Option<&str>, settings: &EventsSettings, key: &SigningKey) -> Self {
        let network = network(client);
        let hash = |purpose: &str, bytes: &[u8]| {
            let mut first = [0; HASH_BYTES];
            first.copy_from_slice(&key.sign(purpose, &[bytes])[..HASH_BYTES]);
            first
        };
        let (address, network) = match settings.addresses {
            AddressPolicy::Hashed => (
                Some(hex::encode(hash("event-address", client.to_string().as_bytes()))),
                Some(hash("event-network", network.to_string().as_bytes())),
            ),
            AddressPolicy::Truncated => (
                Some(network.to_string()),
                Some(hash("event-network", network.to_string().as_bytes())),
            ),
            AddressPolicy::Omitted => (None, None),
        };
        let session = session.filter(|session| !session.is_empty());
        let lower = user_agent.unwrap_or_default().to_lowercase();
        Self {
            address,
            network,
            session: session.map(|session| hex::encode(hash("event-session", session.as_bytes()))),
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect()),
            is_bot: settings
                .bots
                .iter()
                .any(|bot| !bot.is_empty() && lower.contains(&bot.to_lowercase())),
        }
    }

    /// What happens to a workflow of this author when this visitor, signed in or not, does it.
    pub(crate) fn event(self, kind: EventKind, workflow: WorkflowId, author: UserId, user: Option<UserId>) -> NewEvent {
        let discount = if user == Some(author) {
            Some(Discount::Own)
        } else {
            self.is_bot.then_some(Discount::Bot)
        };
        NewEvent {
            kind,
            workflow,
            user,
            address: self.address,
            network: self.network,
            session: self.session,
            user_agent: self.user_agent,
            discount,
        }
    }
}

/// The network of an address: what one provider gives to one customer or neighbourhood, /24 and /48.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80))),
    }
}

impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        match error {
            EventError::Gone => Self::NotFound("workflow"),
            EventError::Overloaded => Self::Unavailable {
                what: "a free place among the views and downloads",
                cause: None,
            },
            EventError::Failed(error) if error.is_unreachable() || error.is_lock_conflict() => Self::Unavailable {
                what: "the database",
                cause: Some(error),
            },
            EventError::Failed(error) => Self::Internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(policy: AddressPolicy, address: &str, agent: Option<&str>) -> Visitor {
        let mut settings = config::Settings::defaults().expect("the defaults are valid").events;
        settings.addresses = policy;
        let key = SigningKey::new(&"k".repeat(32)).expect("long enough");
        Visitor::new(address.parse().expect("an address"), Some("page"), agent, &settings, &key)
    }

    #[test]
    fn no_address_is_kept_whole() {
        for address in ["203.0.113.77", "2001:db8:1:2:3:4:5:6"] {
            for policy in [AddressPolicy::Hashed, AddressPolicy::Truncated, AddressPolicy::Omitted] {
                let kept = format!("{:?}", visitor(policy, address, None));
                assert!(!kept.contains(address) && !kept.contains("page"), "{kept}");
            }
        }
        let kept = visitor(AddressPolicy::Truncated, "203.0.113.77", None);
        assert_eq!(kept.address.as_deref(), Some("203.0.113.0"));
        let kept = visitor(AddressPolicy::Truncated, "2001:db8:1:2:3:4:5:6", None);
        assert_eq!(kept.address.as_deref(), Some("2001:db8:1::"));
        assert!(visitor(AddressPolicy::Omitted, "203.0.113.77", None).network.is_none());
    }

    #[test]
    fn neighbours_share_a_network_and_no_address() {
        let (one, other) = (
            visitor(AddressPolicy::Hashed, "203.0.113.77", None),
            visitor(AddressPolicy::Hashed, "203.0.113.78", None),
        );
        assert_eq!(one.network, other.network);
        assert_ne!(one.address, other.address);
        assert_eq!(one.address.map(|address| address.len()), Some(32));
    }

    #[test]
    fn bots_say_so() {
        let is_bot = |agent| visitor(AddressPolicy::Hashed, "203.0.113.77", agent).is_bot;
        assert!(is_bot(Some(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
        )));
        assert!(is_bot(Some("SomeCRAWLER/1.0")));
        assert!(!is_bot(Some(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        )));
        assert!(!is_bot(None));
    }
}
