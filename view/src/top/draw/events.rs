//! The events of the selected row that are kept.

use std::fmt::Display;
use std::fmt::Write as _;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use retrans_event::SendError;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::key::Connection;
use crate::key::Part;
use crate::palette::look_of;
use crate::top::ring::Kept;
use crate::top::text;
use crate::top::view::View;

/// Titles of the columns, in their widths.
const TITLES: &str =
    "TIME         CAUSE           SEGS  BYTES        SEQ    RTT    RTO CWND OUT LOST STATE";

impl View {
    /// Draws the events of the selected row, the latest at the end.
    pub(super) fn draw_events(&mut self, buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
        let key = self.selected_key(scene);
        let is_of_many = self.part() != Part::Connection;
        let theme = scene.theme;
        let lines: Vec<(String, Style)> = match &key {
            Some(key) => {
                let events = scene.model.events_of(self.grouping, key);
                let style = |kept: &Kept| theme.letter(look_of(kept.event.kind()));
                events
                    .map(|kept| (line(kept, is_of_many), style(kept)))
                    .collect()
            }
            None => Vec::new(),
        };
        let (titles, below) = split_line(area);
        let names = &scene.model.containers;
        let name = key
            .as_ref()
            .map(|key| text::clean(names.key(self.part(), key)));
        let name = name.unwrap_or_default();
        let (title, list) = split_line(below);
        let columns: String = TITLES.chars().skip(self.scroll.columns).collect();
        Pen::new(buffer).put(title, &columns, theme.strong());
        // The title of the list is above the titles of the columns.
        let list = Rect {
            y: list.y.saturating_sub(1),
            height: list.height + 1,
            ..list
        };
        let mut own = Buffer::empty(list);
        self.draw_list(&mut own, list, &format!("events of {name}"), &lines);
        let (own_title, own_rows) = split_line(list);
        copy(buffer, titles, &own, own_title);
        copy(buffer, own_rows, &own, own_rows);
    }
}

fn copy(to: &mut Buffer, target: Rect, from: &Buffer, source: Rect) {
    for (to_position, from_position) in target.positions().zip(source.positions()) {
        to[to_position] = from[from_position].clone();
    }
}

/// An event as a line, in the columns of [`TITLES`]. What is not known is `-`.
fn line(kept: &Kept, with_connection: bool) -> String {
    let event = &kept.event;
    let shown = |value: Option<&dyn Display>| match value {
        Some(value) => value.to_string(),
        None => "-".to_owned(),
    };
    let number = |value: Option<u32>| shown(value.as_ref().map(|value| value as &dyn Display));
    let time = |time| Option::map_or_else(time, || "-".to_owned(), text::time);
    let mut line = format!(
        "{} {:15} {:>4} {:>6} {:>10} {:>6} {:>6} {:>4} {:>3} {:>4} {}",
        text::clock_millis(event.wall_time()),
        look_of(event.kind()).name,
        number(event.segments()),
        number(event.length()),
        number(event.seq()),
        time(event.srtt()),
        time(event.rto()),
        number(event.cwnd()),
        number(event.packets_out()),
        number(event.lost_out()),
        event.state(),
    );
    if let Some(error) = event.error().filter(|error| *error != SendError(0)) {
        let _ = write!(line, "  failed: {error}");
    } else if !event.sent() {
        line.push_str("  not sent");
    }
    if let Some(backoff) = event.backoff().filter(|backoff| *backoff > 0) {
        let _ = write!(line, "  doubled {backoff}x");
    }
    if with_connection {
        let _ = write!(line, "  {}", Connection::of(event));
    }
    if !kept.labels().is_empty() {
        let _ = write!(line, "  {}", kept.labels());
    }
    text::clean(line)
}
