//! Round numbers and times for axes.

use std::time::Duration;

use crate::report::text;

/// Round numbers from 0 to at least `max`, about `count` of them.
pub fn numbers(max: f64, count: usize) -> Vec<f64> {
    let step = round_step(max / count.max(1) as f64);
    let last = (max / step).ceil().clamp(1.0, 1_000.0) as u64;
    (0..=last).map(|place| place as f64 * step).collect()
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    if least.is_nan() || least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.iter().find(|step| *step * power >= least * 0.999);
    step.unwrap_or(&10.0) * power
}

/// A number of an axis: `0`, `250`, `1.5k`, `20M`.
pub fn short(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let unit = units.iter().find(|(size, _)| number >= *size * 0.9995);
    let (number, unit) = unit.map_or((number, ""), |(size, unit)| (number / size, *unit));
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// Steps between times in seconds.
const STEPS: [u64; 25] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
    1_209_600,
    2_592_000,
    7_776_000,
    31_536_000,
    315_360_000,
];

/// Times of day within a span, at most `count`, with their texts. The first of a day has the date.
pub fn times((begin, end): (Duration, Duration), count: usize) -> Vec<(f64, String)> {
    let span = (end - begin).as_secs_f64();
    let count = count.max(1) as f64;
    if span < 2.0 * count {
        return fractions(begin, span, count);
    }
    let longest = STEPS[STEPS.len() - 1];
    let step = STEPS.iter().find(|step| **step as f64 * count >= span);
    let step = *step.unwrap_or(&longest);
    let first = begin.as_secs().div_ceil(step);
    let last = end.as_secs() / step;
    let format = match step {
        86_400.. => "%b %-d",
        60.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    let ticks = (first..=last).take(64).map(|place| {
        let time = Duration::from_secs(place.saturating_mul(step));
        (time.as_secs_f64(), text::format(time, format))
    });
    ticks.collect()
}

/// Times of a short span: seconds with their fraction.
fn fractions(begin: Duration, span: f64, count: f64) -> Vec<(f64, String)> {
    let step = round_step((span / count).max(1e-4));
    let begin = begin.as_secs_f64();
    let first = (begin / step).ceil() as u64;
    let last = ((begin + span) / step).floor() as u64;
    let format = match step {
        _ if step >= 1.0 => "%H:%M:%S",
        _ if step >= 0.1 => "%S%.1f s",
        _ if step >= 0.01 => "%S%.2f s",
        _ => "%S%.3f s",
    };
    let ticks = (first..=last).take(64).map(|place| {
        let time = place as f64 * step;
        let shown = Duration::try_from_secs_f64(time + step / 1_000.0).unwrap_or_default();
        (time, text::format(shown, format))
    });
    ticks.collect()
}

/// Seconds since a start, at most about `count`, with their texts.
pub fn seconds(span: f64, count: usize) -> Vec<(f64, String)> {
    let span = span.max(1e-6);
    let count = count.max(1) as f64;
    let (unit, name) = match span {
        _ if span >= 2.0 * 86_400.0 => (86_400.0, "d"),
        _ if span >= 2.0 * 3_600.0 => (3_600.0, "h"),
        _ if span >= 2.0 * 60.0 => (60.0, "min"),
        _ if span >= 1.0 => (1.0, "s"),
        _ if span >= 0.001 => (0.001, "ms"),
        _ => (0.000_001, "µs"),
    };
    let step = round_step(span / unit / count);
    let last = (span / unit / step).floor().min(64.0) as u64;
    let ticks = (0..=last).map(|place| {
        let number = place as f64 * step;
        (number * unit, format!("{} {name}", short(number)))
    });
    ticks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_an_axis_are_round_and_reach_the_largest() {
        assert_eq!(numbers(7.0, 4), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(numbers(1_900.0, 4), [0.0, 500.0, 1_000.0, 1_500.0, 2_000.0]);
        assert_eq!(numbers(0.0, 4), [0.0, 1.0]);
        let texts: Vec<String> = [0.0, 250.0, 1_500.0, 2e7].map(short).into();
        assert_eq!(texts, ["0", "250", "1.5k", "20M"]);
    }

    #[test]
    fn times_of_an_axis_are_round() {
        let texts = |begin: f64, length: f64, count| {
            let begin = Duration::from_secs_f64(1_767_225_600.0 + begin);
            let ticks = times((begin, begin + Duration::from_secs_f64(length)), count);
            ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(5.0, 40.0, 5),
            ["00:00:10", "00:00:20", "00:00:30", "00:00:40"]
        );
        assert_eq!(texts(0.0, 3_600.0 * 5.0, 4), ["00:00", "02:00", "04:00"]);
        assert_eq!(
            texts(0.0, 86_400.0 * 3.0, 4),
            ["Jan 1", "Jan 2", "Jan 3", "Jan 4"]
        );
        assert_eq!(
            texts(1.0, 0.5, 6),
            ["01.0 s", "01.1 s", "01.2 s", "01.3 s", "01.4 s", "01.5 s"]
        );
        assert_eq!(texts(0.0, 0.0, 4), ["00.000 s"]);
        let longest = times(
            (
                Duration::ZERO,
                Duration::from_secs(u64::MAX / 1_000_000_000),
            ),
            4,
        );
        assert!(longest.len() <= 64);
        let lengths = |span, count| {
            seconds(span, count)
                .into_iter()
                .map(|(_, text)| text)
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(0.25, 3), ["0 ms", "100 ms", "200 ms"]);
        assert_eq!(lengths(7_300.0, 3), ["0 h", "1 h", "2 h"]);
    }
}
