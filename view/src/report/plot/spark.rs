//! Small multiples: one small plot for each key, all over the same time.

use std::time::Duration;

use plotters::prelude::*;

use super::*;
use crate::timeline::Timeline;

/// Size in pixels.
const SIZE: (u32, u32) = (240, 44);

/// Draws segments over time. `most` is the largest number of all plots, whose heights can then be compared.
pub fn plot(
    words: Words<'_>,
    segments: &[(Duration, u64)],
    width: Duration,
    span: (Duration, Duration),
    most: u64,
) -> Result<String, PlotError> {
    svg(words, SIZE, |area| {
        draw_on(area, segments, width, span, most).map_err(PlotError::new)
    })
}

fn draw_on(
    area: &Area<'_>,
    segments: &[(Duration, u64)],
    width: Duration,
    (first, last): (Duration, Duration),
    most: u64,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let width = width.as_secs_f64();
    let (begin, end) = (first.as_secs_f64(), last.as_secs_f64() + width);
    let (pixels, height) = SIZE;
    let mut chart =
        ChartBuilder::on(area).build_cartesian_2d(begin..end, 0.0..most.max(1) as f64)?;
    area.draw(&PathElement::new(
        [(0, height as i32 - 1), (pixels as i32, height as i32 - 1)],
        LINE,
    ))?;
    let shown = segments.iter().filter(|(_, number)| *number > 0);
    chart.draw_series(shown.map(|(from, number)| {
        let from = from.as_secs_f64();
        let to = from + width.max((end - begin) / f64::from(pixels));
        Rectangle::new([(from, 0.0), (to, *number as f64)], ACCENT.filled())
    }))?;
    Ok(())
}

/// The same sums in intervals of a greater length, which is a multiple of theirs.
pub fn in_width(timeline: &Timeline<u64>, width: Duration) -> Vec<(Duration, u64)> {
    let millis = (width.as_millis() as u64).max(1);
    let mut joined: Vec<(Duration, u64)> = Vec::new();
    for (begin, number) in timeline.iter() {
        let begin = Duration::from_millis(begin.as_millis() as u64 / millis * millis);
        match joined.last_mut() {
            Some((last, sum)) if *last == begin => *sum += number,
            _ => joined.push((begin, *number)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_all_plots_have_one_length() {
        let mut timeline: Timeline<u64> = Timeline::new(10);
        for millis in [1_000, 1_040, 1_060] {
            *timeline.at(Duration::from_millis(millis)) += 1;
        }
        assert_eq!(timeline.width(), Duration::from_millis(10));
        let joined = in_width(&timeline, Duration::from_millis(50));
        let expected = [(1_000, 2), (1_050, 1)].map(|(at, sum)| (Duration::from_millis(at), sum));
        assert_eq!(joined, expected);
    }
}
