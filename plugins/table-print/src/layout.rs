//! Where the cells of a line are.
//!
//! Each column has a width. On a line of limited length, the columns that have no room for their least width are left out,
//! the last ones first; the others share the rest up to their usual widths, and addresses take what is left beyond.
//!
//! A cell that is longer than its column moves the cells behind it to the right. If the line would become too long, they
//! move to the left instead, into free room of the line. Only if its cells do not fit one beside the other, the longest
//! ones are shortened, in the middle and down to the widths of their columns: a start and a port tell more than a middle.

use crate::columns::Column;
use crate::row::Cell;
use crate::row::Row;
use crate::row::chars;
use crate::styles;

/// Characters between two columns.
const GAP: usize = 1;

/// The widths of the columns, and the length of a line.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Placed>,
    /// Characters of a line at most; `None`: any number.
    limit: Option<usize>,
    /// Characters of each cell of the line that is written.
    lengths: Vec<usize>,
}

/// A column with its place.
#[derive(Debug)]
struct Placed {
    start: usize,
    width: usize,
    is_right: bool,
}

impl Layout {
    /// The layout for the first of these columns: all of them, unless a line of `width` characters has no room for them.
    /// `width` 0 is any number; so is any `width` with `is_wide`, but what is left of it widens addresses.
    pub(crate) fn new(columns: &[Column], width: usize, is_wide: bool) -> Layout {
        let limit = Some(width).filter(|_| width > 0 && !is_wide);
        let mut widths: Vec<usize> = match limit {
            None => columns.iter().map(|column| column.widths.usual).collect(),
            Some(limit) => fitting(columns, limit),
        };
        let mut free = width.saturating_sub(length(&widths));
        let most = |of: fn(&Column) -> usize| columns.iter().map(of);
        widen(&mut widths, most(|column| column.widths.usual), &mut free);
        widen(&mut widths, most(|column| column.widths.most), &mut free);
        let mut start = 0;
        let placed = widths.iter().zip(columns).map(|(&width, column)| {
            let placed = Placed {
                start,
                width,
                is_right: column.is_right,
            };
            start += width + GAP;
            placed
        });
        Layout {
            columns: placed.collect(),
            limit,
            lengths: Vec::new(),
        }
    }

    /// The number of columns: the others are left out.
    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Appends the line of a row, which has a cell for each column.
    pub(crate) fn write(&mut self, row: &Row, to: &mut String) {
        self.lengths.clear();
        self.lengths.extend(row.cells().map(|cell| cell.chars));
        // Characters from the cell to the end of the line, if the cells are one beside the other.
        let mut rest = length(&self.lengths);
        if let Some(limit) = self.limit
            && rest > limit
        {
            self.shorten(rest - limit);
            rest = length(&self.lengths);
        }
        to.push_str(row.style());
        let mut end = 0;
        let cells = row.cells().zip(&self.columns).zip(&self.lengths);
        for (index, ((cell, column), &length)) in cells.enumerate() {
            let mut start = column.start;
            if column.is_right {
                start += column.width.saturating_sub(length);
            }
            if let Some(limit) = self.limit {
                start = start.min(limit.saturating_sub(rest));
            }
            let earliest = if index == 0 { 0 } else { end + GAP };
            start = start.max(earliest);
            to.extend(std::iter::repeat_n(' ', start - end));
            write_cell(cell, length, to);
            end = start + length;
            rest = rest.saturating_sub(length + GAP);
        }
        if !row.style().is_empty() {
            to.push_str(styles::END);
        }
    }

    /// Appends a text that is a line of its own.
    pub(crate) fn write_text(&self, text: &str, to: &mut String) {
        let length = chars(text);
        write_shortened(text, length, self.limit.unwrap_or(length), to);
    }

    /// Shortens cells by this number of characters in all: each of them is taken from the cell that exceeds its column the
    /// most, from numbers last.
    fn shorten(&mut self, excess: usize) {
        for _ in 0..excess {
            let cells = self.lengths.iter_mut().zip(&self.columns);
            let longer = cells.filter(|(length, column)| **length > column.width);
            let longest =
                longer.max_by_key(|(length, column)| (!column.is_right, **length - column.width));
            // There is one: all columns fit in the line.
            if let Some((length, _)) = longest {
                *length -= 1;
            }
        }
    }
}

/// The length of a line with these cells or columns.
fn length(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// The least widths of the first columns, as many as a line of this length has room for. One is always there.
fn fitting(columns: &[Column], limit: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.widths.least).collect();
    while widths.len() > 1 && length(&widths) > limit {
        widths.pop();
    }
    if let [only] = widths.as_mut_slice() {
        *only = (*only).min(limit);
    }
    widths
}

/// Widens columns that are narrower than `most`, one character each in turn, as long as there are free ones.
fn widen(widths: &mut [usize], most: impl Iterator<Item = usize> + Clone, free: &mut usize) {
    let mut before = None;
    while *free > 0 && before != Some(*free) {
        before = Some(*free);
        for (width, most) in widths.iter_mut().zip(most.clone()) {
            if *width < most && *free > 0 {
                *width += 1;
                *free -= 1;
            }
        }
    }
}

fn write_cell(cell: Cell, length: usize, to: &mut String) {
    to.push_str(cell.style);
    write_shortened(cell.text, cell.chars, length, to);
    if !cell.style.is_empty() {
        to.push_str(styles::END);
    }
}

/// Appends a text of `chars` characters in at most `length`, with `…` in place of its middle if that is fewer.
fn write_shortened(text: &str, chars: usize, length: usize, to: &mut String) {
    if chars <= length {
        return to.push_str(text);
    }
    let place = |number: usize| {
        let found = text.char_indices().nth(number);
        found.map_or(text.len(), |(place, _)| place)
    };
    let Some(kept) = length.checked_sub(1) else {
        return;
    };
    let head = kept.div_ceil(2);
    to.push_str(&text[..place(head)]);
    to.push('…');
    to.push_str(&text[place(chars - (kept - head))..]);
}
