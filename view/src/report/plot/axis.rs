//! An axis with given marks.

use std::ops::Range;

use plotters::coord::ranged1d::KeyPointHint;
use plotters::coord::ranged1d::NoDefaultFormatting;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::ranged1d::ValueFormatter;

/// A linear axis with these marks, each with its text.
#[derive(Debug, Clone)]
pub struct Axis {
    range: Range<f64>,
    marks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis. A range without a length is made longer.
    pub fn new(range: Range<f64>, marks: Vec<(f64, String)>) -> Axis {
        let range = match range.end > range.start {
            true => range,
            false => range.start..range.start + 1.0,
        };
        Axis { range, marks }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        // A saturating conversion: what is far outside stays outside.
        (f64::from(first) + share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        let marks = self.marks.iter().map(|(value, _)| *value);
        marks
            .filter(|value| (self.range.start..=self.range.end).contains(value))
            .collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let mark = self.marks.iter().find(|(mark, _)| mark == value);
        mark.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}
