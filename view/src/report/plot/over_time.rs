//! Retransmits over time, stacked by cause.

use std::time::Duration;

use plotters::prelude::*;

use super::axis::Axis;
use super::*;
use crate::palette::LOOKS;
use crate::sums::ByKind;
use crate::timeline::Timeline;

/// Height in pixels.
const HEIGHT: u32 = 260;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct OverTime<'a> {
    /// Segments by cause.
    pub segments: &'a Timeline<ByKind>,
    /// Events that were lost.
    pub lost: &'a Timeline<u64>,
    /// Times that were not recorded.
    pub gaps: &'a [(Duration, Duration)],
    /// Times of alerts.
    pub alerts: &'a [Duration],
    /// The first and the last time.
    pub span: (Duration, Duration),
}

/// Draws the plot.
pub fn plot(words: Words<'_>, shown: OverTime<'_>) -> Result<Plot, PlotError> {
    draw(words, HEIGHT, |area| {
        draw_on(area, shown).map_err(PlotError::new)
    })
}

fn draw_on(
    area: &Area<'_>,
    shown: OverTime<'_>,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let (first, last) = shown.span;
    let ends = shown.segments.ends().unwrap_or(shown.span);
    let (begin, end) = (first.min(ends.0), last.max(ends.1));
    let most = shown.segments.iter().map(|(_, kinds)| kinds.total()).max();
    let ys = ticks::numbers(most.unwrap_or(0) as f64, 4);
    let top = ys[ys.len() - 1];
    let (pixels, _) = area.dim_in_pixel();
    let xs = ticks::times((begin, end), pixels as usize / 100);
    let (begin, end) = (begin.as_secs_f64(), end.as_secs_f64());
    let mut chart = ChartBuilder::on(area)
        .margin_top(14)
        .margin_right(34)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(
            Axis::new(begin..end, xs),
            Axis::new(
                0.0..top,
                ys.into_iter().map(|y| (y, ticks::short(y))).collect(),
            ),
        )?;
    for (from, to) in shown.gaps {
        let corners = [(from.as_secs_f64(), 0.0), (to.as_secs_f64(), top)];
        chart.draw_series([Rectangle::new(corners, VOID.filled())])?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .x_label_style(axis_text())
        .y_label_style(axis_text())
        .draw()?;
    for layer in layers(shown.segments) {
        let shape = Polygon::new(layer.corners, colour_of(layer.look).filled());
        chart.draw_series([shape])?;
    }
    let lost_width = shown.lost.width().as_secs_f64();
    let lost = shown.lost.iter().filter(|(_, lost)| **lost > 0);
    chart.draw_series(lost.map(|(from, _)| {
        let from = from.as_secs_f64();
        // At least 2 px wide.
        let to = (from + lost_width).max(from + (end - begin) / f64::from(pixels) * 2.0);
        Rectangle::new([(from, top), (to.min(end), top * 0.96)], INK.filled())
    }))?;
    let alerts = shown.alerts.iter().map(Duration::as_secs_f64);
    let alerts = alerts.filter(|time| (begin..=end).contains(time));
    chart.draw_series(alerts.map(|time| TriangleMarker::new((time, top), -5, INK.filled())))?;
    Ok(())
}

/// A layer of the stack: a run of intervals in which a cause has segments.
struct Layer {
    look: &'static palette::Look,
    corners: Vec<(f64, f64)>,
}

/// The layers, those of a cause after one another.
fn layers(segments: &Timeline<ByKind>) -> Vec<Layer> {
    let width = segments.width().as_secs_f64();
    let intervals: Vec<(f64, &ByKind)> = segments
        .iter()
        .map(|(begin, kinds)| (begin.as_secs_f64(), kinds))
        .collect();
    let mut bases = vec![0.0; intervals.len()];
    let mut layers = Vec::new();
    for look in &LOOKS {
        // The upper edge from left to right, then the lower edge back.
        let mut upper: Vec<(f64, f64)> = Vec::new();
        let mut lower: Vec<(f64, f64)> = Vec::new();
        let mut close = |upper: &mut Vec<(f64, f64)>, lower: &mut Vec<(f64, f64)>| {
            if !upper.is_empty() {
                upper.extend(lower.drain(..).rev());
                layers.push(Layer {
                    look,
                    corners: std::mem::take(upper),
                });
            }
        };
        for ((begin, kinds), base) in intervals.iter().zip(&mut bases) {
            let number = number_of(kinds, look) as f64;
            if number == 0.0 {
                close(&mut upper, &mut lower);
                continue;
            }
            lower.extend([(*begin, *base), (begin + width, *base)]);
            *base += number;
            upper.extend([(*begin, *base), (begin + width, *base)]);
        }
        close(&mut upper, &mut lower);
    }
    layers
}

/// The number of a cause; of all that this version does not know, if the look is theirs.
pub fn number_of(kinds: &ByKind, look: &palette::Look) -> u64 {
    let number = kinds.iter().find(|(kind, _)| *kind == look.kind);
    number.map_or(0, |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;

    use super::*;

    #[test]
    fn layers_are_stacked_and_end_where_nothing_is() {
        let mut segments: Timeline<ByKind> = Timeline::with_width(9, Duration::from_secs(1));
        segments.at(Duration::from_secs(1)).add(Kind::Timeout, 3);
        segments.at(Duration::from_secs(1)).add(Kind::Fast, 2);
        segments.at(Duration::from_secs(3)).add(Kind::Fast, 1);
        let layers = layers(&segments);
        let shown: Vec<_> = layers
            .iter()
            .map(|layer| (layer.look.name, layer.corners.as_slice()))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "timeout",
                    [(1.0, 3.0), (2.0, 3.0), (2.0, 0.0), (1.0, 0.0)].as_slice()
                ),
                ("fast", &[(1.0, 5.0), (2.0, 5.0), (2.0, 3.0), (1.0, 3.0)]),
                ("fast", &[(3.0, 1.0), (4.0, 1.0), (4.0, 0.0), (3.0, 0.0)]),
            ]
        );
    }
}
