//! Writes text into cells.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use crate::top::text;

/// Writes text into the cells of a buffer, from left to right.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
}

impl<'a> Pen<'a> {
    /// A pen for this buffer.
    pub fn new(buffer: &'a mut Buffer) -> Pen<'a> {
        Pen { buffer }
    }

    /// Writes a clean text into the first line of an area, cut to its width. Returns the rest of the line.
    pub fn put(&mut self, area: Rect, text: &str, style: Style) -> Rect {
        let line = area.intersection(self.buffer.area);
        if line.is_empty() {
            return Rect { width: 0, ..area };
        }
        let text = text::cut(text, line.width.into());
        let (end, _) = self
            .buffer
            .set_stringn(line.x, line.y, text, line.width.into(), style);
        Rect {
            x: end,
            width: line.right().saturating_sub(end),
            height: 1,
            ..line
        }
    }

    /// The same at the right end of the first line.
    pub fn put_right(&mut self, area: Rect, text: &str, style: Style) {
        let width = (text::width(text) as u16).min(area.width);
        let area = Rect {
            x: area.right() - width,
            width,
            ..area
        };
        self.put(area, text, style);
    }

    /// Sets the style of all cells of an area.
    pub fn shade(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area, style);
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }

    /// Sets one cell.
    pub fn cell(&mut self, x: u16, y: u16, char: char, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_char(char).set_style(style);
        }
    }
}
