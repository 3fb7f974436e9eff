//! Sanitises untrusted text for logs and terminals: it keeps to one line, and cannot control the terminal.

use std::borrow::Cow;
use std::fmt::Display;

/// Maximum length of a line in characters; the rest is cut off.
pub const MAX_LINE: usize = 4096;

/// Maximum length in characters of a word in a line that quotes untrusted text. The names in a component can have any
/// length.
const MAX_WORD: usize = 200;

/// Maximum length in characters of a line that quotes untrusted text.
const MAX_QUOTE: usize = 600;

/// Replaces control characters, newlines included, and characters that change the direction of text by `�`.
pub fn clean(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

/// Like [`clean`], but keeps newlines.
pub fn clean_lines(text: &str) -> String {
    let printable = |char| match char {
        '\n' => char,
        char => printable_char(char),
    };
    text.chars().map(printable).collect()
}

/// Like [`clean`], and cuts the text to [`MAX_LINE`] characters.
pub fn printable(text: &str) -> String {
    text.chars().map(printable_char).take(MAX_LINE).collect()
}

/// The character, or what replaces it: a space for a tab, and `�` for any other control character and for characters
/// that separate lines or change the direction of text.
pub fn printable_char(char: char) -> char {
    match char {
        '\t' => ' ',
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

/// Like [`clean`], for an untrusted name. If it is longer than 200 characters, it is cut and ends in `…`.
pub fn quoted(name: &str) -> String {
    clean(&cut(name, MAX_WORD))
}

/// Escapes a text to a single word, such as `\u{20}` for a space, and without control characters. Different texts have
/// different words.
pub fn word(text: &str) -> String {
    escape(text, "\\")
}

/// Escapes a name to the key of a `key=value` word. A name that is longer than 200 characters is cut.
pub fn key(name: &str) -> String {
    escape(&cut(name, MAX_WORD), "=\\")
}

fn escape(text: &str, special: &str) -> String {
    let escaped = |char: char| {
        let is_plain =
            printable_char(char) == char && !char.is_whitespace() && !special.contains(char);
        let (plain, escaped) = match is_plain {
            true => (Some(char), None),
            false => (None, Some(char.escape_unicode())),
        };
        plain.into_iter().chain(escaped.into_iter().flatten())
    };
    text.chars().flat_map(escaped).collect()
}

/// Joins the lines of a text to one line of at most 600 characters. An error about a component quotes names from it,
/// which can have any length. Each word is cut to 200 characters, so that the words after it remain readable.
pub fn joined(text: &str) -> String {
    let words = text.split_whitespace().map(quoted);
    // Each word has at least one character.
    let line: Vec<String> = words.take(MAX_QUOTE).collect();
    cut(&line.join(" "), MAX_QUOTE).into_owned()
}

fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// An error, with its causes if `{:#}` prints them, in one line.
pub fn one_line(error: &impl Display) -> String {
    joined(&format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\tc\nd"), "a\u{fffd}[2Jb c\u{fffd}d");
    }

    #[test]
    fn lines_keep_their_ends() {
        assert_eq!(
            clean_lines("a\x1b[2J\nb\u{9b}c\n"),
            "a\u{fffd}[2J\nb\u{fffd}c\n"
        );
    }

    #[test]
    fn a_plugin_cannot_turn_the_order_of_its_words_around() {
        assert_eq!(printable("a\u{202e}b\u{2066}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn a_key_is_one_word_and_no_other_name_has_the_same() {
        for (name, expected) in [
            ("keys_evicted", "keys_evicted"),
            ("größe.bytes-1", "größe.bytes-1"),
            ("passed=1", r"passed\u{3d}1"),
            ("a b\tc", r"a\u{20}b\u{9}c"),
            ("a\nledger: host", r"a\u{a}ledger:\u{20}host"),
            ("a\u{3000}b\u{202e}\x1b[2J", r"a\u{3000}b\u{202e}\u{1b}[2J"),
            (r"passed\u{3d}1", r"passed\u{5c}u{3d}1"),
            ("\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(key(name), expected);
            assert_eq!(key(name).split_whitespace().count(), 1);
        }
        assert_eq!(key(&"é".repeat(300)), format!("{}…", "é".repeat(200)));
    }

    #[test]
    fn long_names_of_others_are_cut_and_what_is_said_about_them_stays() {
        let name = "é".repeat(90_000);
        let begin = "é".repeat(200);
        assert_eq!(quoted(&name), format!("{begin}…"));
        assert_eq!(quoted(&begin), begin);
        let error = joined(&format!("export {name}\n is not valid"));
        assert_eq!(error, format!("export {begin}… is not valid"));
        let many = joined(&"ab ".repeat(90_000));
        assert_eq!(many, format!("{}…", "ab ".repeat(200)));
    }
}
