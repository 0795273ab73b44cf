//! Calls to other people's addresses, signed, so that who receives one knows that it comes from here and was not changed.
//!
//! The client is the file store's: it speaks TLS and is built already.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use object_store::ClientOptions;
use object_store::HeaderValue;
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use sha2::Sha256;

use crate::StoreError;

/// Where to call, and what to sign with.
#[derive(Clone, Copy)]
pub struct Hook<'a> {
    /// Address.
    pub url: &'a str,
    /// Key of the signature.
    pub secret: &'a str,
    /// How long the receiver may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Hook<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook(***)")
    }
}

/// POSTs JSON, and gives the answer's status. Headers: `cookbook-event-id`, the same for each attempt; `cookbook-timestamp`, seconds since
/// 1970; `cookbook-signature`, see [`signature`].
///
/// # Errors
/// The address is none, or nobody answered in time. What is wrong is said without the address, which may hold a password.
pub async fn post(hook: &Hook<'_>, id: &str, at: DateTime<Utc>, body: String) -> Result<u16, StoreError> {
    let timestamp = at.timestamp();
    let signature = signature(hook.secret, id, timestamp, &body)?;
    let options = ClientOptions::new()
        .with_timeout(hook.timeout)
        .with_connect_timeout(hook.timeout)
        .with_allow_http(true);
    let client = ReqwestConnector::default()
        .connect(&options)
        .map_err(|error| StoreError::Invalid(format!("a client for the webhook: {error}")))?;
    let invalid = |what: &str| StoreError::Invalid(format!("the webhook's {what} cannot be sent"));
    let mut request = HttpRequest::new(HttpRequestBody::from(Bytes::from(body)));
    *request.method_mut() = "POST".parse().map_err(|_| invalid("method"))?;
    *request.uri_mut() = hook.url.parse().map_err(|_| invalid("address"))?;
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("cookbook-event-id", id.to_owned()),
        ("cookbook-timestamp", timestamp.to_string()),
        ("cookbook-signature", signature),
    ] {
        headers.insert(name, HeaderValue::from_str(&value).map_err(|_| invalid(name))?);
    }
    let response = client
        .execute(request)
        .await
        .map_err(|error| StoreError::Invalid(format!("the webhook did not answer ({:?})", error.kind())))?;
    Ok(response.status().as_u16())
}

/// `v1=` and, in hexadecimal, HMAC-SHA-256 (RFC 2104) of `{id}.{timestamp}.{body}`. A receiver computes the same and compares in constant time;
/// with the timestamp it refuses what somebody recorded long ago.
///
/// # Errors
/// Never: HMAC takes keys of any length.
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> Result<String, StoreError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| StoreError::Invalid(error.to_string()))?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1={}", hex::encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_anybody_computes() {
        // printf 'report.daily.2026-03-01.1772409600.{}' | openssl dgst -sha256 -hmac secret
        let signed = signature("secret", "report.daily.2026-03-01", 1_772_409_600, "{}").expect("a key");
        assert_eq!(signed, SIGNED);
        for (secret, id, timestamp, body) in [
            ("Secret", "report.daily.2026-03-01", 1_772_409_600, "{}"),
            ("secret", "report.daily.2026-03-02", 1_772_409_600, "{}"),
            ("secret", "report.daily.2026-03-01", 1_772_409_601, "{}"),
            ("secret", "report.daily.2026-03-01", 1_772_409_600, "[]"),
        ] {
            assert_ne!(signature(secret, id, timestamp, body).expect("a key"), signed);
        }
    }

    const SIGNED: &str = "v1=3afcf3d80388d632aee39d4ce4eb88194e69e587d9120d4614bc3ad568b54fa1";
}
