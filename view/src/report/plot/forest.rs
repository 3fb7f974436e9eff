//! Changes with their intervals, one below the other.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use plotters::style::text_anchor::Pos;
use plotters::style::text_anchor::VPos;

use super::axis::Axis;
use super::*;

/// Height of a change in pixels, and of what is around them.
const HEIGHTS: (u32, u32) = (24, 34);

/// Changes beyond this are cut off.
const MOST: f64 = 3.0;

/// A change, as a share of the value before.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What has changed.
    pub name: &'a str,
    /// The change.
    pub value: f64,
    /// Its interval.
    pub interval: (f64, f64),
    /// Whether there is one.
    pub is_certain: bool,
}

/// Draws the changes.
pub fn plot(words: Words<'_>, changes: &[Change<'_>]) -> Result<Plot, PlotError> {
    let (height, around) = HEIGHTS;
    let height = height * changes.len() as u32 + around;
    draw(words, height, |area| {
        draw_on(area, changes).map_err(PlotError::new)
    })
}

fn draw_on(
    area: &Area<'_>,
    changes: &[Change<'_>],
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let ends = changes.iter().map(|change| change.interval.1.abs());
    let most = ends.fold(0.5, f64::max).min(MOST);
    let step = match most {
        _ if most <= 1.0 => 0.5,
        _ => 1.0,
    };
    let marks = (-2..=6).map(|place| f64::from(place) * step);
    let marks = marks.filter(|mark| (-1.0..=most).contains(mark));
    let marks: Vec<(f64, String)> = marks
        .map(|mark| (mark, format!("{:+.0} %", 100.0 * mark)))
        .collect();
    let (pixels, _) = area.dim_in_pixel();
    let names = if pixels > 600 { 260 } else { 150 };
    let rows = changes.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(6)
        .margin_right(24)
        .x_label_area_size(28)
        .margin_left(names)
        .build_cartesian_2d(
            Axis::new(-1.0..most, marks),
            Axis::new(0.0..rows, Vec::new()),
        )?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .x_label_style(axis_text())
        .draw()?;
    chart.draw_series([PathElement::new([(0.0, 0.0), (0.0, rows)], MUTED)])?;
    let (height, _) = HEIGHTS;
    for (place, change) in changes.iter().enumerate() {
        let y = rows - place as f64 - 0.5;
        let colour = if change.is_certain { INK } else { MUTED };
        let within = |share: f64| share.clamp(-1.0, most);
        let (low, high) = change.interval;
        chart.draw_series([PathElement::new(
            [(within(low), y), (within(high), y)],
            colour,
        )])?;
        let style = ShapeStyle {
            filled: change.is_certain,
            ..colour.filled()
        };
        chart.draw_series([Circle::new((within(change.value), y), 4, style)])?;
        let anchor = Pos::new(HPos::Right, VPos::Center);
        let middle = 6 + (height as i32) * place as i32 + height as i32 / 2;
        let at = (names - 10, middle);
        let name = shortened(change.name, names as usize / 8);
        area.draw(&Text::new(name, at, axis_text().color(&colour).pos(anchor)))?;
    }
    Ok(())
}

/// A name with at most this number of characters.
fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
