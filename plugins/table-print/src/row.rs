//! The cells of one line, as text: one buffer for all, so that a line needs no memory of its own.

/// The cells of a line.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The texts, one after the other.
    text: String,
    cells: Vec<Place>,
    /// The style of the whole line; "" for none.
    style: &'static str,
}

/// Where a cell is in the text.
#[derive(Debug)]
struct Place {
    /// Its end in bytes.
    end: usize,
    /// Its length in characters.
    chars: usize,
    style: &'static str,
}

/// A cell of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) text: &'a str,
    /// Length of the text in characters.
    pub(crate) chars: usize,
    /// "" for none.
    pub(crate) style: &'static str,
}

impl Row {
    /// Begins another line, whose whole text has this style.
    pub(crate) fn begin(&mut self, style: &'static str) {
        self.text.clear();
        self.cells.clear();
        self.style = style;
    }

    /// Adds a cell. `write` appends its text; a cell without any has `-`.
    pub(crate) fn cell(&mut self, style: &'static str, write: impl FnOnce(&mut String)) {
        let begin = self.text.len();
        write(&mut self.text);
        if self.text.len() == begin {
            self.text.push('-');
        }
        self.cells.push(Place {
            end: self.text.len(),
            chars: chars(&self.text[begin..]),
            style,
        });
    }

    /// The style of the whole line.
    pub(crate) fn style(&self) -> &'static str {
        self.style
    }

    /// The cells, from left to right.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut begin = 0;
        self.cells.iter().map(move |place| {
            let text = &self.text[begin..place.end];
            begin = place.end;
            Cell {
                text,
                chars: place.chars,
                style: place.style,
            }
        })
    }
}

/// The number of characters: nearly all cells are ASCII, whose length is that in bytes.
pub(crate) fn chars(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().count(),
    }
}
