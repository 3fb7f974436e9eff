//! Whether a name can be that of a new plugin's crate and directory.

use super::usage_error::UsageError;
use crate::plugin::sources;

/// Maximum length of a name.
const MAX_LEN: usize = 64;

/// Names with a meaning of their own: keywords of Rust, crates of its standard library, names that cargo refuses, and
/// `retrans`, the SDK in other languages.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "pub",
    "ref",
    "retrans",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "vendor",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Returns the name if it can be used.
pub fn check(name: String) -> Result<String, UsageError> {
    let refused = |why| Err(UsageError::CrateName(name.clone(), why));
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    if !name.starts_with(|char: char| char.is_ascii_lowercase()) || !name.chars().all(allowed) {
        return refused(
            "the name of a crate begins with a lower-case letter, and consists of letters, digits, - and _ only",
        );
    }
    if name.len() > MAX_LEN {
        return refused("the name has more than 64 characters");
    }
    if RESERVED.contains(&name.as_str()) || sources::SDK.contains(&name.as_str()) {
        return refused("this name is reserved; choose another one");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_or_rust_would_refuse_are_refused_first() {
        let is_valid = |name: &str| check(name.to_owned()).is_ok();
        for name in ["burst", "a", "slow-peers", "a_1"] {
            assert!(is_valid(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "1a",
            "-a",
            "A",
            "a b",
            "a/b",
            "../a",
            "ä",
            "fn",
            "test",
            "retrans",
            "retrans-event",
            &long,
        ] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
