//! The table: the rows with the most segments, or the first ones by another column.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;
use ratatui_core::style::Style;
use retrans_event::Kind;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::key::Key;
use crate::key::Part;
use crate::palette::LOOKS;
use crate::sums::ByKind;
use crate::top::model::Model;
use crate::top::order;
use crate::top::order::LONG_RATE_SPAN;
use crate::top::order::Order;
use crate::top::order::RATE_SPAN;
use crate::top::row::Row;
use crate::top::text;
use crate::top::view::View;

/// Maximum number of rows to which one can scroll.
const MAX_ROWS: usize = 1_000;

/// Width of the column of causes, each cell of which stands for a share of the segments.
const CAUSES: u16 = 8;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A number by which rows can be sorted.
    Order(Order),
    /// The shares of the causes.
    Causes,
}

struct Column {
    title: &'static str,
    width: u16,
    content: Content,
}

const fn column(title: &'static str, width: u16, content: Content) -> Column {
    Column {
        title,
        width,
        content,
    }
}

/// The columns from left to right. That of the key follows.
const COLUMNS: [Column; 10] = [
    column("SEGS", 7, Content::Order(Order::Segments)),
    column("EVENTS", 7, Content::Order(Order::Events)),
    column("10s/s", 6, Content::Order(Order::Rate)),
    column("60s/s", 6, Content::Order(Order::LongRate)),
    column("RATIO", 6, Content::Order(Order::Ratio)),
    column("RTT", 6, Content::Order(Order::Rtt)),
    column("RTO", 6, Content::Order(Order::Rto)),
    column("CAUSES", CAUSES, Content::Causes),
    column("FAILED", 7, Content::Order(Order::Failed)),
    column("LATEST", 8, Content::Order(Order::Latest)),
];

/// The columns in the order in which they get room.
const BY_NEED: [Content; 10] = [
    Content::Order(Order::Segments),
    Content::Order(Order::Rate),
    Content::Order(Order::Ratio),
    Content::Order(Order::Rtt),
    Content::Order(Order::Rto),
    Content::Order(Order::Events),
    Content::Causes,
    Content::Order(Order::LongRate),
    Content::Order(Order::Latest),
    Content::Order(Order::Failed),
];

/// The columns for which there is room beside the key. That by which rows are sorted is among them.
fn columns(width: u16, part: Part, order: Order) -> Vec<&'static Column> {
    let key = match part {
        Part::Connection => 30,
        _ => 20,
    };
    let mut left = width.saturating_sub(key);
    let sorted = Content::Order(order);
    let by_need = BY_NEED.into_iter().filter(|content| *content != sorted);
    let mut contents = Vec::new();
    for content in [sorted].into_iter().chain(by_need) {
        let width = COLUMNS.iter().find(|column| column.content == content);
        let width = width.map_or(0, |column| column.width + 1);
        // A terminal that is too narrow for the key still shows what rows are sorted by.
        if width > left && content != sorted {
            break;
        }
        left = left.saturating_sub(width);
        contents.push(content);
    }
    let is_there = |column: &&Column| contents.contains(&column.content);
    COLUMNS.iter().filter(is_there).collect()
}

impl View {
    /// Finds the selected row, whose place may have changed, and moves the selection.
    pub(in crate::top) fn resolve_selection(&mut self, model: &Model) {
        let shift = std::mem::take(&mut self.shift);
        let rows = order::rows(model, self.grouping, self.order, MAX_ROWS);
        let found = self.selected.as_ref();
        let found = found.and_then(|key| rows.iter().position(|(other, _)| *other == key));
        let place = match (&self.selected, found) {
            (None, _) => 0,
            (_, Some(place)) => place,
            // It is not among the first rows any more.
            (Some(_), None) => self.place,
        };
        let last = rows.len().saturating_sub(1);
        self.place = place.saturating_add_signed(shift).min(last);
        if self.selected.is_some() || shift != 0 {
            self.selected = rows.get(self.place).map(|(key, _)| (*key).clone());
        }
    }

    /// The selected row; without a selection, the first one.
    pub(super) fn selected_key(&self, scene: Scene<'_>) -> Option<Key> {
        let first = || {
            let rows = order::rows(scene.model, self.grouping, self.order, 1);
            rows.first().map(|(key, _)| (*key).clone())
        };
        self.selected.clone().or_else(first)
    }

    /// Draws the table.
    pub(super) fn draw_table(&self, buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
        let (header, below) = split_line(area);
        let columns = columns(area.width, self.part(), self.order);
        self.draw_header(buffer, header, scene, &columns);
        let height = usize::from(below.height);
        let first = (self.place + 1).saturating_sub(height);
        let rows = order::rows(scene.model, self.grouping, self.order, first + height);
        if rows.is_empty() {
            let text = match scene.model.filtered() {
                Some(_) => "no event that the filter admits",
                None => "no event yet",
            };
            Pen::new(buffer).put(below, text, Style::new());
        }
        for (place, (key, row)) in rows.iter().enumerate().skip(first) {
            let line = Rect {
                y: below.y + (place - first) as u16,
                height: 1,
                ..below
            };
            self.draw_row(buffer, line, scene, &columns, (key, row));
            if place == self.place {
                Pen::new(buffer).shade(line, scene.theme.selected());
            }
        }
    }

    fn draw_header(&self, buffer: &mut Buffer, area: Rect, scene: Scene<'_>, columns: &[&Column]) {
        let theme = scene.theme;
        let mut pen = Pen::new(buffer);
        let mut rest = area;
        for column in columns {
            let is_sorted = column.content == Content::Order(self.order);
            let (cell, after) = split_column(rest, column.width);
            match (is_sorted, column.content) {
                (true, _) => {
                    let style = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
                    pen.put_right(cell, &format!("{}▼", column.title), style);
                }
                (false, Content::Causes) => {
                    pen.put(cell, column.title, Style::new());
                }
                (false, Content::Order(_)) => pen.put_right(cell, column.title, Style::new()),
            }
            rest = after;
        }
        let groups = scene.model.shown().groups(self.grouping);
        let name = self.part().name().to_uppercase();
        let mut title = format!("{name} ({})", groups.len());
        if groups.evicted() > 0 {
            let others = text::count(groups.rest().sums.segments);
            title = format!("{name} ({} latest, others {others})", groups.len());
        }
        pen.put(rest, &title, theme.strong());
        pen.shade(area, theme.title());
    }

    fn draw_row(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        scene: Scene<'_>,
        columns: &[&Column],
        (key, row): (&Key, &Row),
    ) {
        let mut rest = area;
        for column in columns {
            let (cell, after) = split_column(rest, column.width);
            match column.content {
                Content::Order(order) => {
                    let text = self.cell(scene, order, key, row);
                    Pen::new(buffer).put_right(cell, &text, Style::new());
                }
                Content::Causes => draw_causes(buffer, cell, scene, &row.sums.segments_of_kinds),
            }
            rest = after;
        }
        let name = scene.model.containers.key(self.part(), key);
        Pen::new(buffer).put(rest, &text::clean(name), Style::new());
    }

    /// The text of a number. A number that is not known is `-`.
    fn cell(&self, scene: Scene<'_>, order: Order, key: &Key, row: &Row) -> String {
        let now = scene.model.now;
        let unknown = || "-".to_owned();
        let micros = |time: Option<u32>| {
            let time = time.map(|micros| Duration::from_micros(micros.into()));
            time.map_or_else(unknown, text::time)
        };
        match order {
            Order::Segments => text::count(row.sums.segments),
            Order::Events => text::count(row.sums.events),
            Order::Rate => text::rate(row.recent.rate(now, RATE_SPAN)),
            Order::LongRate => text::rate(row.recent.rate(now, LONG_RATE_SPAN)),
            Order::Ratio => {
                let ratio = order::ratio(scene.model, self.part(), key, row);
                ratio.map_or_else(unknown, text::percent)
            }
            Order::Rtt => micros(row.latest.srtt_us),
            Order::Rto => micros(row.latest.rto_us),
            Order::Failed => text::count(row.sums.failed),
            Order::Latest => text::clock(row.latest.wall_time),
        }
    }
}

/// The cell of a column, and the rest of the line behind it and a space.
fn split_column(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let used = (width + 1).min(area.width);
    let rest = Rect {
        x: area.x + used,
        width: area.width - used,
        ..area
    };
    (Rect { width, ..area }, rest)
}

/// Draws a letter for each eighth of the segments. Each cause that is there has one, if there are not more than eight.
fn draw_causes(buffer: &mut Buffer, area: Rect, scene: Scene<'_>, kinds: &ByKind) {
    let letters = share(kinds, area.width);
    let mut pen = Pen::new(buffer);
    for (x, look) in (area.x..area.right()).zip(letters) {
        let look = &LOOKS[look];
        pen.cell(x, area.y, look.letter, scene.theme.letter(look));
    }
}

/// Shares `cells` out among the causes: the number of a look for each cell.
fn share(kinds: &ByKind, cells: u16) -> Vec<usize> {
    let numbers = LOOKS.map(|look| kinds.get(look.kind.unwrap_or(Kind::Other(u8::MAX))));
    let total: u64 = numbers.iter().sum();
    if total == 0 {
        return Vec::new();
    }
    let cells = u64::from(cells);
    let mut shares = numbers.map(|number| match number {
        0 => 0,
        number => (number as f64 / total as f64 * cells as f64)
            .round()
            .max(1.0) as u64,
    });
    // Rounding may have given too many or too few: the largest share has the difference.
    while shares.iter().sum::<u64>() != cells {
        let sum: u64 = shares.iter().sum();
        let most = shares.iter_mut().max().filter(|most| **most > 0);
        match most {
            Some(most) if sum > cells => *most -= 1,
            Some(most) => *most += 1,
            None => break,
        }
    }
    let repeated = shares.iter().enumerate();
    repeated
        .flat_map(|(look, share)| std::iter::repeat_n(look, *share as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(kinds: &[(Kind, u64)], cells: u16) -> String {
        let mut sums = ByKind::default();
        kinds
            .iter()
            .for_each(|(kind, number)| sums.add(*kind, *number));
        share(&sums, cells)
            .into_iter()
            .map(|look| LOOKS[look].letter)
            .collect()
    }

    #[test]
    fn causes_share_the_cells() {
        assert_eq!(letters(&[(Kind::Fast, 1)], 8), "ffffffff");
        assert_eq!(
            letters(&[(Kind::Fast, 3), (Kind::Timeout, 1)], 8),
            "ttffffff"
        );
        assert_eq!(
            letters(&[(Kind::Fast, 9_999), (Kind::Timeout, 1)], 8),
            "tfffffff"
        );
        assert_eq!(
            letters(&[(Kind::Fast, 1), (Kind::Syn, 1), (Kind::Timeout, 1)], 8).len(),
            8
        );
        let all = Kind::ALL.iter().map(|kind| (*kind, u64::MAX / 100));
        let all: Vec<_> = all.chain([(Kind::Other(9), 1)]).collect();
        assert_eq!(letters(&all, 8), "trfpsauo");
        assert_eq!(letters(&all, 3).len(), 3);
        assert_eq!(letters(&[], 8), "");
    }

    #[test]
    fn the_sorted_column_has_room_first() {
        let titles = |width, part, order| {
            let columns = columns(width, part, order);
            columns
                .iter()
                .map(|column| column.title)
                .collect::<Vec<_>>()
        };
        assert_eq!(titles(20, Part::Peer, Order::Segments), ["SEGS"]);
        assert_eq!(titles(20, Part::Peer, Order::Latest), ["LATEST"]);
        assert_eq!(titles(40, Part::Peer, Order::Rto), ["SEGS", "RTO"]);
        assert_eq!(
            titles(80, Part::Peer, Order::Segments),
            [
                "SEGS", "EVENTS", "10s/s", "60s/s", "RATIO", "RTT", "RTO", "CAUSES"
            ]
        );
        assert_eq!(
            titles(80, Part::Connection, Order::Segments),
            ["SEGS", "EVENTS", "10s/s", "RATIO", "RTT", "RTO"]
        );
        assert_eq!(
            titles(140, Part::Connection, Order::Segments).len(),
            COLUMNS.len()
        );
        assert_eq!(titles(0, Part::Connection, Order::Segments), ["SEGS"]);
    }
}
