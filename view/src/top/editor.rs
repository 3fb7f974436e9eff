//! The line in which a filter is written.

use super::keys::Key;

/// Maximum length in characters.
const MAX_LENGTH: usize = 500;

/// A line that is being edited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Editor {
    text: Vec<char>,
    cursor: usize,
    /// Why the line was refused.
    pub error: Option<String>,
}

/// What a key has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// The line goes on.
    Goes,
    /// The line is done.
    Done(String),
    /// The line is given up.
    GivenUp,
}

impl Editor {
    /// A line with this text, with the cursor at its end.
    pub fn new(text: &str) -> Editor {
        let text: Vec<char> = text.chars().collect();
        Editor {
            cursor: text.len(),
            text,
            error: None,
        }
    }

    /// The text before the cursor, and the text after it.
    pub fn parts(&self) -> (String, String) {
        let (before, after) = self.text.split_at(self.cursor);
        (before.iter().collect(), after.iter().collect())
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Edited {
        self.error = None;
        let end = self.text.len();
        match key {
            Key::Enter => return Edited::Done(self.text.iter().collect()),
            Key::Escape | Key::Control('c' | 'g') => return Edited::GivenUp,
            Key::Char(char) if end < MAX_LENGTH => {
                self.text.insert(self.cursor, char);
                self.cursor += 1;
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete | Key::Control('d') if self.cursor < end => {
                self.text.remove(self.cursor);
            }
            Key::Control('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Control('k') => self.text.truncate(self.cursor),
            Key::Control('w') => {
                let begin = self.word_before();
                self.text.drain(begin..self.cursor);
                self.cursor = begin;
            }
            Key::Left | Key::Control('b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Control('f') => self.cursor = (self.cursor + 1).min(end),
            Key::Home | Key::Control('a') => self.cursor = 0,
            Key::End | Key::Control('e') => self.cursor = end,
            _ => {}
        }
        Edited::Goes
    }

    /// Where the word before the cursor begins.
    fn word_before(&self) -> usize {
        let before = &self.text[..self.cursor];
        let blank = |char: &char| char.is_whitespace();
        let end = before
            .iter()
            .rposition(|char| !blank(char))
            .map_or(0, |last| last + 1);
        before[..end]
            .iter()
            .rposition(blank)
            .map_or(0, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, keys: &[Key]) -> (String, String) {
        for key in keys {
            assert_eq!(editor.key(*key), Edited::Goes);
        }
        editor.parts()
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let mut editor = Editor::new("--kind fast");
        let parts = |before: &str, after: &str| (before.to_owned(), after.to_owned());
        let left = [Key::Left; 3];
        assert_eq!(typed(&mut editor, &left), parts("--kind f", "ast"));
        let keys = [Key::Char('é'), Key::Delete, Key::Backspace];
        assert_eq!(typed(&mut editor, &keys), parts("--kind f", "st"));
        assert_eq!(
            typed(&mut editor, &[Key::Control('w')]),
            parts("--kind ", "st")
        );
        assert_eq!(
            typed(&mut editor, &[Key::Control('k')]),
            parts("--kind ", "")
        );
        assert_eq!(typed(&mut editor, &[Key::Control('w')]), parts("", ""));
        let nothing = [Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::Up];
        assert_eq!(typed(&mut editor, &nothing), parts("", ""));
        let keys = [Key::Char('a'), Key::Char('b'), Key::Home, Key::Char('c')];
        assert_eq!(typed(&mut editor, &keys), parts("c", "ab"));
        assert_eq!(
            typed(&mut editor, &[Key::End, Key::Control('u')]),
            parts("", "")
        );
        assert_eq!(editor.key(Key::Escape), Edited::GivenUp);
    }

    #[test]
    fn a_line_is_bounded_and_an_error_lasts_until_the_next_key() {
        let mut editor = Editor::default();
        for _ in 0..1_000 {
            editor.key(Key::Char('x'));
        }
        assert_eq!(editor.key(Key::Enter), Edited::Done("x".repeat(500)));
        editor.error = Some("no".to_owned());
        editor.key(Key::Left);
        assert_eq!(editor.error, None);
    }
}
