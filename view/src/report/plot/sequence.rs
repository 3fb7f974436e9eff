//! The events of a connection: sequence numbers against time, as tcptrace draws them, but of retransmitted segments
//! only.

use std::collections::HashSet;

use plotters::prelude::*;

use super::axis::Axis;
use super::*;
use crate::palette::look_of;
use crate::report::points::Point;
use crate::report::text;

/// Height in pixels.
const HEIGHT: u32 = 230;

/// A segment is drawn with at least this height in pixels.
const MIN_HEIGHT: f64 = 3.0;

/// Sequence numbers since the first byte that was not acknowledged at the first event, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    seconds: f64,
    seq: (f64, f64),
    unacknowledged: Option<f64>,
    next: Option<f64>,
    point: Point,
}

/// Draws the events; `None` without one.
pub fn plot(words: Words<'_>, points: &[Point]) -> Result<Option<Plot>, PlotError> {
    let places = places(points);
    if places.is_empty() {
        return Ok(None);
    }
    let plot = draw(words, HEIGHT, |area| {
        draw_on(area, &places).map_err(PlotError::new)
    })?;
    Ok(Some(plot))
}

/// The places of the points in the order of time. Sequence numbers wrap around at 2^32, and places do not.
fn places(points: &[Point]) -> Vec<Place> {
    let mut sorted = points.to_vec();
    sorted.sort_by_key(|point| point.time);
    let Some(first) = sorted.first() else {
        return Vec::new();
    };
    let begin = first.time;
    // The number from which distances are measured, and its own distance from the first one.
    let (mut base, mut offset) = (first.unacknowledged.unwrap_or(first.seq.0), 0_i64);
    let mut places: Vec<Place> = Vec::with_capacity(sorted.len());
    for point in sorted {
        let near = point.unacknowledged.unwrap_or(point.seq.0);
        offset += distance(base, near);
        base = near;
        let place = |seq: u32| (offset + distance(base, seq)) as f64;
        places.push(Place {
            seconds: (point.time - begin) as f64 / 1e9,
            seq: (place(point.seq.0), place(point.seq.1)),
            unacknowledged: point.unacknowledged.map(place),
            next: point.next.map(place),
            point,
        });
    }
    places
}

/// The distance between two sequence numbers, of which the nearer way around counts.
fn distance(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from) as i32)
}

fn draw_on(area: &Area<'_>, places: &[Place]) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let values = places.iter().flat_map(|place| {
        let lines = [place.unacknowledged, place.next].into_iter().flatten();
        lines.chain([place.seq.0, place.seq.1])
    });
    let lowest = values.clone().fold(f64::INFINITY, f64::min);
    let highest = values.fold(f64::NEG_INFINITY, f64::max).max(lowest + 1.0);
    let last = places[places.len() - 1].seconds;
    // A connection with a single event is shown in the middle.
    let (begin, end) = match last {
        0.0 => (-0.5, 0.5),
        last => (-0.02 * last, 1.02 * last),
    };
    let (pixels, _) = area.dim_in_pixel();
    let xs = match last {
        0.0 => vec![(0.0, "0 s".to_owned())],
        last => ticks::seconds(last, pixels as usize / 110),
    };
    let ys = ticks::numbers(highest - lowest, 4);
    let top = lowest + ys[ys.len() - 1];
    let ys = ys
        .into_iter()
        .map(|y| (lowest + y, text::spaced(&text::bytes(y.round() as u64))));
    let ys: Vec<(f64, String)> = ys.collect();
    let margin = (top - lowest) * 0.03;
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(60)
        .build_cartesian_2d(
            Axis::new(begin..end, xs),
            Axis::new(lowest - margin..top + margin, ys),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .x_label_style(axis_text())
        .y_label_style(axis_text())
        .draw()?;
    for line in [
        steps(places, |place| place.next),
        steps(places, |place| place.unacknowledged),
    ] {
        chart.draw_series([PathElement::new(line, MUTED)])?;
    }
    let pixel = (
        (end - begin) / f64::from(pixels - 84),
        (top - lowest) / f64::from(HEIGHT - 44),
    );
    let least = pixel.1 * MIN_HEIGHT;
    // Of segments at the same place of the plot one is drawn.
    let mut drawn = HashSet::new();
    let mut is_first = |place: &&Place| {
        let at = |value: f64, pixel: f64| (value / pixel) as i64;
        let (from, to) = place.seq;
        let (from, to) = (at(from, pixel.1), at(to, pixel.1));
        let Point { kind, sent, .. } = place.point;
        drawn.insert((at(place.seconds, pixel.0), from, to, kind, sent))
    };
    let shown: Vec<&Place> = places.iter().filter(|place| is_first(place)).collect();
    chart.draw_series(shown.into_iter().map(|place| {
        let (from, to) = place.seq;
        let half = (least - (to - from)).max(0.0) / 2.0;
        let style = colour_of(look_of(place.point.kind));
        // An attempt that failed is hollow.
        let style = ShapeStyle {
            filled: place.point.sent,
            ..style.filled()
        };
        let half_width = pixel.0 * 2.0;
        let corners = [
            (place.seconds - half_width, from - half),
            (place.seconds + half_width, to + half),
        ];
        Rectangle::new(corners, style)
    }))?;
    Ok(())
}

/// A line in steps through the values that are known.
fn steps(places: &[Place], value: impl Fn(&Place) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for place in places {
        let Some(y) = value(place) else {
            continue;
        };
        if let Some((_, before)) = line.last().copied().filter(|(_, before)| *before != y) {
            line.push((place.seconds, before));
        }
        line.push((place.seconds, y));
    }
    line
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;

    use super::*;

    fn point(seconds: u64, seq: u32, unacknowledged: u32) -> Point {
        Point {
            time: seconds * 1_000_000_000,
            seq: (seq, seq.wrapping_add(1_000)),
            unacknowledged: Some(unacknowledged),
            next: Some(unacknowledged.wrapping_add(5_000)),
            kind: Kind::Fast,
            sent: true,
        }
    }

    #[test]
    fn sequence_numbers_may_wrap_around() {
        let begin = u32::MAX - 1_500;
        let far = begin.wrapping_add(3_000_000_000);
        let points = [
            point(7, far.wrapping_add(1_000), far),
            point(5, begin, begin),
            point(
                6,
                begin.wrapping_add(1_000_000_000),
                begin.wrapping_add(1_500_000_000),
            ),
        ];
        let places = places(&points);
        let shown: Vec<_> = places
            .iter()
            .map(|place| (place.seconds, place.seq.0))
            .collect();
        assert_eq!(
            shown,
            [(0.0, 0.0), (1.0, 1_000_000_000.0), (2.0, 3_000_001_000.0)]
        );
        assert_eq!(places[2].next, Some(3_000_005_000.0));
        let line = steps(&places, |place| place.unacknowledged);
        assert_eq!(line[..3], [(0.0, 0.0), (1.0, 0.0), (1.0, 1_500_000_000.0)]);
    }
}
