//! Plots as SVG. They are drawn in the colours of a light page; the style sheet replaces each by its colour on a dark
//! one.

mod axis;
pub mod forest;
pub mod heat;
pub mod over_time;
pub mod sequence;
pub mod spark;
pub mod ticks;

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::palette;

/// Colour of text.
pub const INK: RGBColor = RGBColor(0x1d, 0x23, 0x29);

/// Colour of the text of axes.
pub const MUTED: RGBColor = RGBColor(0x5a, 0x64, 0x6e);

/// Colour of lines of the grid.
pub const LINE: RGBColor = RGBColor(0xdd, 0xe1, 0xe5);

/// Colour of what has no cause of its own.
pub const ACCENT: RGBColor = RGBColor(0x2f, 0x5d, 0x8a);

/// Colour of times that were not recorded.
pub const VOID: RGBColor = RGBColor(0xec, 0xee, 0xf1);

/// A plot could not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot draw a plot: {0}")]
pub struct PlotError(String);

impl PlotError {
    /// An error of the library.
    pub fn new(error: impl Display) -> PlotError {
        PlotError(error.to_string())
    }
}

/// What is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A plot in two widths: for a screen or paper, and for a telephone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plot {
    /// For at least 700 px.
    pub wide: String,
    /// For less.
    pub narrow: String,
}

/// What a plot is called.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// A name that no other plot of the page has.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it shows, for those who do not see it.
    pub description: &'a str,
}

/// Width of the two forms of a plot in pixels.
pub const WIDTHS: [u32; 2] = [960, 370];

/// Draws a plot in two widths.
pub fn draw(
    words: Words<'_>,
    height: u32,
    mut drawn: impl FnMut(&Area<'_>) -> Result<(), PlotError>,
) -> Result<Plot, PlotError> {
    let [wide, narrow] = WIDTHS;
    let narrow_id = format!("{}-n", words.id);
    Ok(Plot {
        wide: svg(words, (wide, height), &mut drawn)?,
        narrow: svg(
            Words {
                id: &narrow_id,
                ..words
            },
            (narrow, height),
            &mut drawn,
        )?,
    })
}

/// Draws a plot.
pub fn svg(
    words: Words<'_>,
    size: (u32, u32),
    drawn: impl FnOnce(&Area<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut drawing = String::new();
    {
        let area = SVGBackend::with_string(&mut drawing, size).into_drawing_area();
        drawn(&area)?;
        area.present().map_err(PlotError::new)?;
    }
    Ok(described(&drawing, words, size))
}

/// Replaces the outer element: by one that scales, and that has a title and a description. Attributes that have their
/// default value go.
fn described(drawing: &str, words: Words<'_>, (width, height): (u32, u32)) -> String {
    let inner = drawing.split_once(">\n").map_or("", |(_, inner)| inner);
    let inner = inner.trim_end().trim_end_matches("</svg>");
    let inner = inner
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" stroke-width=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace("\n</text>", "</text>")
        .replace(" \"/>", "\"/>");
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let Words {
        id,
        title,
        description,
    } = words;
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>\n{inner}</svg>",
        escape(title),
        escape(description),
    )
}

/// The colour of a cause.
pub fn colour_of(look: &palette::Look) -> RGBColor {
    let [red, green, blue] = look.light;
    RGBColor(red, green, blue)
}

/// The text of an axis.
pub fn axis_text() -> TextStyle<'static> {
    // The library divides the size by 1.24: 12 px.
    let font = ("sans-serif", 12.0 * 1.24).into_font();
    TextStyle::from(font).color(&MUTED)
}
