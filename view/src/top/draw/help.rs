//! The keys and the columns, explained.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::pen::Pen;
use super::split_line;
use crate::palette::LOOKS;
use crate::top::keys::HELP;
use crate::top::tables::GROUPINGS;
use crate::top::view::View;

/// What the columns show.
const COLUMNS: [(&str, &str); 9] = [
    ("SEGS", "segments sent again, as RetransSegs counts them"),
    ("EVENTS", "retransmits: each covers one or more segments"),
    (
        "10s/s",
        "segments a second over the last 10 seconds; 60s/s: minute",
    ),
    (
        "RATIO",
        "share sent again: of a peer by census, of a connection by itself",
    ),
    (
        "RTT RTO",
        "round-trip time and retransmission timeout, latest event",
    ),
    (
        "CAUSES",
        "a letter for each eighth of the segments, see below",
    ),
    ("FAILED", "attempts that failed within this host"),
    ("LATEST", "time of day of the latest event, UTC"),
    (
        "others",
        "segments of rows that made room: those without events longest",
    ),
];

impl View {
    /// Draws the help.
    pub(super) fn draw_help(&mut self, buffer: &mut Buffer, area: Rect) {
        let (title, below) = split_line(area);
        let mut pen = Pen::new(buffer);
        pen.put(title, "help", self.theme.strong());
        pen.shade(title, self.theme.title());
        let plain = Style::new();
        let mut lines: Vec<(String, &str, Style)> = Vec::new();
        for help in HELP {
            lines.push((help.keys.to_owned(), help.text, plain));
        }
        let groups = (1..).zip(GROUPINGS.iter().take(9));
        let groups: Vec<String> = groups
            .map(|(number, part)| format!("{number} {part}"))
            .collect();
        lines.push(("groups".to_owned(), "", plain));
        for (column, text) in COLUMNS {
            lines.push((column.to_owned(), text, plain));
        }
        for look in &LOOKS {
            lines.push((look.letter.to_string(), look.name, self.theme.letter(look)));
        }
        let most = lines.len().saturating_sub(below.height.into());
        self.scroll.lines = self.scroll.lines.min(most);
        let groups = groups.join(", ");
        for (y, (keys, text, style)) in
            (below.y..below.bottom()).zip(lines.iter().skip(self.scroll.lines))
        {
            let line = Rect {
                y,
                height: 1,
                ..below
            };
            let text = if keys == "groups" {
                groups.as_str()
            } else {
                text
            };
            let rest = pen.put(
                line,
                &format!("{keys:>8}  "),
                self.theme.strong().patch(*style),
            );
            pen.put(rest, text, plain);
        }
    }
}
