//! The large figures: retransmits over time, round-trip times.

use crate::palette::LOOKS;
use crate::report::collect::Collected;
use crate::report::plot::Plot;
use crate::report::plot::PlotError;
use crate::report::plot::Words;
use crate::report::plot::heat;
use crate::report::plot::over_time;
use crate::report::plot::over_time::OverTime;
use crate::report::plot::over_time::number_of;
use crate::report::text;
use crate::report::text::counted;
use crate::report::text::number;
use crate::report::text::share;
use crate::report::theme::light;

/// A figure with its title and its caption.
pub struct Figure {
    /// Its title.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// The plot.
    pub plot: Plot,
}

/// A cause with its numbers.
pub struct KindRow {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Its colour.
    pub colour: String,
    /// Segments.
    pub segments: String,
    /// Their share.
    pub share: String,
    /// Events.
    pub events: String,
}

/// Retransmits over time; `None` without an event.
pub fn over_time(collected: &Collected) -> Result<Option<Figure>, PlotError> {
    let Some(span) = collected.span().filter(|_| collected.sums.events > 0) else {
        return Ok(None);
    };
    let alerts = collected.alerts.listed().iter();
    let fired = alerts.filter(|alert| !alert.is_resolved);
    let alerts: Vec<_> = fired.map(|alert| alert.wall_time).collect();
    let gaps = match collected.coverage.is_known() {
        true => collected.coverage.gaps(),
        false => Vec::new(),
    };
    let width = text::duration(collected.segments.width());
    let peak = collected
        .segments
        .iter()
        .max_by_key(|(_, kinds)| kinds.total());
    let peak = peak.map_or(String::new(), |(begin, kinds)| {
        format!(
            " The most are in the {width} from {}: {}.",
            text::format(begin, "%F %T%.f"),
            counted(kinds.total(), "segment", "segments")
        )
    });
    let mut caption = format!("Segments sent again in each {width}, by cause.{peak}");
    if !gaps.is_empty() {
        caption += " Shaded: not recorded.";
    }
    if collected.lost.0 > 0 {
        caption += " Bars at the upper edge: events were lost.";
    }
    if !alerts.is_empty() {
        caption += " Triangles: alerts.";
    }
    let words = Words {
        id: "plot-time",
        title: "Retransmits over time by cause",
        description: &caption,
    };
    let shown = OverTime {
        segments: &collected.segments,
        lost: &collected.lost_at,
        gaps: &gaps,
        alerts: &alerts,
        span,
    };
    Ok(Some(Figure {
        title: "Retransmits over time".to_owned(),
        plot: over_time::plot(words, shown)?,
        caption,
    }))
}

/// The causes that there were, the one with the most segments first.
pub fn kinds(collected: &Collected) -> Vec<KindRow> {
    let sums = &collected.sums;
    let mut looks: Vec<_> = LOOKS
        .iter()
        .map(|look| {
            let segments = number_of(&sums.segments_of_kinds, look);
            (look, segments, number_of(&sums.kinds, look))
        })
        .filter(|(_, _, events)| *events > 0)
        .collect();
    looks.sort_by_key(|(_, segments, events)| std::cmp::Reverse((*segments, *events)));
    looks
        .into_iter()
        .map(|(look, segments, events)| KindRow {
            name: look.name,
            meaning: meaning(look.name),
            colour: light(look),
            segments: number(segments),
            share: share(segments, sums.segments),
            events: number(events),
        })
        .collect()
}

/// What a cause means, in a few words.
fn meaning(name: &str) -> &'static str {
    match name {
        "syn" => "a SYN was not answered",
        "syn_ack" => "a SYN-ACK was not answered",
        "tail_loss_probe" => "the last segment was not acknowledged in about two round trips",
        "timeout" => "nothing was acknowledged until the timer expired",
        "loss_recovery" => "a further segment after a timeout",
        "fast" => "acknowledgements told of the loss",
        "unknown" => "the evidence fits no cause",
        _ => "a cause that this version does not know",
    }
}

/// Heat maps of round-trip times: of the events, and of all connections if there was a census.
pub fn round_trips(collected: &Collected) -> Result<Vec<Figure>, PlotError> {
    let Some(span) = collected.span() else {
        return Ok(Vec::new());
    };
    let maps = [
        (
            "plot-rtt",
            "Round-trip times when segments were sent again",
            "Smoothed round-trip times of the connections at each retransmit: connections without a loss are not in \
             it.",
            (&collected.rtt, 1),
        ),
        (
            "plot-rtt-census",
            "Round-trip times of all connections",
            "Smoothed round-trip times of the connections that sent data, by census.",
            (&collected.census_rtt, 2),
        ),
    ];
    let mut figures = Vec::new();
    for (id, title, what, (times, step)) in maps {
        let caption = format!(
            "{what} The stronger the colour, the more of them in {}, on a logarithmic scale.",
            text::duration(times.width())
        );
        let words = Words {
            id,
            title,
            description: &caption,
        };
        if let Some(plot) = heat::plot(words, times, step, span)? {
            figures.push(Figure {
                title: title.to_owned(),
                caption,
                plot,
            });
        }
    }
    Ok(figures)
}
