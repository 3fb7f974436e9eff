//! The last line: the keys, or the filter that is being written.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Position;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::pen::Pen;
use crate::top::editor::Editor;
use crate::top::keys::HELP;
use crate::top::text;
use crate::top::theme::Theme;
use crate::top::view::Pane;

/// Maximum number of lines of an error.
const MAX_ERROR: u16 = 4;

/// Draws the keys of a pane.
pub fn draw(buffer: &mut Buffer, area: Rect, pane: Pane, theme: Theme) {
    let mut pen = Pen::new(buffer);
    let mut rest = area;
    let mut put = |keys: &str, word: &str| {
        if usize::from(rest.width) < keys.len() + 1 + word.len() {
            rest.width = 0;
            return;
        }
        rest = pen.put(rest, &format!("{keys} "), theme.strong());
        rest = pen.put(rest, word, theme.title());
        rest = pen.put(rest, " ", Style::new());
    };
    if pane != Pane::Table {
        put("Esc", "Back");
        put("Up Down PgUp PgDn", "Scroll");
        if pane != Pane::Help {
            put("Left Right", "Move");
            put("p", "Pause");
        }
        put("q", "Quit");
        return;
    }
    for help in HELP.iter().filter(|help| !help.word.is_empty()) {
        put(help.keys, help.word);
    }
}

/// Draws the line that is edited, and why it was refused in lines above it. Returns the place of the cursor.
pub fn draw_editor(
    buffer: &mut Buffer,
    area: Rect,
    above: Rect,
    editor: &Editor,
    theme: Theme,
) -> Position {
    let mut pen = Pen::new(buffer);
    let (before, after) = editor.parts();
    let (before, after) = (text::clean(before), text::clean(after));
    // What is left of the cursor is cut at its start.
    let room = usize::from(area.width).saturating_sub(2);
    let mut left = before.as_str();
    while text::width(left) > room {
        let mut chars = left.chars();
        chars.next();
        left = chars.as_str();
    }
    let rest = pen.put(area, "/", theme.strong());
    let rest = pen.put(rest, left, Style::new());
    pen.put(rest, &after, Style::new());
    let cursor = Position::new(rest.x.min(area.right().saturating_sub(1)), area.y);
    let Some(error) = &editor.error else {
        return cursor;
    };
    let lines = wrapped(error, area.width.into());
    let height = (lines.len() as u16)
        .min(MAX_ERROR)
        .min(area.y - above.y.min(area.y));
    let begin = area.y - height;
    let space = Rect {
        y: begin,
        height,
        ..area
    };
    pen.clear(space);
    for (y, line) in (begin..area.y).zip(lines) {
        let line_area = Rect {
            y,
            height: 1,
            ..area
        };
        pen.put(line_area, &line, theme.problem());
    }
    pen.shade(space, theme.problem());
    cursor
}

/// A clean text in lines of this width, broken between words where possible.
fn wrapped(error: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in error.split(' ') {
        if line.is_empty() {
            line.push_str(word);
        } else if text::width(&line) + 1 + text::width(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_broken_between_words() {
        let lines = wrapped("--kind: x: expected one of fast, timeout", 12);
        assert_eq!(lines, ["--kind: x:", "expected one", "of fast,", "timeout"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("extraordinary", 5), ["extraordinary"]);
    }
}
