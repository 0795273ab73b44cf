//! Passwords: hashed with argon2id, and checked against that or the bcrypt hashes of an older application.
//!
//! Each hash takes a core and megabytes for a while. So they are made on threads of their own, a few at once, and never while a database
//! connection is held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use config::AuthSettings;
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Logins that are worked on at once, the refused ones that are waited out included. They hold a place among all requests meanwhile, of
/// which they must not take all.
const LOGINS_AT_ONCE: usize = 128;

/// What hashes and checks passwords. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    params: Params,
    places: Arc<Semaphore>,
    logins: Arc<Semaphore>,
    refusal: Duration,
    /// Checked against where there is no account, so that it takes the same.
    decoy: Arc<str>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is another password, or there is none.
    Wrong,
    /// It is the one.
    Right {
        /// Whether the hash is of an older scheme or of other costs than those that are configured, and should be made anew.
        is_outdated: bool,
    },
}

impl Passwords {
    /// Takes the costs from the settings.
    ///
    /// # Errors
    /// The costs are out of argon2's range.
    pub(crate) fn new(settings: &AuthSettings) -> Result<Self, StoreError> {
        let refused = |error: &dyn std::fmt::Display| StoreError::Invalid(format!("`auth.argon2_…`: {error}"));
        let params = Params::new(
            settings.argon2_memory_kib,
            settings.argon2_passes,
            settings.argon2_lanes,
            None,
        )
        .map_err(|error| refused(&error))?;
        let at_once = match settings.hash_at_once {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            configured => configured,
        };
        let decoy = hash(&params, "nobody's password").map_err(|error| refused(&error))?;
        Ok(Self {
            params,
            places: Arc::new(Semaphore::new(at_once)),
            logins: Arc::new(Semaphore::new(LOGINS_AT_ONCE)),
            refusal: Duration::from_millis(settings.refusal_ms),
            decoy: decoy.into(),
        })
    }

    /// Hashes a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let params = self.params.clone();
        self.on_a_thread(move || hash(&params, &password))
            .await?
            .map_err(|error| ApiError::internal(std::io::Error::other(error.to_string())))
    }

    /// Checks a password against a hash. Where there is none, it takes as long and is wrong.
    pub(crate) async fn check(&self, password: String, hash: Option<String>) -> Result<Checked, ApiError> {
        let (params, decoy) = (self.params.clone(), Arc::clone(&self.decoy));
        self.on_a_thread(move || match hash.filter(|hash| hash.starts_with('$')) {
            Some(hash) => check(&params, &password, &hash),
            None => {
                check(&params, &password, &decoy);
                Checked::Wrong
            }
        })
        .await
    }

    async fn on_a_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(ApiError::internal)?;
        // The place goes along: the thread works on when nobody waits for it any longer.
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        })
        .await
        .map_err(ApiError::internal)
    }

    /// A place among the logins.
    ///
    /// # Errors
    /// There are too many at the moment.
    pub(crate) fn place_to_log_in(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.logins)
            .try_acquire_owned()
            .map_err(|_| ApiError::Unavailable {
                what: "a place to log in",
                cause: None,
            })
    }

    /// Waits until a refusal has taken its time: a whole multiple of `auth.refusal_ms`, whatever was done since.
    pub(crate) async fn wait_out(&self, started: Instant) {
        if self.refusal.is_zero() {
            return;
        }
        let taken = started.elapsed();
        let multiples = u32::try_from(taken.as_nanos() / self.refusal.as_nanos()).unwrap_or(u32::MAX);
        tokio::time::sleep((self.refusal * multiples.saturating_add(1)).saturating_sub(taken)).await;
    }
}

fn hash(params: &Params, password: &str) -> Result<String, argon2::password_hash::Error> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    Ok(argon2.hash_password(password.as_bytes())?.to_string())
}

fn check(params: &Params, password: &str, hash: &str) -> Checked {
    if ["$2y$", "$2b$", "$2a$"].iter().any(|scheme| hash.starts_with(scheme)) {
        // PHP, too, looks at the first 72 bytes only.
        return match bcrypt::verify(password, hash) {
            Ok(true) => Checked::Right { is_outdated: true },
            _ => Checked::Wrong,
        };
    }
    let Ok(parsed) = PasswordHash::new(hash) else {
        return Checked::Wrong;
    };
    if Argon2::default().verify_password(password.as_bytes(), &parsed).is_err() {
        return Checked::Wrong;
    }
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let is_current = parsed.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && Params::try_from(&parsed).is_ok_and(|its| costs(&its) == costs(params));
    Checked::Right {
        is_outdated: !is_current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory_kib: u32) -> Params {
        Params::new(memory_kib, 1, 1, None).expect("in range")
    }

    #[test]
    fn a_hash_is_of_its_password_and_salted() {
        let params = params(64);
        let (one, other) = (hash(&params, "correct horse"), hash(&params, "correct horse"));
        let (one, other) = (one.expect("a hash"), other.expect("a hash"));
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{one}");
        assert_eq!(check(&params, "correct horse", &one), Checked::Right { is_outdated: false });
        assert_eq!(check(&params, "Correct horse", &one), Checked::Wrong);
        assert_eq!(check(&params, "", &one), Checked::Wrong);
    }

    #[test]
    fn other_costs_and_other_schemes_are_outdated() {
        let old = hash(&params(32), "correct horse").expect("a hash");
        assert_eq!(
            check(&params(64), "correct horse", &old),
            Checked::Right { is_outdated: true }
        );
        // What PHP's password_hash writes, of cost 4.
        let php = bcrypt::hash_with_salt("correct horse", 4, [7; 16])
            .expect("a hash")
            .format_for_version(bcrypt::Version::TwoY);
        assert!(php.starts_with("$2y$04$"), "{php}");
        assert_eq!(
            check(&params(64), "correct horse", &php),
            Checked::Right { is_outdated: true }
        );
        assert_eq!(check(&params(64), "battery staple", &php), Checked::Wrong);
    }

    #[test]
    fn what_is_no_hash_is_no_password() {
        for hash in ["", "!", "!left", "$", "$2y$", "$argon2id$", "correct horse"] {
            assert_eq!(check(&params(64), "correct horse", hash), Checked::Wrong, "{hash}");
        }
    }
}
