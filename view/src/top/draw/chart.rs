//! The chart: segments a second over time, stacked by cause.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;
use ratatui_core::style::Style;
use retrans_event::Kind;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::palette::LOOKS;
use crate::palette::Look;
use crate::sums::ByKind;
use crate::top::text;
use crate::top::theme::Colours;
use crate::top::theme::Theme;
use crate::top::view::STEPS;

/// Width of the scale at the left.
const SCALE: u16 = 6;

/// A cell that is filled from below in eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the legend in the first line, and the bars below it.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: Scene<'_>, step: usize) {
    let (legend, below) = split_line(area);
    let bars = Rect {
        x: below.x + SCALE + 1,
        width: below.width.saturating_sub(SCALE + 1),
        ..below
    };
    let step = STEPS[step.min(STEPS.len() - 1)];
    let chart = &scene.model.shown().chart;
    let intervals = chart.intervals(scene.model.now, step, bars.width.into());
    draw_legend(buffer, legend, scene, step, &intervals);
    if bars.is_empty() {
        return;
    }
    let most = intervals.iter().map(ByKind::total).max().unwrap_or(0);
    let top = round_up(most as f64 / step as f64);
    draw_scale(buffer, below, top);
    for (column, interval) in (bars.x..).zip(&intervals) {
        let column = Rect {
            x: column,
            width: 1,
            ..bars
        };
        draw_bar(buffer, column, interval, top * step as f64, scene.theme);
    }
}

/// The next number of 1, 2 or 5 times a power of ten.
fn round_up(rate: f64) -> f64 {
    if rate <= 1.0 {
        return 1.0;
    }
    let power = 10f64.powf(rate.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= rate).unwrap_or(rate)
}

fn draw_legend(buffer: &mut Buffer, area: Rect, scene: Scene<'_>, step: u64, intervals: &[ByKind]) {
    let theme = scene.theme;
    let mut pen = Pen::new(buffer);
    let mut sum = ByKind::default();
    intervals.iter().for_each(|interval| sum += *interval);
    let there: Vec<_> = LOOKS.iter().filter(|look| number(&sum, look) > 0).collect();
    let column = match step {
        1 => String::new(),
        step => format!(", {step}s a column"),
    };
    let long = format!(
        "segments/s, last {}s{column}",
        step * intervals.len() as u64
    );
    let short = "segments/s".to_owned();
    // A letter and spaces beside each name. Where the names do not fit, there are letters alone.
    let names: usize = there.iter().map(|look| 3 + look.name.len()).sum();
    let fits = |title: &str| title.len() + 1 + names <= area.width.into();
    let (title, has_names) = match (fits(&long), fits(&short)) {
        (true, _) => (long, true),
        (false, true) => (short, true),
        (false, false) if area.width < 40 => (short, false),
        (false, false) => (long, false),
    };
    let mut rest = pen.put(area, &title, Style::new());
    for look in there {
        let letter = match theme.cause(look) {
            Some(colour) => Style::new().fg(colour).add_modifier(Modifier::REVERSED),
            None => theme.strong(),
        };
        rest = pen.put(rest, " ", Style::new());
        rest = pen.put(rest, &look.letter.to_string(), letter);
        if has_names {
            rest = pen.put(rest, &format!(" {}", look.name), Style::new());
        }
    }
}

fn draw_scale(buffer: &mut Buffer, area: Rect, top: f64) {
    let mut pen = Pen::new(buffer);
    for line in 0..area.height {
        let value = top * f64::from(area.height - line) / f64::from(area.height);
        let is_labelled = line == 0 || area.height >= 6 && line == area.height / 2;
        let cell = Rect {
            y: area.y + line,
            height: 1,
            ..area
        };
        if is_labelled {
            let label = Rect {
                width: SCALE,
                ..cell
            };
            pen.put_right(label, &text::rate(value), Style::new());
        }
        pen.cell(area.x + SCALE, cell.y, '│', Style::new());
    }
}

fn number(sums: &ByKind, look: &Look) -> u64 {
    sums.get(look.kind.unwrap_or(Kind::Other(u8::MAX)))
}

/// Draws the bar of an interval. `full` is the number of segments that fills it.
fn draw_bar(buffer: &mut Buffer, area: Rect, interval: &ByKind, full: f64, theme: Theme) {
    let total = interval.total();
    if total == 0 {
        return;
    }
    // Heights in eighths of a cell; something is always shown.
    let all = f64::from(area.height) * 8.0;
    let height = (total as f64 / full * all).round().clamp(1.0, all);
    let mut ends = Vec::with_capacity(LOOKS.len());
    let mut sum = 0;
    for look in &LOOKS {
        sum += number(interval, look);
        ends.push((sum as f64 / total as f64 * height).round() as u16);
    }
    let mut pen = Pen::new(buffer);
    for line in 0..area.height {
        let bottom = line * 8;
        // What each cause has of this cell.
        let mut begin = 0;
        let mut shares: Vec<(&Look, u16)> = Vec::new();
        for (look, end) in LOOKS.iter().zip(&ends) {
            let share = (*end).clamp(bottom, bottom + 8) - begin.clamp(bottom, bottom + 8);
            if share > 0 {
                shares.push((look, share));
            }
            begin = *end;
        }
        let y = area.bottom() - 1 - line;
        let filled: u16 = shares.iter().map(|(_, share)| share).sum();
        if filled == 0 {
            break;
        }
        if theme.colours == Colours::None || !theme.has_unicode {
            // A letter stands for at least half of a cell, and for the first one in any case.
            if filled >= 4 || line == 0 {
                let most = shares.iter().rev().max_by_key(|(_, share)| *share);
                let look = most.map_or(&LOOKS[0], |(look, _)| look);
                pen.cell(area.x, y, look.letter, theme.letter(look));
            }
            continue;
        }
        let (char, style) = cell(&mut shares, filled, theme);
        pen.cell(area.x, y, char, style);
    }
}

/// A cell of two causes at most, those with the largest shares: the lower one is drawn, the upper one is the
/// background.
fn cell(shares: &mut Vec<(&Look, u16)>, filled: u16, theme: Theme) -> (char, Style) {
    while shares.len() > 2 {
        let least = shares
            .iter()
            .enumerate()
            .min_by_key(|(_, (_, share))| *share);
        let place = least.map_or(0, |(place, _)| place);
        let (_, share) = shares.remove(place);
        // What it had belongs to the one below it.
        shares[place.saturating_sub(1)].1 += share;
    }
    let style = theme.letter(shares[0].0);
    match shares[..] {
        [(_, lower), (upper, _)] if filled == 8 => {
            let style = theme.cause(upper).map_or(style, |colour| style.bg(colour));
            (EIGHTHS[usize::from(lower.min(8))], style)
        }
        // The top of a bar: the larger share is shown.
        [(lower, first), (upper, second)] => {
            let look = if second > first { upper } else { lower };
            (EIGHTHS[usize::from(filled)], theme.letter(look))
        }
        _ => (EIGHTHS[usize::from(filled.min(8))], style),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(kinds: &[(Kind, u64)], full: f64, height: u16, colours: Colours) -> Vec<String> {
        let area = Rect::new(0, 0, 1, height);
        let mut buffer = Buffer::empty(area);
        let mut interval = ByKind::default();
        kinds
            .iter()
            .for_each(|(kind, number)| interval.add(*kind, *number));
        let theme = Theme {
            colours,
            has_unicode: true,
        };
        draw_bar(&mut buffer, area, &interval, full, theme);
        let cells = buffer.content.iter().rev();
        cells.map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn without_colours_letters_are_stacked() {
        let bar = |kinds: &[_], full| bar(kinds, full, 4, Colours::None).concat();
        assert_eq!(bar(&[(Kind::Timeout, 2), (Kind::Fast, 2)], 4.0), "ttff");
        assert_eq!(bar(&[(Kind::Timeout, 1), (Kind::Fast, 2)], 4.0), "tff ");
        assert_eq!(bar(&[(Kind::Fast, 1)], 1_000.0), "f   ");
        assert_eq!(bar(&[(Kind::Fast, 3), (Kind::SynAck, 5)], 16.0), "fa  ");
        assert_eq!(bar(&[(Kind::Other(99), 9)], 9.0), "oooo");
        assert_eq!(bar(&[], 9.0), "    ");
    }

    #[test]
    fn with_colours_cells_are_filled_in_eighths() {
        let bar = |kinds: &[_], full| bar(kinds, full, 2, Colours::Basic).concat();
        assert_eq!(bar(&[(Kind::Fast, 1)], 16.0), "▁ ");
        assert_eq!(bar(&[(Kind::Fast, 12)], 16.0), "█▄");
        assert_eq!(bar(&[(Kind::Timeout, 3), (Kind::Fast, 13)], 16.0), "▃█");
        let all = [
            (Kind::Timeout, 2),
            (Kind::LossRecovery, 1),
            (Kind::Fast, 4),
            (Kind::Syn, 1),
            (Kind::SynAck, 3),
        ];
        assert_eq!(bar(&all, 16.0), "▃▃");
    }

    #[test]
    fn the_scale_ends_with_a_round_number() {
        for (rate, expected) in [
            (0.0, 1.0),
            (0.3, 1.0),
            (1.5, 2.0),
            (2.1, 5.0),
            (5.0, 5.0),
            (51.0, 100.0),
            (100.0, 100.0),
            (1_234.0, 2_000.0),
        ] {
            assert_eq!(round_up(rate), expected, "{rate}");
        }
    }
}
