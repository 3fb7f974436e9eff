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
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400 years: a leap day is the last of its year.
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
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
    fn times_are_those_of_the_command_date() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_878_495, "2026-11-28 15:08:15 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}
