//! Text of receivers and of the network, made fit for one line of a log.

/// Maximum length in characters of a text that is quoted.
const MAX_QUOTE: usize = 300;

/// Keeps the text to one line, without characters that control a terminal or change the direction of text, and cuts it
/// to 300 characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut quote: String = text.trim().chars().take(MAX_QUOTE).map(printable).collect();
    if text.trim().chars().nth(MAX_QUOTE).is_some() {
        quote.push('…');
    }
    quote
}

/// Cuts a text to a number of bytes. It ends in `…` if something is missing.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn printable(char: char) -> char {
    match char {
        '\t' | '\n' | '\r' => ' ',
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_line_that_controls_no_terminal() {
        assert_eq!(quoted(" no\n such\x1b[2J \n"), "no  such\u{fffd}[2J");
        assert_eq!(quoted(&"x".repeat(400)).chars().count(), 301);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("höher", 2), "h…");
        assert_eq!(cut("höher", 6), "höher");
    }
}
