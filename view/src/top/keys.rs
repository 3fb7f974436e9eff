//! The keys: what a terminal sends for them, and what they do.

use anes::parser::KeyCode;
use anes::parser::KeyModifiers;
use anes::parser::Parser;
use anes::parser::Sequence;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Control and a letter.
    Control(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Left.
    Left,
    /// Right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// Turns what a terminal sends into keys.
#[derive(Default)]
pub struct Keyboard(Parser);

impl Keyboard {
    /// The keys in these bytes. Alt and a letter are an escape character and the letter, which a slow line may have put
    /// together. `has_more`: further bytes follow at once, so that an escape character at the end is
    /// not the key, but the start of another key's sequence. What is no key is left out.
    pub fn keys(&mut self, bytes: &[u8], has_more: bool) -> Vec<Key> {
        self.0.advance(bytes, has_more);
        let sequences = self.0.by_ref();
        sequences
            .flat_map(|sequence| [escape_before(sequence), key(sequence)])
            .flatten()
            .collect()
    }
}

/// The escape character that was taken for Alt.
fn escape_before(sequence: Sequence) -> Option<Key> {
    match sequence {
        Sequence::Key(KeyCode::Char(_), modifiers) if modifiers.contains(KeyModifiers::ALT) => {
            Some(Key::Escape)
        }
        _ => None,
    }
}

fn key(sequence: Sequence) -> Option<Key> {
    let Sequence::Key(code, _) = sequence else {
        return None;
    };
    Some(match code {
        KeyCode::Char('\x08') => Key::Backspace,
        KeyCode::Char(char @ '\x01'..='\x1a') => Key::Control((char as u8 - 1 + b'a') as char),
        KeyCode::Char(char) if char.is_control() => return None,
        KeyCode::Char(char) => Key::Char(char),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::F(1) => Key::Char('?'),
        KeyCode::F(10) => Key::Char('q'),
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Insert | KeyCode::F(_) | KeyCode::Null => {
            return None;
        }
    })
}

/// A line of the help.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// The keys.
    pub keys: &'static str,
    /// What they do, in a word for the line at the bottom; empty: they are not there.
    pub word: &'static str,
    /// What they do.
    pub text: &'static str,
}

const fn help(keys: &'static str, word: &'static str, text: &'static str) -> Help {
    Help { keys, word, text }
}

/// All keys, in the order of their use.
pub const HELP: &[Help] = &[
    help("q", "Quit", "quit (also Ctrl-C, F10)"),
    help("?", "Help", "this help (also h, F1)"),
    help("s", "Sort", "sort by the next column; S: by the one before"),
    help("g", "Group", "group by the next thing; 1 to 9: by this one"),
    help(
        "/",
        "Filter",
        "filter, as on the command line: --peer 10.0.0.0/8 --kind fast",
    ),
    help(
        "p",
        "Pause",
        "freeze what is shown; the run goes on (also space)",
    ),
    help("Enter", "Events", "events of the selected row"),
    help("l", "Log", "active alerts, lines of plugins, messages"),
    help("r", "Record", "begin or end a recording, with --record-dir"),
    help("+ -", "", "seconds a column of the chart"),
    help(
        "Up Down",
        "",
        "select a row (also k, j, PgUp, PgDn, Home, End)",
    ),
    help(
        "Esc",
        "",
        "close what is open; else show the first row again",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_keys() {
        for (bytes, expected) in [
            (&b"q"[..], vec![Key::Char('q')]),
            (
                b"\r\x7f\x08\x1b",
                vec![Key::Enter, Key::Backspace, Key::Backspace, Key::Escape],
            ),
            (b"\x03\x1a", vec![Key::Control('c'), Key::Control('z')]),
            (
                b"\x1b[A\x1b[B\x1b[C\x1b[D",
                vec![Key::Up, Key::Down, Key::Right, Key::Left],
            ),
            (
                b"\x1b[5~\x1b[6~\x1b[H\x1b[F",
                vec![Key::PageUp, Key::PageDown, Key::Home, Key::End],
            ),
            (
                b"\x1bOP\x1b[21~\x1b[3~",
                vec![Key::Char('?'), Key::Char('q'), Key::Delete],
            ),
            ("é中".as_bytes(), vec![Key::Char('é'), Key::Char('中')]),
            (b"\x1bx", vec![Key::Escape, Key::Char('x')]),
            // A mouse, a report of the cursor, and what is nothing at all.
            (b"\x1b[<0;5;5M\x1b[20;10R\x1b[99~\xff\xfe", vec![]),
        ] {
            assert_eq!(
                Keyboard::default().keys(bytes, false),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_sequence_may_arrive_in_parts() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.keys(b"\x1b", true), []);
        assert_eq!(keyboard.keys(b"[", true), []);
        assert_eq!(keyboard.keys(b"Aq", false), [Key::Up, Key::Char('q')]);
        assert_eq!(keyboard.keys(&"é".as_bytes()[..1], false), []);
        assert_eq!(keyboard.keys(&"é".as_bytes()[1..], false), [Key::Char('é')]);
    }
}
