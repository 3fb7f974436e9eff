//! What a registry asks for before it answers: the header `WWW-Authenticate`, and the token that it leads to.

use hyper::Uri;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password.
    Basic,
    /// A token, from another place.
    Bearer {
        /// The place.
        realm: String,
        /// For which service the token is.
        service: Option<String>,
        /// What it allows.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the header. `None`: it asks for something that is not known.
    pub(super) fn parse(header: &str) -> Option<Challenge> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("Basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return None;
        }
        let parameters = parameters(rest)?;
        let find = |wanted: &str| {
            let mut parameters = parameters.iter();
            let found = parameters.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        Some(Challenge::Bearer {
            realm: find("realm")?,
            service: find("service"),
            scope: find("scope"),
        })
    }
}

/// Reads `name="value",…`, where a `\` in a value stands before a character that would end it.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut chars = after.char_indices().peekable();
        let is_quoted = chars.next_if(|(_, char)| *char == '"').is_some();
        let end = loop {
            match chars.next() {
                Some((end, '"')) if is_quoted => break end + 1,
                Some((_, '\\')) if is_quoted => value.push(chars.next()?.1),
                Some((end, ',')) if !is_quoted => break end,
                Some((_, char)) => value.push(char),
                None if is_quoted => return None,
                None => break after.len(),
            }
        };
        parameters.push((name.trim().to_owned(), value));
        rest = after[end..].trim_start_matches([',', ' ']);
    }
    Some(parameters)
}

/// Where a token is asked for. `None`: the realm is no URL.
pub(super) fn token_uri(realm: &str, service: Option<&str>, scope: &str) -> Option<Uri> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut uri = realm.to_owned();
    let mut separator = if realm.contains('?') { '&' } else { '?' };
    for (name, value) in [("service", service), ("scope", Some(scope))] {
        if let Some(value) = value {
            uri = format!("{uri}{separator}{name}={}", encoded(value));
            separator = '&';
        }
    }
    let uri: Uri = uri.parse().ok()?;
    uri.authority().is_some().then_some(uri)
}

/// The answer with a token.
#[derive(Debug, Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The token in an answer.
pub(super) fn token(answer: &[u8]) -> Option<String> {
    let answer: TokenAnswer = serde_json::from_slice(answer).ok()?;
    answer.token.or(answer.access_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_registries_are_read() {
        // As ghcr.io and Docker's registry write them.
        let header = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://ghcr.io/token".to_owned(),
            service: Some("ghcr.io".to_owned()),
            scope: Some("repository:a/b:pull,push".to_owned()),
        };
        assert_eq!(Challenge::parse(header), Some(expected));
        let header = r#"bearer Realm="https://a/\"b", x=y"#;
        let expected = Challenge::Bearer {
            realm: "https://a/\"b".to_owned(),
            service: None,
            scope: None,
        };
        assert_eq!(Challenge::parse(header), Some(expected));
        for header in [r#"Basic realm="basic-realm""#, "basic", " Basic "] {
            assert_eq!(Challenge::parse(header), Some(Challenge::Basic), "{header}");
        }
        for header in [
            "",
            "Negotiate",
            "Bearer",
            "Bearer realm",
            r#"Bearer realm="a"#,
            r#"Bearer service="a""#,
        ] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_token_is_asked_for_with_service_and_scope() {
        let uri = token_uri(
            "https://a/token?x=1",
            Some("a b"),
            "repository:c/d:pull,push",
        );
        let expected = "https://a/token?x=1&service=a%20b&scope=repository%3Ac%2Fd%3Apull%2Cpush";
        assert_eq!(uri.expect("a URL").to_string(), expected);
        let uri = token_uri("https://a/token", None, "s").expect("a URL");
        assert_eq!(uri.to_string(), "https://a/token?scope=s");
        for realm in ["", "/token", "https://a b/"] {
            assert_eq!(token_uri(realm, None, "s"), None, "{realm}");
        }
        assert_eq!(
            token(br#"{"token":"a","expires_in":60}"#).as_deref(),
            Some("a")
        );
        assert_eq!(token(br#"{"access_token":"b"}"#).as_deref(), Some("b"));
        assert_eq!(token(b"{}"), None);
        assert_eq!(token(b"<html>"), None);
    }
}
