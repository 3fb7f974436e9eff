//! Text for a terminal: keeps the colours of this program, and replaces all other control characters.

use std::borrow::Cow;

use crate::system::sanitize::printable_char;

/// What happens to escape sequences that set colours and styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They are kept.
    Keep,
    /// They are removed.
    Remove,
}

/// Begins an escape sequence.
const ESCAPE: char = '\x1b';

/// The escape sequence that ends all colours and styles.
const PLAIN: &str = "\x1b[0m";

/// Replaces control characters, except newlines, and except colours if these are kept.
pub fn sanitize_text(text: &str, colours: Colours) -> Cow<'_, str> {
    if !text.contains(|char: char| char != '\n' && printable_char(char) != char) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = match colour_length(rest) {
            Some(length) => {
                if colours == Colours::Keep {
                    clean.push_str(&rest[..length]);
                }
                length
            }
            None => {
                clean.push(if char == '\n' {
                    char
                } else {
                    printable_char(char)
                });
                char.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Cow::Owned(clean)
}

/// Like [`sanitize_text`], for lines of a plugin: colours end with the line, so that none can hide or mark what others
/// print.
pub fn coloured_lines(text: &str, colours: Colours) -> Cow<'_, str> {
    let clean = sanitize_text(text, colours);
    if !clean.contains(ESCAPE) {
        return clean;
    }
    let mut lines = String::with_capacity(clean.len());
    for line in clean.split_inclusive('\n') {
        let text = line.strip_suffix('\n').unwrap_or(line);
        lines.push_str(text);
        let last = text.rfind(ESCAPE).map(|last| &text[last..]);
        if last.is_some_and(|last| !last.starts_with(PLAIN)) {
            lines.push_str(PLAIN);
        }
        lines.push_str(&line[text.len()..]);
    }
    Cow::Owned(lines)
}

/// The length of the escape sequence at the start of the text, if it sets colours and styles (SGR).
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|char: char| !char.is_ascii_digit() && char != ';')?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_a_plugin_end_with_the_line() {
        let text = "\x1b[8mhidden\nplain\n\x1b[1mbold\x1b[0m.\n\x1b[31mred\x1b[0m \x1b[2J\x1b[7m";
        let kept = "\x1b[8mhidden\x1b[0m\nplain\n\x1b[1mbold\x1b[0m.\n\x1b[31mred\x1b[0m \u{fffd}[2J\x1b[7m\x1b[0m";
        assert_eq!(coloured_lines(text, Colours::Keep), kept);
        let removed = "hidden\nplain\nbold.\nred \u{fffd}[2J";
        assert_eq!(coloured_lines(text, Colours::Remove), removed);
        assert!(matches!(
            coloured_lines("a\nb\n", Colours::Keep),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn colours_stay_where_they_may_and_nothing_else_does() {
        let text = "\x1b[1;33mWARNING\x1b[0m a\x1b[2Jb\u{9b}31m\u{85}\u{7f}\u{202e}\tc\n";
        let kept = "\x1b[1;33mWARNING\x1b[0m a\u{fffd}[2Jb\u{fffd}31m\u{fffd}\u{fffd}\u{fffd} c\n";
        assert_eq!(sanitize_text(text, Colours::Keep), kept);
        let removed = "WARNING a\u{fffd}[2Jb\u{fffd}31m\u{fffd}\u{fffd}\u{fffd} c\n";
        assert_eq!(sanitize_text(text, Colours::Remove), removed);
        for cut in ["\x1b", "\x1b[", "\x1b[1;3", "\x1b[1;3\u{9b}m"] {
            assert!(
                !sanitize_text(cut, Colours::Keep).contains('\x1b'),
                "{cut:?}"
            );
        }
    }
}
