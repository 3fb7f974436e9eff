//! The status: where the events come from, how many there are, and what is missing.

use std::path::Path;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::Scene;
use super::pen::Pen;
use super::split_line;
use crate::top::model::Recording;
use crate::top::model::Source;
use crate::top::order::RATE_SPAN;
use crate::top::text;

/// Maximum width of the filter.
const MAX_FILTER: usize = 40;

/// Maximum width of the error of a recording, which the log has in full.
const MAX_ERROR: usize = 40;

/// A part of a line. Those with the highest number are left out first.
struct Part {
    rank: u8,
    text: String,
    style: Style,
}

fn part(rank: u8, text: String, style: Style) -> Part {
    Part { rank, text, style }
}

/// Draws one line or two.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let (first, second) = split_line(area);
    let mut parts = source(scene);
    match second.is_empty() {
        true => {
            parts.extend(counts(scene).into_iter().filter(|part| part.rank < 4));
            put(buffer, first, parts, scene.theme.title());
        }
        false => {
            put(buffer, first, parts, scene.theme.title());
            put(buffer, second, counts(scene), Style::new());
        }
    }
}

/// Writes the parts that fit.
fn put(buffer: &mut Buffer, area: Rect, mut parts: Vec<Part>, style: Style) {
    let width = |parts: &[Part]| {
        let texts = parts.iter().map(|part| text::width(&part.text));
        texts.sum::<usize>() + 2 * parts.len().saturating_sub(1)
    };
    while parts.len() > 1 && width(&parts) > area.width.into() {
        let last = parts.iter().enumerate().max_by_key(|(_, part)| part.rank);
        let last = last.map_or(0, |(place, _)| place);
        parts.remove(last);
    }
    let mut pen = Pen::new(buffer);
    let mut rest = area;
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            rest = pen.put(rest, "  ", Style::new());
        }
        rest = pen.put(rest, &part.text, part.style);
    }
    pen.shade(area, style);
}

/// Where the events come from, and the time.
fn source(scene: Scene<'_>) -> Vec<Part> {
    let Scene {
        model, live, theme, ..
    } = scene;
    let plain = Style::new();
    let mut parts = vec![part(8, "retrans-host top".to_owned(), theme.strong())];
    let host = model.host.as_ref().map(text::clean);
    match &model.source {
        Source::Live(attached) => {
            let host = host.map(|host| format!(" on {host}")).unwrap_or_default();
            parts.push(part(5, format!("live{host} ({attached})"), plain));
        }
        Source::Replay { files, speed } => {
            let first = files.first().map(|file| name(file)).unwrap_or_default();
            let more = match files.len() {
                0 | 1 => String::new(),
                number => format!(" and {} more", number - 1),
            };
            parts.push(part(5, format!("{first}{more}"), plain));
            let speed = match speed {
                Some(speed) => format!("at {speed}x"),
                None => "at full speed".to_owned(),
            };
            parts.push(part(6, speed, plain));
            if let Some(host) = host {
                parts.push(part(9, format!("from {host}"), plain));
            }
        }
        Source::Fleet(servers) => {
            parts.push(part(5, format!("fleet at {}", text::clean(servers)), plain));
        }
    }
    if let Some(filtered) = model.filtered() {
        let text = text::cut(&text::clean(&filtered.filter.text), MAX_FILTER);
        parts.push(part(2, format!("/{text}"), theme.strong()));
    }
    if !model.now.is_zero() {
        parts.push(part(1, format!("{}Z", text::clock(model.now)), plain));
    }
    match (live.has_ended, live.progress) {
        (true, _) => parts.push(part(0, "END".to_owned(), theme.strong())),
        (false, Some(progress)) => {
            parts.push(part(7, format!("{:.0}%", progress * 100.0), plain));
        }
        (false, None) => {}
    }
    if scene.is_frozen {
        parts.push(part(0, "PAUSED".to_owned(), theme.strong()));
    }
    parts
}

/// The name of a file without its directory.
fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    text::clean(name.to_string_lossy())
}

/// How many events there are, and what is missing.
fn counts(scene: Scene<'_>) -> Vec<Part> {
    let Scene {
        model, live, theme, ..
    } = scene;
    let plain = Style::new();
    let total = &model.all().total;
    let (events, segments) = (total.sums.events, total.sums.segments);
    let rate = text::rate(total.recent.rate(model.now, RATE_SPAN));
    let mut parts = vec![
        part(2, format!("{segments} segs"), theme.strong()),
        part(6, number_of(events, "event"), plain),
        part(7, format!("{rate}/s"), plain),
    ];
    parts.push(match (model.lost, model.gaps) {
        (0, _) => part(5, "lost 0".to_owned(), plain),
        (lost, gaps) => {
            let text = format!("LOST {lost} in {}", number_of(gaps, "gap"));
            part(3, text, theme.problem())
        }
    });
    if let Some(missed) = model.missed.filter(|missed| *missed > 0) {
        parts.push(part(4, format!("MISSED {missed}"), theme.problem()));
    }
    if events > 0 {
        let known = model.all().owners_known as f64 / events as f64;
        parts.push(part(5, format!("owners {}", text::percent(known)), plain));
    }
    parts.push(census(scene));
    let alerts = model.messages.active_count();
    if alerts > 0 {
        let text = number_of(alerts as u64, "alert");
        parts.push(part(8, text, theme.problem()));
    }
    parts.extend(recording(&live.recording, theme.problem(), theme.strong()));
    parts
}

/// A number with a word, such as `2 gaps`.
fn number_of(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// The share of all segments that were sent again.
fn census(scene: Scene<'_>) -> Part {
    let ratios = &scene.model.ratios;
    if ratios.censuses() == 0 {
        return part(5, "no census".to_owned(), Style::new());
    }
    let ratio = ratios
        .total()
        .ratio()
        .map_or_else(|| "-".to_owned(), text::percent);
    match ratios.is_complete() {
        true => part(5, format!("census {ratio}"), Style::new()),
        false => part(
            5,
            format!("census {ratio} INCOMPLETE"),
            scene.theme.problem(),
        ),
    }
}

fn recording(recording: &Recording, problem: Style, strong: Style) -> Option<Part> {
    match recording {
        Recording::Unavailable => None,
        Recording::Off => Some(part(10, "rec off".to_owned(), Style::new())),
        Recording::On {
            events,
            bytes,
            not_recorded,
        } => {
            let events = number_of(*events, "event");
            let text = format!("REC {events} {}", text::bytes(*bytes));
            Some(match not_recorded {
                0 => part(4, text, strong),
                missing => part(3, format!("{text}, {missing} NOT RECORDED"), problem),
            })
        }
        Recording::Failed(error) => {
            let error = text::cut(&text::clean(error), MAX_ERROR);
            Some(part(3, format!("REC FAILED: {error}"), problem))
        }
    }
}
