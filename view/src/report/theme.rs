//! The colours of a page: those of a light one in plots, and what replaces them on a dark one.

use super::plot::ACCENT;
use super::plot::INK;
use super::plot::LINE;
use super::plot::MUTED;
use super::plot::VOID;
use crate::palette::LOOKS;
use crate::palette::Look;

/// A colour of plots, and what it becomes on a dark page.
pub struct Pair {
    /// On a light page, as plots have it.
    pub light: String,
    /// On a dark page.
    pub dark: String,
}

/// The colours of a page.
pub struct Theme {
    /// All colours of plots.
    pub pairs: Vec<Pair>,
}

/// The colours of every page.
pub fn theme() -> Theme {
    let own = [
        (INK, "#e9ecef"),
        (MUTED, "#a3adb7"),
        (LINE, "#343b42"),
        (ACCENT, "#8ab8e6"),
        (VOID, "#252a30"),
    ];
    let own = own.map(|(light, dark)| Pair {
        light: format!("#{:02X}{:02X}{:02X}", light.0, light.1, light.2),
        dark: dark.to_owned(),
    });
    let causes = LOOKS.iter().map(|look| Pair {
        light: light(look),
        dark: look.colour.css(),
    });
    Theme {
        pairs: own.into_iter().chain(causes).collect(),
    }
}

/// The colour of a cause on a light page, as plots have it.
pub fn light(look: &Look) -> String {
    let [red, green, blue] = look.light;
    format!("#{red:02X}{green:02X}{blue:02X}")
}
