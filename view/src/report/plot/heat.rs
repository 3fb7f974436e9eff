//! Round-trip times over time, as a heat map.

use std::time::Duration;

use plotters::prelude::*;

use super::axis::Axis;
use super::*;
use crate::report::rtt;
use crate::report::rtt::ByClass;
use crate::report::rtt::CLASSES;
use crate::timeline::Timeline;

/// Height in pixels of a class, and of what is around the map.
const HEIGHTS: (u32, u32) = (11, 44);

/// Least number of classes that are shown.
const MIN_CLASSES: usize = 12;

/// Draws the heat map; `None` without a round-trip time. A cell has this number of classes.
pub fn plot(
    words: Words<'_>,
    times: &Timeline<ByClass>,
    step: usize,
    span: (Duration, Duration),
) -> Result<Option<Plot>, PlotError> {
    let Some((lowest, highest)) = classes(times, step) else {
        return Ok(None);
    };
    let (height, around) = HEIGHTS;
    let height = (highest - lowest + 1) as u32 * height + around;
    let plot = draw(words, height, |area| {
        draw_on(area, times, step, span, (lowest, highest)).map_err(PlotError::new)
    })?;
    Ok(Some(plot))
}

/// The classes to be shown: those with a number, and some around them if they are few.
fn classes(times: &Timeline<ByClass>, step: usize) -> Option<(usize, usize)> {
    let has = |class: usize| times.iter().any(|(_, classes)| classes.0[class] > 0);
    let lowest = (0..CLASSES).find(|class| has(*class))?;
    let highest = (0..CLASSES).rfind(|class| has(*class))? + step - 1;
    let missing = MIN_CLASSES.saturating_sub(highest - lowest + 1);
    let highest = (highest + missing.div_ceil(2)).min(CLASSES - 1);
    Some((lowest.saturating_sub(missing / 2), highest))
}

fn draw_on(
    area: &Area<'_>,
    times: &Timeline<ByClass>,
    step: usize,
    (first, last): (Duration, Duration),
    (lowest, highest): (usize, usize),
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let width = times.width().as_secs_f64();
    let ends = times.ends().unwrap_or((first, last));
    let (begin, end) = (first.min(ends.0), last.max(ends.1));
    let (pixels, _) = area.dim_in_pixel();
    let xs = ticks::times((begin, end), pixels as usize / 100);
    let (begin, end) = (begin.as_secs_f64(), end.as_secs_f64());
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_right(34)
        .x_label_area_size(28)
        .y_label_area_size(60)
        .build_cartesian_2d(
            Axis::new(begin..end, xs),
            Axis::new(
                lowest as f64..(highest + 1) as f64,
                decades(lowest, highest),
            ),
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
    let most = times.iter().flat_map(|(_, classes)| classes.0).max();
    let shade = |number: u64| shade(number, most.unwrap_or(1));
    let cells = times.iter().flat_map(|(from, classes)| {
        let from = from.as_secs_f64();
        let shown = classes
            .0
            .iter()
            .enumerate()
            .filter(|(_, number)| **number > 0);
        let cells: Vec<_> = shown
            .map(|(class, number)| {
                let corners = [(from, class as f64), (from + width, (class + step) as f64)];
                Rectangle::new(corners, ACCENT.mix(shade(*number)).filled())
            })
            .collect();
        cells
    });
    chart.draw_series(cells)?;
    Ok(())
}

/// Opacity of a cell, in steps: by the logarithm of its number.
pub fn shade(number: u64, most: u64) -> f64 {
    let share = (number as f64).ln_1p() / (most.max(1) as f64).ln_1p();
    (0.12 + 0.88 * share)
        .clamp(0.0, 1.0)
        .mul_add(20.0, 0.5)
        .floor()
        / 20.0
}

/// 10 µs, 100 µs and so on, where the axis has them: by class, with fractions.
fn decades(lowest: usize, highest: usize) -> Vec<(f64, String)> {
    let first = rtt::begin(0).as_secs_f64();
    let decades = (1..9).map(|power| {
        let micros = 10_u64.pow(power);
        let class = 2.0 * (micros as f64 * 1e-6 / first).log2();
        (
            class,
            crate::report::text::spaced(&crate::report::text::micros(micros)),
        )
    });
    let range = lowest as f64..=(highest + 1) as f64;
    decades.filter(|(class, _)| range.contains(class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_has_the_classes_with_a_number_and_some_around_them() {
        let mut times: Timeline<ByClass> = Timeline::new(10);
        assert_eq!(classes(&times, 1), None);
        times
            .at(Duration::from_secs(1))
            .add(Duration::from_millis(10));
        let (lowest, highest) = classes(&times, 1).expect("there is one");
        assert_eq!(highest - lowest + 1, MIN_CLASSES);
        assert!(rtt::begin(lowest) < Duration::from_millis(10));
        let texts: Vec<String> = decades(lowest, highest)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(texts, ["10 ms"]);
        assert!(shade(1, 1_000) < shade(30, 1_000) && shade(1_000, 1_000) == 1.0);
    }
}
