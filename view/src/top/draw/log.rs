//! Alerts and lines: the last ones below the table, or all.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::top::messages::Active;
use crate::top::messages::Line;
use crate::top::messages::Messages;
use crate::top::messages::Origin;
use crate::top::text;
use crate::top::theme::Theme;
use crate::top::view::View;

fn title(messages: &Messages) -> String {
    let number = messages.active_count();
    let further = match messages.not_listed() {
        0 => String::new(),
        further => format!(", {further} more fired"),
    };
    format!(
        "alerts: {number} active{further}; log: {} lines",
        messages.lines().len()
    )
}

fn active(active: &Active, theme: Theme) -> (String, Style) {
    let Active {
        severity,
        since,
        text,
    } = active;
    let text = format!("{} since {} {text}", severity.word(), text::clock(*since));
    (text, theme.severity(*severity))
}

fn line(line: &Line, theme: Theme) -> (String, Style) {
    let style = match line.origin {
        Origin::Fired(severity) => theme.severity(severity),
        Origin::Log | Origin::Resolved => Style::new(),
    };
    (line.text.clone(), style)
}

/// Draws active alerts in half of the lines, and the last lines of the log in the others.
pub fn draw_short(buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let (first, below) = split_line(area);
    let messages = &scene.model.messages;
    let mut pen = Pen::new(buffer);
    pen.put(first, &title(messages), scene.theme.strong());
    pen.shade(first, scene.theme.title());
    let height = usize::from(below.height);
    // An alert that fired is above, as long as it is active.
    let lines = messages.lines().rev().filter(|line| match line.origin {
        Origin::Fired(_) => false,
        Origin::Log | Origin::Resolved => true,
    });
    let mut lines: Vec<_> = lines
        .take(height)
        .map(|each| line(each, scene.theme))
        .collect();
    let alerts = messages.active();
    let room = height.saturating_sub(lines.len()).max(height.div_ceil(2));
    let alerts = alerts
        .into_iter()
        .take(room)
        .map(|alert| active(alert, scene.theme));
    let mut shown: Vec<_> = alerts.collect();
    lines.truncate(height - shown.len());
    shown.extend(lines.into_iter().rev());
    draw_lines(buffer, below, &shown, 0);
}

fn draw_lines(buffer: &mut Buffer, area: Rect, lines: &[(String, Style)], columns: usize) {
    let mut pen = Pen::new(buffer);
    for (y, (text, style)) in (area.y..area.bottom()).zip(lines) {
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        let text: String = text.chars().skip(columns).collect();
        pen.put(line, &text, *style);
    }
}

impl View {
    /// Draws all active alerts, and all lines below them. The end is shown first.
    pub(super) fn draw_log(&mut self, buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
        let messages = &scene.model.messages;
        let theme = scene.theme;
        let alerts = messages
            .active()
            .into_iter()
            .map(|alert| active(alert, theme));
        let mut lines: Vec<_> = alerts.collect();
        lines.extend(messages.lines().map(|each| line(each, theme)));
        self.draw_list(buffer, area, &title(messages), &lines);
    }

    /// Draws a title, and lines of which the last are shown first.
    pub(super) fn draw_list(
        &mut self,
        buffer: &mut Buffer,
        area: Rect,
        title: &str,
        lines: &[(String, Style)],
    ) {
        let (first, below) = split_line(area);
        let height = usize::from(below.height);
        let most = lines.len().saturating_sub(height);
        self.scroll.lines = self.scroll.lines.min(most);
        let begin = most - self.scroll.lines;
        let end = (begin + height).min(lines.len());
        let mut pen = Pen::new(buffer);
        let rest = pen.put(first, title, self.theme.strong());
        let place = format!(" {}-{end}/{}", (begin + 1).min(lines.len()), lines.len());
        pen.put_right(rest, &place, Style::new());
        pen.shade(first, self.theme.title());
        draw_lines(buffer, below, &lines[begin..end], self.scroll.columns);
    }
}
