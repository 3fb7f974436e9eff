//! Words of others in messages of ours: in one line, and without what could steer a terminal.

use std::borrow::Cow;
use std::fmt::Display;

/// The longest line, in characters; the rest is cut off.
pub const MAX_LINE: usize = 4096;

/// The longest word in a line that quotes others, in characters: names in a component have no end.
const MAX_WORD: usize = 200;

/// The longest of such lines, in characters.
const MAX_QUOTE: usize = 600;

/// What steers a terminal, or the order in which it shows what follows, is shown as a question mark.
pub fn clean(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// The same of lines that have their ends.
pub fn clean_lines(text: &str) -> String {
    let shown = |char| if char == '\n' { char } else { shown(char) };
    text.chars().map(shown).collect()
}

/// The same, and not longer than a line may be.
pub fn printable(text: &str) -> String {
    text.chars().map(shown).take(MAX_LINE).collect()
}

/// A character as a terminal may be shown it.
pub fn shown(char: char) -> char {
    match char {
        '\t' => ' ',
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

/// A name that somebody else has given: where it is long, its beginning and `…`.
pub fn quoted(name: &str) -> String {
    clean(&cut(name, MAX_WORD))
}

/// A text as one word of a line, such that no other text is the same word: what would end the word, or steer
/// a terminal, is escaped as in `\u{20}`.
pub fn word(text: &str) -> String {
    escape(text, "\\")
}

/// The same as the key of a `key=value` word. A long one is cut.
pub fn key(name: &str) -> String {
    escape(&cut(name, MAX_WORD), "=\\")
}

fn escape(text: &str, special: &str) -> String {
    let escaped = |char: char| {
        let plain = shown(char) == char && !char.is_whitespace() && !special.contains(char);
        let (plain, escaped) = match plain {
            true => (Some(char), None),
            false => (None, Some(char.escape_unicode())),
        };
        plain.into_iter().chain(escaped.into_iter().flatten())
    };
    text.chars().flat_map(escaped).collect()
}

/// The lines of a text in one. What is said about a component quotes names that are in it, and those
/// can be anything: each is cut, so that what comes after it can still be read.
pub fn joined(text: &str) -> String {
    let words = text.split_whitespace().map(quoted);
    // Each has a character.
    let line: Vec<String> = words.take(MAX_QUOTE).collect();
    cut(&line.join(" "), MAX_QUOTE).into_owned()
}

fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// An error and its causes, where `{:#}` shows them.
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
