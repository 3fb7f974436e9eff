//! The selected row: its round-trip times beside its retransmission timeouts.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use retrans_event::Event;
use retrans_event::Kind;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::containers::ContainerNames;
use crate::key;
use crate::key::Part;
use crate::palette::look_of;
use crate::top::text;
use crate::top::theme::Theme;
use crate::top::view::View;

/// Levels of a line of values.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_LEVELS: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// Width of the names and of the latest values.
const LABEL: u16 = 12;

/// Height from which on values are plotted over time.
const PLOT: u16 = 6;

/// The values of an event.
#[derive(Clone, Copy)]
struct Point {
    time: Duration,
    rtt: Option<f64>,
    rto: Option<f64>,
}

impl Point {
    fn of(event: &Event) -> Point {
        let micros = |time: Duration| time.as_micros().max(1) as f64;
        Point {
            time: event.wall_time(),
            rtt: event.srtt().map(micros),
            rto: event.rto().map(micros),
        }
    }
}

/// The logarithmic scale of all values.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(points: &[Point]) -> Option<Scale> {
        let values = points.iter().flat_map(|point| [point.rtt, point.rto]);
        let values: Vec<f64> = values.flatten().collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        Some(Scale { low, high })
    }

    /// The level of a value, from 0 to `levels - 1`.
    fn level(self, value: f64, levels: usize) -> usize {
        let span = (self.high / self.low).ln();
        let share = if span > 0.0 {
            (value / self.low).ln() / span
        } else {
            0.0
        };
        (share * (levels - 1) as f64).round() as usize
    }
}

impl View {
    /// Draws a line about the selected row, and its times.
    pub(super) fn draw_detail(&self, buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
        let theme = scene.theme;
        let (title, below) = split_line(area);
        let key = self.selected_key(scene);
        let events: Vec<&Event> = match &key {
            Some(key) => {
                let events = scene.model.events_of(self.grouping, key);
                events.map(|kept| &*kept.event).collect()
            }
            None => Vec::new(),
        };
        let text = match (&key, events.last()) {
            (Some(key), Some(latest)) => about(&scene.model.containers, self.part(), key, latest),
            (Some(key), None) => format!("{}: its events are not kept any more", text::clean(key)),
            (None, _) => String::new(),
        };
        let mut pen = Pen::new(buffer);
        pen.put(title, &text, theme.strong());
        pen.shade(title, theme.title());
        let Some(latest) = events.last() else { return };
        let points: Vec<_> = events.iter().map(|event| Point::of(event)).collect();
        if area.height < PLOT {
            let (first, second) = split_line(below);
            draw_line(buffer, first, theme, &points, Line::Rtt, &rtt_words(latest));
            draw_line(
                buffer,
                second,
                theme,
                &points,
                Line::Rto,
                &rto_words(latest),
            );
            return;
        }
        let (words, plot) = split_line(below);
        let words_of_both = format!(
            "o RTT {}  {}  x RTO {}  {}",
            latest_value(&points, Line::Rtt),
            rtt_words(latest),
            latest_value(&points, Line::Rto),
            rto_words(latest)
        );
        pen.put(words, &words_of_both, Style::new());
        draw_plot(buffer, plot, theme, &points);
    }
}

/// The key, and whose it is.
fn about(names: &ContainerNames, part: Part, key: &key::Key, latest: &Event) -> String {
    let mut text = text::clean(names.key(part, key));
    if part != Part::Connection {
        text.push_str("  latest:");
    }
    if let Some(process) = key::process(latest).filter(|_| part != Part::Process) {
        text = format!("{text}  {}[{}]", text::clean(process.comm), process.pid);
    }
    if let Some(container) = key::process(latest).and_then(|process| process.container)
        && part != Part::Container
    {
        text = format!(
            "{text}  container {}",
            text::clean(names.name_and_id(container))
        );
    }
    text
}

fn rtt_words(event: &Event) -> String {
    let time = |name: &str, time: Option<Duration>| {
        time.map(|time| format!("{name} {}  ", text::time(time)))
            .unwrap_or_default()
    };
    let text = time("min", event.min_rtt()) + &time("var", event.rttvar());
    text.trim_end().to_owned()
}

fn rto_words(event: &Event) -> String {
    let mut words = Vec::new();
    if let (Some(rtt), Some(rto)) = (event.srtt(), event.rto())
        && !rtt.is_zero()
    {
        words.push(format!("{:.1} RTT", rto.as_secs_f64() / rtt.as_secs_f64()));
    }
    if let Some(backoff) = event.backoff().filter(|backoff| *backoff > 0) {
        words.push(format!("doubled {backoff}x"));
    }
    if let Some(window) = event.cwnd() {
        words.push(format!("cwnd {window}"));
    }
    if let (Some(lost), Some(out)) = (event.lost_out(), event.packets_out()) {
        words.push(format!("lost {lost}/{out}"));
    }
    words.join("  ")
}

/// Which of the two times.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Rtt,
    Rto,
}

impl Line {
    fn of(self, point: &Point) -> Option<f64> {
        match self {
            Line::Rtt => point.rtt,
            Line::Rto => point.rto,
        }
    }

    fn style(self, theme: Theme) -> Style {
        theme.letter(look_of(match self {
            Line::Rtt => Kind::Fast,
            Line::Rto => Kind::LossRecovery,
        }))
    }
}

fn latest_value(points: &[Point], line: Line) -> String {
    let latest = points.iter().rev().find_map(|point| line.of(point));
    latest.map_or_else(|| "-".to_owned(), micros)
}

fn micros(value: f64) -> String {
    text::time(Duration::from_micros(value as u64))
}

/// Draws the name and the latest value, the values of the last events, and words.
fn draw_line(
    buffer: &mut Buffer,
    area: Rect,
    theme: Theme,
    points: &[Point],
    line: Line,
    words: &str,
) {
    let name = if line == Line::Rtt { "RTT" } else { "RTO" };
    let mut pen = Pen::new(buffer);
    let label = format!("{name} {:>7} ", latest_value(points, line));
    pen.put(area, &label, theme.strong());
    let values: Vec<f64> = points.iter().filter_map(|point| line.of(point)).collect();
    let least = values.iter().copied().reduce(f64::min);
    let most = values.iter().copied().reduce(f64::max);
    let range = match least.zip(most) {
        Some((least, most)) if least < most => format!("{}-{}  ", micros(least), micros(most)),
        _ => String::new(),
    };
    let words = format!("  {range}{words}");
    let width = area.width.saturating_sub(LABEL);
    // At least a third of the line is for values.
    let words = text::cut(&words, usize::from(width - width / 3));
    let rest = Rect {
        x: area.x + LABEL.min(area.width),
        width,
        ..area
    };
    pen.put_right(rest, &words, Style::new());
    let cells = usize::from(width).saturating_sub(text::width(&words));
    let Some(scale) = Scale::of(points) else {
        return;
    };
    let levels = if theme.has_unicode {
        LEVELS
    } else {
        ASCII_LEVELS
    };
    let first = values.len().saturating_sub(cells);
    for (x, value) in (rest.x..).zip(&values[first..]) {
        let level = scale.level(*value, levels.len());
        pen.cell(
            x,
            rest.y,
            levels[level.min(levels.len() - 1)],
            line.style(theme),
        );
    }
}

/// Draws all values over time.
fn draw_plot(buffer: &mut Buffer, area: Rect, theme: Theme, points: &[Point]) {
    const SCALE: u16 = 7;
    let Some(scale) = Scale::of(points) else {
        return;
    };
    let plot = Rect {
        x: area.x + SCALE + 1,
        width: area.width.saturating_sub(SCALE + 1),
        ..area
    };
    if plot.is_empty() {
        return;
    }
    let mut pen = Pen::new(buffer);
    let label = Rect {
        width: SCALE,
        height: 1,
        ..area
    };
    pen.put_right(label, &micros(scale.high), Style::new());
    if area.height > 1 && scale.low < scale.high {
        let bottom = Rect {
            y: area.bottom() - 1,
            ..label
        };
        pen.put_right(bottom, &micros(scale.low), Style::new());
    }
    for y in area.top()..area.bottom() {
        pen.cell(area.x + SCALE, y, '│', Style::new());
    }
    let (first, last) = (points[0].time, points[points.len() - 1].time);
    let span = last.saturating_sub(first).as_secs_f64();
    for line in [Line::Rto, Line::Rtt] {
        for point in points {
            let Some(value) = line.of(point) else {
                continue;
            };
            let share = point.time.saturating_sub(first).as_secs_f64() / span.max(1e-9);
            let x = plot.x + (share.min(1.0) * f64::from(plot.width - 1)).round() as u16;
            let level = scale.level(value, plot.height.into()) as u16;
            let y = plot.bottom().saturating_sub(1 + level).max(plot.y);
            let is_taken = buffer[(x, y)].symbol() == "x";
            let char = match line {
                Line::Rto => 'x',
                Line::Rtt if is_taken => '*',
                Line::Rtt => 'o',
            };
            Pen::new(buffer).cell(x, y, char, line.style(theme));
        }
    }
}
