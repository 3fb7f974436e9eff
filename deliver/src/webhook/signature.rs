//! The signature of a body, by which a receiver knows that it comes from a host with its key.
//!
//! `X-Retrans-Signature: t=SECONDS,v1=HEX`: `SECONDS` is the time of the attempt, since 1970; `HEX` is the HMAC-SHA-256
//! of these seconds, a full stop and the body. A file with several keys, one a line, gives one `v1=` for each: while
//! keys are changed, a receiver takes any that fits. A receiver should refuse a time that is minutes away from its own.

use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use sha2::Sha256;

/// The header.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-retrans-signature");

/// The value of the header.
pub(super) fn value(keys: &str, seconds: u64, body: &[u8]) -> Option<HeaderValue> {
    let mut value = format!("t={seconds}");
    let keys = keys.lines().map(str::trim).filter(|key| !key.is_empty());
    for key in keys {
        // A key of HMAC may have any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        value.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            value.push_str(&format!("{byte:02x}"));
        }
    }
    HeaderValue::from_str(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_signature() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac KEY
        let first = "54b85ee068155f3778aeb74df7696a5ae89dfe52127da0e486e2b5ff589bf3d0";
        let second = "25fb25835a7a0484c428dfcd16dc329c38cce8c5b210685eb987e7147c60d7b3";
        let value = value("first\n\n second \n", 1_700_000_000, b"{}").expect("a value");
        assert_eq!(value, format!("t=1700000000,v1={first},v1={second}"));
    }
}
