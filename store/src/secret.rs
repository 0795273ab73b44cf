//! The installation's secret: what it signs and what it keys its hashes with.
//!
//! It is `auth.secret`, or else a file `secret` under `data.dir` that is made once. Processes on several machines that share a database
//! must be given the same one: what one signs, another reads.

use std::fmt;
use std::io::Write;
use std::path::Path;

use config::Settings;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::StoreError;

/// Name of the file under `data.dir`.
const FILE: &str = "secret";

/// Fewest characters of a secret: 128 bits in hexadecimal.
const MIN_CHARS: usize = 32;

/// The secret, under which messages are signed, each for one purpose.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

impl SigningKey {
    /// Takes the configured secret, or the one of `data.dir`, which is made when there is none.
    ///
    /// # Errors
    /// The configured one is too short, the file cannot be read or made, or the operating system gives no random numbers.
    pub fn load(settings: &Settings) -> Result<Self, StoreError> {
        let configured = settings.auth.secret.expose();
        if configured.is_empty() {
            let found = find_or_make(&settings.data.dir)
                .map_err(|error| StoreError::Invalid(format!("secret in `{}`: {error}", settings.data.dir.display())))?;
            return Self::new(found.trim());
        }
        Self::new(configured)
    }

    /// Takes a secret.
    ///
    /// # Errors
    /// It is too short to be one.
    pub fn new(secret: &str) -> Result<Self, StoreError> {
        if secret.len() < MIN_CHARS {
            return Err(StoreError::Invalid(format!(
                "the secret must have at least {MIN_CHARS} characters"
            )));
        }
        Hmac::new_from_slice(secret.as_bytes())
            .map(Self)
            .map_err(|error| StoreError::Invalid(error.to_string()))
    }

    /// HMAC-SHA-256 (RFC 2104) of the parts, each with its length, so that no two lists of parts are the same bytes. `purpose` keeps
    /// what is signed for one thing from being taken for another.
    pub fn sign(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether a signature is of these parts; the time that it takes tells nothing.
    pub fn verifies(&self, purpose: &str, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.mac(purpose, parts).verify_slice(signature).is_ok()
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// The file's content. Several processes may make it at once: one wins, and all read what it wrote.
fn find_or_make(folder: &Path) -> std::io::Result<String> {
    let path = folder.join(FILE);
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        other => return other,
    }
    std::fs::create_dir_all(folder)?;
    let mut secret = [0_u8; 32];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut secret).map_err(std::io::Error::other)?;
    // Written beside its place and then linked there, which fails if another was first: nobody reads half a secret.
    let draft = folder.join(format!("{FILE}.{}", ulid::Ulid::generate()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(hex::encode(secret).as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, &path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::read_to_string(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_purpose_and_parts_only() {
        let key = SigningKey::new(&"k".repeat(32)).expect("long enough");
        let signature = key.sign("verify", &[b"ab", b"c"]);
        assert!(key.verifies("verify", &[b"ab", b"c"], &signature));
        assert!(!key.verifies("verify", &[b"a", b"bc"], &signature));
        assert!(!key.verifies("reset", &[b"ab", b"c"], &signature));
        assert!(!key.verifies("verify", &[b"ab", b"c"], &signature[..31]));
        let other = SigningKey::new(&"l".repeat(32)).expect("long enough");
        assert!(!other.verifies("verify", &[b"ab", b"c"], &signature));
        assert!(SigningKey::new("short").is_err());
    }

    #[test]
    fn the_file_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let made: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| find_or_make(folder.path()))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic").expect("a secret"))
                .collect()
        });
        assert!(made.iter().all(|secret| *secret == made[0] && secret.len() == 64));
        let left = std::fs::read_dir(folder.path()).expect("list").count();
        assert_eq!(left, 1);
    }
}
