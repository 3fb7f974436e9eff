//! What the JWT in a credentials file says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// When the JWT in a credentials file expires, as Unix time in seconds. `None`: never, or it cannot be read; the server
/// checks it, and this is for words alone.
pub(super) fn expiry(credentials: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<u64>,
    }
    let mut lines = credentials.lines().map(str::trim);
    let jwt = lines.find(|line| line.matches('.').count() == 2)?;
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    claims.exp.filter(|seconds| *seconds > 0)
}

/// A Unix time in seconds, such as `2026-11-28 15:08:15 UTC`.
pub(super) fn utc(seconds: u64) -> String {
    match async_nats::datetime::from_nanos(i128::from(seconds) * 1_000_000_000) {
        Ok(at) => format!(
            "{} {:02}:{:02}:{:02} UTC",
            at.date(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        // Beyond the year 9999.
        Err(_) => format!("{seconds} s after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_found_if_there_is_one() {
        let file = |claims: &str| {
            let jwt = URL_SAFE_NO_PAD.encode(claims);
            format!(
                "-----BEGIN NATS USER JWT-----\r\ne30.{jwt}.c2ln\r\n------END NATS USER JWT------\r\n"
            )
        };
        assert_eq!(
            expiry(&file(r#"{"exp":1795878495,"sub":"U"}"#)),
            Some(1_795_878_495)
        );
        for claims in [r#"{"exp":0}"#, r#"{"sub":"U"}"#, r#"{"exp":-1}"#, "no JSON"] {
            assert_eq!(expiry(&file(claims)), None, "{claims}");
        }
        assert_eq!(expiry("e30.no base64.c2ln"), None);
        assert_eq!(expiry(""), None);
    }

    #[test]
    fn times_are_written_as_the_command_date_does() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_878_495, "2026-11-28 15:08:15 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (u64::MAX, "18446744073709551615 s after 1970"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}
