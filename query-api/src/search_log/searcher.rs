//! Who searches, as far as that is noted: enough to tell one person's typing from another's, and no more.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::context::ApiContext;

/// Whoever asks: their address and what their program calls itself. Only ever hashed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Searcher {
    address: Option<IpAddr>,
    agent: Vec<u8>,
}

impl FromRequestParts<ApiContext> for Searcher {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _context: &ApiContext) -> Result<Self, Infallible> {
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip());
        let agent = parts
            .headers
            .get(header::USER_AGENT)
            .map(|agent| agent.as_bytes().to_vec())
            .unwrap_or_default();
        Ok(Self { address, agent })
    }
}

/// A random number that lasts for a day. Once it is forgotten, no hash made with it can be tried against addresses any more.
#[derive(Debug, Default)]
pub(super) struct DailyKey(Mutex<Option<(NaiveDate, [u8; 32])>>);

impl DailyKey {
    /// Tells searchers of one day apart. None for somebody without an address, or where there are no random numbers.
    pub(super) fn hash(&self, searcher: &Searcher, day: NaiveDate) -> Option<[u8; 8]> {
        let key = self.of(day)?;
        let address = searcher.address?;
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(address.to_canonical().to_string());
        hash.update([0]);
        hash.update(&searcher.agent);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        Some(first)
    }

    fn of(&self, day: NaiveDate) -> Option<[u8; 32]> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((its_day, key)) = *current
            && its_day == day
        {
            return Some(key);
        }
        let key = random()?;
        *current = Some((day, key));
        Some(key)
    }
}

fn random() -> Option<[u8; 32]> {
    use rand::TryRng;
    let mut key = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searchers_are_told_apart_within_a_day_and_not_across_days() {
        let key = DailyKey::default();
        let day = NaiveDate::from_ymd_opt(2026, 6, 1).expect("a day");
        let searcher = |address: [u8; 4], agent: &str| Searcher {
            address: Some(IpAddr::from(address)),
            agent: agent.as_bytes().to_vec(),
        };
        let one = searcher([192, 0, 2, 1], "a");
        assert!(key.hash(&one, day).is_some());
        assert_eq!(key.hash(&one, day), key.hash(&one, day));
        assert_ne!(key.hash(&one, day), key.hash(&searcher([192, 0, 2, 2], "a"), day));
        assert_ne!(key.hash(&one, day), key.hash(&searcher([192, 0, 2, 1], "b"), day));
        let today = key.hash(&one, day);
        assert_ne!(key.hash(&one, day.succ_opt().expect("a day")), today);
        assert_ne!(key.hash(&one, day), today, "the first day's key is forgotten");
        assert_ne!(key.hash(&one, day), DailyKey::default().hash(&one, day));
        assert_eq!(key.hash(&Searcher::default(), day), None);
    }
}
