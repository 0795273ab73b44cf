//! How much one may ask: rate limits of each token and each address.
//!
//! The buckets are in Redis, where all processes see them, and in this process while Redis is not there. What is left is said in the
//! headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use config::{LimitsSettings, Settings};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};
use store::StoreError;
use store::rate_limit::{Ask, Granted, SharedLimits};

use crate::client::{client_of, network};
use crate::context::ApiContext;
use crate::error::ApiError;

/// What is left and until when.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How much there is.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The window that quotas are stated for.
const WINDOW: Duration = Duration::from_secs(60);

/// Requests after which buckets that have filled up again are forgotten.
const TIDY_EVERY: u32 = 10_000;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Read,
    Search,
    Write,
    Upload,
    Login,
}

impl Class {
    const ALL: [Self; 5] = [Self::Read, Self::Search, Self::Write, Self::Upload, Self::Login];

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Search => "search",
            Self::Write => "write",
            Self::Upload => "upload",
            Self::Login => "login",
        }
    }

    fn per_minute(self, settings: &LimitsSettings) -> u32 {
        let configured = match self {
            Self::Read => settings.read_per_minute,
            Self::Search => settings.search_per_minute,
            Self::Write => settings.write_per_minute,
            Self::Upload => settings.upload_per_minute,
            Self::Login => settings.login_per_minute,
        };
        configured.max(1)
    }

    /// The class of a route.
    fn of(method: &Method, path: &str) -> Self {
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match path {
            "/v1/registrations"
            | "/v1/registrations/confirm"
            | "/v1/sessions"
            | "/v1/password-resets"
            | "/v1/password-resets/confirm"
                if !is_read =>
            {
                Self::Login
            }
            "/v1/me/password" if !is_read => Self::Login,
            "/v1/workflows" | "/v1/me/avatar" if !is_read => Self::Upload,
            "/v1/workflows/{id}/preview-audio" | "/v1/workflows/{id}/preview-image" if !is_read => Self::Upload,
            _ if path.starts_with("/v1/search") || path.starts_with("/v1/suggest") || path.ends_with("/similar") => Self::Search,
            // The facades of other search engines search by POST.
            _ if path.starts_with("/indexes/") || path.starts_with("/multi-search") || path.starts_with("/1/indexes/") => {
                Self::Search
            }
            _ if is_read => Self::Read,
            _ => Self::Write,
        }
    }
}

/// Buckets by whose they are.
type Local = RateLimiter<[u8; 16], DefaultKeyedStateStore<[u8; 16]>, DefaultClock, StateInformationMiddleware>;

/// All limits of this process.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitsSettings,
    shared: Option<SharedLimits>,
    /// For each class, those of one token or address, and those of an address with tokens.
    local: Vec<[Local; 2]>,
    asked: AtomicU32,
}

/// Whose bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// A token's, or that of an address without one.
    Caller,
    /// An address', over all tokens.
    Address,
}

impl Limits {
    /// Takes the quotas from the settings.
    ///
    /// # Errors
    /// Redis' URL is malformed.
    pub(crate) fn new(settings: &Settings) -> Result<Self, StoreError> {
        let limits = &settings.limits;
        let bucket = |per_minute: u32| {
            let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
            RateLimiter::keyed(quota).with_middleware()
        };
        Ok(Self {
            shared: SharedLimits::new(&settings.redis)?,
            local: Class::ALL
                .iter()
                .map(|class| [Scope::Caller, Scope::Address].map(|scope| bucket(quota(*class, scope, limits))))
                .collect(),
            settings: limits.clone(),
            asked: AtomicU32::new(0),
        })
    }

    /// Takes one request's worth from every bucket that it falls into. Returns what the tightest said.
    async fn take(&self, class: Class, token: Option<&str>, address: IpAddr) -> (Granted, u32) {
        let address = key(b"address", network(address).to_string().as_bytes());
        // A token that nobody has given out has a bucket of its own too, which is why its address is always asked as well.
        let buckets: Vec<(Scope, [u8; 16])> = match token {
            Some(token) => vec![(Scope::Caller, key(b"token", token.as_bytes())), (Scope::Address, address)],
            None => vec![(Scope::Caller, address)],
        };
        let asks: Vec<Ask> = buckets
            .iter()
            .map(|(scope, key)| Ask {
                key: format!(
                    "{}:{}:{}",
                    class.name(),
                    if *scope == Scope::Caller { "c" } else { "a" },
                    hex::encode(key)
                ),
                per_minute: quota(class, *scope, &self.settings),
            })
            .collect();
        let shared = match &self.shared {
            Some(shared) => shared.take(&asks).await,
            None => None,
        };
        let granted = shared.unwrap_or_else(|| self.take_here(class, &buckets));
        granted
            .into_iter()
            .zip(asks)
            .map(|(granted, ask)| (granted, ask.per_minute))
            .min_by_key(|(granted, _)| (granted.allowed, granted.remaining, std::cmp::Reverse(granted.retry_after)))
            .unwrap_or((
                Granted {
                    allowed: true,
                    remaining: 0,
                    retry_after: Duration::ZERO,
                },
                1,
            ))
    }

    fn take_here(&self, class: Class, buckets: &[(Scope, [u8; 16])]) -> Vec<Granted> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            for limiter in self.local.iter().flatten() {
                limiter.retain_recent();
            }
        }
        buckets
            .iter()
            .map(|(scope, key)| {
                let limiter = &self.local[class as usize][*scope as usize];
                match limiter.check_key(key) {
                    Ok(state) => Granted {
                        allowed: true,
                        remaining: state.remaining_burst_capacity(),
                        retry_after: Duration::ZERO,
                    },
                    Err(not_until) => Granted {
                        allowed: false,
                        remaining: 0,
                        retry_after: not_until.wait_time_from(limiter.clock().now()),
                    },
                }
            })
            .collect()
    }
}

fn quota(class: Class, scope: Scope, settings: &LimitsSettings) -> u32 {
    let per_minute = class.per_minute(settings);
    match scope {
        Scope::Caller => per_minute,
        Scope::Address => per_minute.saturating_mul(settings.address_factor.max(1)),
    }
}

/// Neither tokens nor addresses are kept, here or in Redis.
fn key(kind: &[u8], of: &[u8]) -> [u8; 16] {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(of).finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// Counts a request, refuses it when it is one too many, and says how many are left.
pub(crate) async fn limit(State(context): State<ApiContext>, request: Request, next: Next) -> Response {
    let limits = &context.limits;
    if !limits.settings.enabled {
        return next.run(request).await;
    }
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let class = Class::of(request.method(), path);
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let address = client_of(request.extensions(), request.headers(), &context.proxies);
    let (granted, per_minute) = limits.take(class, token, address).await;
    let mut response = if granted.allowed {
        next.run(request).await
    } else {
        ApiError::TooManyRequests {
            detail: format!("more than {per_minute} requests of the kind `{}` in a minute", class.name()),
            retry_after: granted.retry_after,
        }
        .into_response()
    };
    let full_in = WINDOW.mul_f64(1.0 - f64::from(granted.remaining) / f64::from(per_minute.max(1)));
    let name = class.name();
    for (header, value) in [
        (RATE_LIMIT_POLICY, format!("\"{name}\";q={per_minute};w={}", WINDOW.as_secs())),
        (
            RATE_LIMIT,
            format!("\"{name}\";r={};t={}", granted.remaining, full_in.as_secs_f64().ceil()),
        ),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_fall_into_their_classes() {
        for (method, path, class) in [
            (Method::GET, "/v1/search", Class::Search),
            (Method::GET, "/v1/workflows/{id}/similar", Class::Search),
            (Method::GET, "/v1/workflows/{id}", Class::Read),
            (Method::PATCH, "/v1/workflows/{id}", Class::Write),
            (Method::POST, "/v1/workflows", Class::Upload),
            (Method::GET, "/v1/workflows", Class::Read),
            (Method::POST, "/v1/sessions", Class::Login),
            (Method::GET, "/v1/registrations/confirm", Class::Read),
        ] {
            assert_eq!(Class::of(&method, path), class, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_token_has_its_quota_and_its_address_a_larger_one() {
        let mut settings = Settings::defaults().expect("the defaults are valid");
        settings.limits.login_per_minute = 2;
        settings.limits.address_factor = 2;
        let limits = Limits::new(&settings).expect("limits");
        let address = IpAddr::from([203, 0, 113, 9]);
        let allowed = async |token: &str| limits.take(Class::Login, Some(token), address).await.0;
        assert_eq!(allowed("a").await.remaining, 1);
        assert!(allowed("a").await.allowed);
        let refused = allowed("a").await;
        assert!(
            !refused.allowed && refused.retry_after > Duration::from_secs(25),
            "{refused:?}"
        );
        // The refused one has cost the address something too: a fourth token comes too late.
        assert!(allowed("b").await.allowed);
        assert!(!allowed("c").await.allowed, "another token does not help");
        let other = limits.take(Class::Login, None, IpAddr::from([203, 0, 113, 10])).await.0;
        assert!(other.allowed, "another address is not affected");
    }
}
