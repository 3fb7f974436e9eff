//! Text for the cells of a terminal: untrusted text without surprises, and numbers in few characters.

use std::fmt::Display;
use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;

/// Maximum length in characters of an untrusted text. What is beyond is cut off.
const MAX_TEXT: usize = 500;

/// A text in which each character takes one or two cells of any terminal: control characters, characters that change
/// the direction of text, that join others, or whose width terminals do not agree on, are replaced by `�`. It is cut
/// to 500 characters.
pub fn clean(text: impl Display) -> String {
    let text = text.to_string();
    let mut clean: String = text.chars().take(MAX_TEXT).map(printable).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        clean.push('…');
    }
    clean
}

fn printable(char: char) -> char {
    match char {
        '\t' | '\n' => ' ',
        // Pictures: terminals and fonts differ in their width, and some join the following ones.
        '\u{1f000}'..='\u{1faff}' => char::REPLACEMENT_CHARACTER,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        char if char.is_ascii_graphic() || char == ' ' => char,
        char => match char.width() {
            Some(1 | 2) => char,
            _ => char::REPLACEMENT_CHARACTER,
        },
    }
}

/// Width of a clean text in cells.
pub fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

/// The start of a clean text that fits into this number of cells; it ends in `…` if something is left out.
pub fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 1);
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used > cells {
            break;
        }
        cut.push(char);
    }
    if cells > 0 {
        cut.push('…');
    }
    cut
}

/// A number in at most six characters: `0`, `99999`, `123k`, `1.23M`.
pub fn count(number: u64) -> String {
    if number < 100_000 {
        return number.to_string();
    }
    scaled(number as f64, &["", "k", "M", "G", "T", "P", "E"], 1_000.0)
}

/// A number of bytes, such as `512B` or `13.5k`.
pub fn bytes(number: u64) -> String {
    if number < 1_000 {
        return format!("{number}B");
    }
    scaled(
        number as f64,
        &["B", "kB", "MB", "GB", "TB", "PB", "EB"],
        1_000.0,
    )
}

/// Three significant digits and a unit.
fn scaled(number: f64, units: &[&str], base: f64) -> String {
    let (mut number, mut unit) = (number, 0);
    // 999.5 would be shown as 1000.
    while number >= base - 0.5 && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let digits = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.digits$}{}", units[unit])
}

/// A rate, such as `0`, `0.2`, `12.5`, `1234`, `12k`.
pub fn rate(rate: f64) -> String {
    if rate <= 0.0 {
        return "0".to_owned();
    }
    if rate < 0.05 {
        return "<0.1".to_owned();
    }
    if rate < 99.95 {
        let text = format!("{rate:.1}");
        return text.strip_suffix(".0").map(str::to_owned).unwrap_or(text);
    }
    count(rate.round() as u64)
}

/// A share from 0 to 1 in percent, such as `0.25%`, `13%`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent > 0.0 && percent < 0.005 {
        return "<.01%".to_owned();
    } else if percent < 9.995 {
        format!("{percent:.2}")
    } else {
        format!("{percent:.1}")
    };
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{short}%")
}

/// A round-trip time or a timeout, in at most six characters: `250us`, `50.2ms`, `1.25s`, `120s`.
pub fn time(time: Duration) -> String {
    let micros = time.as_micros() as f64;
    if micros < 999.5 {
        return format!("{micros}us");
    }
    if micros < 999_500.0 {
        return scaled(micros / 1_000.0, &["ms"], f64::INFINITY);
    }
    scaled(micros / 1_000_000.0, &["s"], f64::INFINITY)
}

/// A time since 1970 as a time of day in UTC: `14:05:34`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// The same with milliseconds.
pub fn clock_millis(time: Duration) -> String {
    format!("{}.{:03}", clock(time), time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_cannot_steer_a_terminal_or_shift_its_cells() {
        for (text, expected) in [
            ("a\x1b[2Jb\r\nc\td", "a�[2Jb� c d"),
            ("\u{9b}31m\u{7f}\u{0}\u{202e}x\u{2066}", "�31m���x�"),
            ("e\u{301}\u{200d}\u{200b}\u{fe0f}", "e����"),
            ("👩\u{200d}🚀🇩🇪", "�����"),
            ("größe 中文 <b>&amp;</b>", "größe 中文 <b>&amp;</b>"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
        assert_eq!(width(&clean("中文\u{301}")), 5);
        let long = clean("é".repeat(90_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (501, true));
    }

    #[test]
    fn a_text_is_cut_by_cells_and_says_so() {
        for (text, cells, expected) in [
            ("nginx", 5, "nginx"),
            ("nginx", 4, "ngi…"),
            ("nginx", 1, "…"),
            ("nginx", 0, ""),
            ("中文字", 6, "中文字"),
            ("中文字", 5, "中文…"),
            ("中文字", 4, "中…"),
        ] {
            assert_eq!(cut(text, cells), expected, "{text} {cells}");
            assert!(width(&cut(text, cells)) <= cells);
        }
    }

    #[test]
    fn numbers_take_at_most_six_characters() {
        for (number, expected) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_499, "999k"),
            (999_500, "1.00M"),
            (12_345_678, "12.3M"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in [(999, "999B"), (13_451, "13.5kB"), (5_000_000, "5.00MB")] {
            assert_eq!(bytes(number), expected);
        }
        for (number, expected) in [
            (0.0, "0"),
            (0.04, "<0.1"),
            (0.2, "0.2"),
            (12.0, "12"),
            (12.34, "12.3"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1_234_567.0, "1.23M"),
        ] {
            assert_eq!(rate(number), expected);
        }
        for (share, expected) in [
            (0.0, "0%"),
            (0.00001, "<.01%"),
            (0.0025, "0.25%"),
            (0.1, "10%"),
            (0.129, "12.9%"),
            (1.0, "100%"),
        ] {
            assert_eq!(percent(share), expected);
        }
        for (micros, expected) in [
            (0, "0us"),
            (999, "999us"),
            (1_000, "1.00ms"),
            (50_248, "50.2ms"),
            (999_499, "999ms"),
            (999_500, "1.00s"),
            (120_000_000, "120s"),
            (86_400_000_000, "86400s"),
        ] {
            assert_eq!(time(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        let time = Duration::from_millis(1_800_000_000_123);
        assert_eq!(clock(time), "08:00:00");
        assert_eq!(clock_millis(time), "08:00:00.123");
        assert_eq!(clock(Duration::MAX).len(), 8);
    }
}
