//! The connections with the most retransmits: their numbers, their events as a diagram, and a reading of each.

use super::ReadingView;
use super::keys::BarPart;
use super::keys::bar;
use super::keys::causes;
use crate::key::Connection;
use crate::report::collect::Collected;
use crate::report::plot::Plot;
use crate::report::plot::PlotError;
use crate::report::plot::Words;
use crate::report::plot::sequence;
use crate::report::readings;
use crate::report::readings::MIN_OF_CONNECTION;
use crate::report::readings::Subject;
use crate::report::text;
use crate::report::text::bytes;
use crate::report::text::clean;
use crate::report::text::counted;
use crate::report::text::duration;
use crate::report::text::number;
use crate::report::text::share;
use crate::report::track::Track;

/// Number of connections that are shown.
const SHOWN: usize = 10;

/// A connection.
pub struct ConnectionView {
    /// The name of its element.
    pub id: String,
    /// Its place, from 1.
    pub rank: usize,
    /// Both sides.
    pub name: String,
    /// The process that holds it.
    pub owner: String,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// Segments by cause.
    pub bar: Vec<BarPart>,
    /// The same in words.
    pub causes: String,
    /// What the rules say.
    pub readings: Vec<ReadingView>,
    /// Why they say nothing.
    pub no_reading: String,
    /// The diagram.
    pub plot: Option<Plot>,
    /// What is missing in it.
    pub plot_note: String,
}

/// The connections with the most segments.
pub fn worst(collected: &Collected) -> Result<Vec<ConnectionView>, PlotError> {
    let worst = collected.tracks.worst(SHOWN);
    let views = worst
        .into_iter()
        .enumerate()
        .map(|(place, (connection, track))| view(collected, place + 1, connection, track));
    views.collect()
}

/// What is said above them.
pub fn note(collected: &Collected, shown: usize) -> String {
    let (count, more) = collected.tracks.connections();
    if shown == 0 {
        return "None.".to_owned();
    }
    let of = match (count as usize > shown, more) {
        (_, true) => format!(
            "The first {shown} of more than {}, by segments. ",
            number(count)
        ),
        (true, _) => format!("The first {shown} of {}, by segments. ", number(count)),
        _ => String::new(),
    };
    let evicted = match collected.tracks.evicted() {
        0 => "",
        _ => {
            "There were too many to keep all at once: the numbers of a connection that paused may be too low. "
        }
    };
    format!(
        "{of}{evicted}The diagrams show sequence numbers against time, as tcptrace draws them, but only of segments \
         that were sent again: the first copies and the acknowledgements are not recorded. The lower line is what was \
         acknowledged at each retransmit, the upper line what had been sent, in bytes since the first of them."
    )
}

fn view(
    collected: &Collected,
    rank: usize,
    connection: &Connection,
    track: &Track,
) -> Result<ConnectionView, PlotError> {
    let sums = &track.told.evidence().sums;
    let name = format!("{} → {}", connection.local(), connection.peer());
    let id = format!("connection-{rank}");
    let causes = causes(sums);
    let words = Words {
        id: &format!("plot-{id}"),
        title: &format!("Retransmitted segments of {name}"),
        description: &format!(
            "{} in {}: {causes}",
            counted(sums.segments, "segment", "segments"),
            duration(sums.duration())
        ),
    };
    let readings: Vec<ReadingView> = readings::of(&Subject::Connection(connection, track))
        .into_iter()
        .map(|reading| ReadingView::new(String::new(), reading))
        .collect();
    Ok(ConnectionView {
        plot: sequence::plot(words, track.points.as_slice())?,
        plot_note: plot_note(track),
        no_reading: match sums.events < MIN_OF_CONNECTION {
            true => format!(
                "No rule fits: {} too little.",
                counted(sums.events, "event says", "events say")
            ),
            false => "No rule fits these retransmits.".to_owned(),
        },
        owner: owner(collected, track),
        facts: facts(collected, connection, track),
        bar: bar(sums),
        id,
        rank,
        name,
        causes,
        readings,
    })
}

fn owner(collected: &Collected, track: &Track) -> String {
    let Some(process) = track.process else {
        return "process unknown".to_owned();
    };
    let comm = clean(process.comm.as_str());
    match process.container {
        Some(container) => format!(
            "{comm}[{}] in container {}",
            process.pid,
            clean(&collected.container_names.name_and_id(container))
        ),
        None => format!("{comm}[{}]", process.pid),
    }
}

fn facts(
    collected: &Collected,
    connection: &Connection,
    track: &Track,
) -> Vec<(&'static str, String)> {
    let evidence = track.told.evidence();
    let sums = &evidence.sums;
    let mut facts = vec![(
        "Sent again",
        format!(
            "{} ({} of all), {}",
            counted(sums.segments, "segment", "segments"),
            share(sums.segments, collected.sums.segments),
            bytes(sums.bytes)
        ),
    )];
    if sums.failed > 0 {
        facts.push(("Failed", counted(sums.failed, "attempt", "attempts")));
    }
    if let Some((first, _)) = sums.span {
        let from = text::format(first, "%F %T%.3f");
        facts.push(("Time", format!("{from}, for {}", duration(sums.duration()))));
    }
    if let Some((sent, again)) = track.sent {
        facts.push((
            "In its life",
            format!(
                "{} of {} with data were sent again ({})",
                number(u64::from(again)),
                counted(u64::from(sent), "segment", "segments"),
                share(u64::from(again), u64::from(sent))
            ),
        ));
    }
    if let (Some(mean), Some(most)) = (evidence.mean_srtt(), evidence.max_srtt) {
        let least = evidence.min_rtt.map_or(String::new(), |least| {
            format!("{} least, ", duration(least))
        });
        facts.push((
            "Round trip",
            format!("{least}{} mean, {} most", duration(mean), duration(most)),
        ));
    }
    if evidence.most_in_a_row > 1 {
        facts.push((
            "Timeouts in a row",
            number(u64::from(evidence.most_in_a_row)),
        ));
    }
    if let Some(name) = track.congestion_control {
        facts.push(("Congestion control", clean(name.as_str())));
    }
    if let Some(netns) = connection.netns() {
        facts.push(("Network namespace", netns.to_string()));
    }
    for (key, value) in &track.labels {
        facts.push(("Label", format!("{} = {}", clean(key), clean(value))));
    }
    facts
}

fn plot_note(track: &Track) -> String {
    let points = &track.points;
    let mut notes = Vec::new();
    if points.is_empty() {
        notes.push(
            "No diagram: the sequence numbers are not known, or there was no room to keep them."
                .to_owned(),
        );
    }
    if points.every() > 1 {
        notes.push(format!(
            "One of every {} retransmits is drawn.",
            points.every()
        ));
    }
    if let Some(from) = points.from() {
        let from = text::format(from, "%F %T");
        notes.push(format!(
            "The diagram begins at {from}: earlier events were not kept."
        ));
    }
    notes.join(" ")
}
