//! The page of a report: what the template shows, in words.

mod connections;
mod facts;
mod figures;
mod keys;

use std::net::IpAddr;

use askama::Template;

use self::connections::ConnectionView;
use self::facts::Fact;
use self::figures::Figure;
use self::figures::KindRow;
use self::keys::GroupView;
use super::alert::Alert;
use super::alert::Severity;
use super::collect::Collected;
use super::plot::PlotError;
use super::readings;
use super::readings::Reading;
use super::readings::Subject;
use super::readings::Whole;
use super::text;
use super::text::clean;
use super::text::counted;
use super::theme;
use super::theme::Theme;
use crate::key::Part;

use self::facts::host;

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A plot could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The page could not be filled in.
    #[error("cannot fill in the page: {0}")]
    Page(#[from] askama::Error),
}

/// Number of peers for which the rules are asked.
const PEERS_READ: usize = 10;

/// A reading, as it is shown.
pub struct ReadingView {
    /// What it is about.
    about: String,
    what: String,
    numbers: String,
    limits: &'static str,
    rule: &'static str,
}

impl ReadingView {
    fn new(about: String, reading: Reading) -> ReadingView {
        let Reading {
            rule,
            what,
            numbers,
        } = reading;
        let mut chars = numbers.chars();
        let first = chars.next().map(|first| first.to_uppercase().to_string());
        ReadingView {
            about,
            what,
            numbers: first.unwrap_or_default() + chars.as_str(),
            limits: rule.limits,
            rule: rule.name,
        }
    }
}

/// An alert, as it is shown.
struct AlertView {
    time: String,
    state: &'static str,
    class: &'static str,
    name: String,
    summary: String,
    labels: String,
    plugin: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    theme: Theme,
    summary: String,
    tiles: Vec<Fact>,
    facts: Vec<Fact>,
    readings: Vec<ReadingView>,
    has_events: bool,
    over_time: Option<Figure>,
    kinds: Vec<KindRow>,
    round_trips: Vec<Figure>,
    groups: Vec<GroupView>,
    connections: Vec<ConnectionView>,
    connections_note: String,
    alerts: Vec<AlertView>,
    alerts_note: String,
    has_chain: bool,
}

/// The page.
pub fn render(collected: &Collected) -> Result<String, ReportError> {
    let whole = whole(collected);
    let connections = connections::worst(collected)?;
    let page = Page {
        title: title(collected),
        theme: theme::theme(),
        summary: facts::summary(collected),
        tiles: facts::tiles(collected),
        facts: facts::facts(collected),
        readings: readings(&whole),
        has_events: collected.sums.events > 0,
        over_time: figures::over_time(collected)?,
        kinds: figures::kinds(collected),
        round_trips: figures::round_trips(collected)?,
        groups: groups(collected)?,
        connections_note: connections::note(collected, connections.len()),
        connections,
        alerts: collected.alerts.listed().iter().map(alert).collect(),
        alerts_note: alerts_note(collected),
        has_chain: collected.plugins.is_some(),
    };
    // The template library takes the last newline.
    Ok(page.render()? + "\n")
}

/// What is known of the whole stream, for the rules.
fn whole(collected: &Collected) -> Whole<'_> {
    Whole {
        peers: collected.tracks.by_peer(),
        peer_count: collected.tracks.peers(),
        shared: collected.shared.closed(),
        ratios: &collected.ratios,
    }
}

/// The readings of all, then those of the peers with the most segments that say something else. Of several peers with
/// the same one, the first is shown.
fn readings(whole: &Whole<'_>) -> Vec<ReadingView> {
    let mut said = Vec::new();
    let mut shown = Vec::new();
    for reading in readings::of(&Subject::All(whole)) {
        said.push(reading.rule.name);
        shown.push(ReadingView::new("All connections".to_owned(), reading));
    }
    let mut of_peers: Vec<(&str, Vec<IpAddr>, Reading)> = Vec::new();
    for (peer, together) in whole.peers.top(PEERS_READ) {
        for reading in readings::of(&Subject::Peer(peer, together)) {
            let rule = reading.rule.name;
            match of_peers.iter_mut().find(|(name, ..)| *name == rule) {
                _ if said.contains(&rule) => {}
                Some((_, peers, _)) => peers.push(peer),
                None => of_peers.push((rule, vec![peer], reading)),
            }
        }
    }
    shown.extend(of_peers.into_iter().map(|(_, peers, reading)| {
        let about = match peers.as_slice() {
            [peer] => format!("Peer {peer}"),
            [peer, others @ ..] => {
                let others: Vec<String> = others.iter().map(IpAddr::to_string).collect();
                format!("Peer {peer}; the same is so of {}", others.join(", "))
            }
            [] => String::new(),
        };
        ReadingView::new(about, reading)
    }));
    shown
}

fn groups(collected: &Collected) -> Result<Vec<GroupView>, ReportError> {
    let groups = [
        (Part::Peer, "Peers", &collected.peers),
        (Part::Process, "Processes", &collected.processes),
        (Part::Container, "Containers", &collected.containers),
    ];
    groups
        .into_iter()
        .map(|(part, title, groups)| keys::group(collected, part, title, groups))
        .collect()
}

fn title(collected: &Collected) -> String {
    match host(collected) {
        Some(host) => format!("TCP retransmits of {host}"),
        None => "TCP retransmits".to_owned(),
    }
}

fn alert(alert: &Alert) -> AlertView {
    let (state, class) = match (alert.is_resolved, alert.severity) {
        (true, _) => ("resolved", "resolved"),
        (false, Severity::Info) => ("info", "info"),
        (false, Severity::Warning) => ("warning", "warning"),
        (false, Severity::Critical) => ("critical", "critical"),
    };
    let labels: Vec<String> = alert
        .labels
        .iter()
        .map(|(key, value)| format!("{}={}", clean(key), clean(value)))
        .collect();
    AlertView {
        time: text::time(alert.wall_time),
        state,
        class,
        name: clean(&alert.name),
        summary: clean(&alert.summary),
        labels: labels.join(", "),
        plugin: clean(&alert.plugin),
    }
}

fn alerts_note(collected: &Collected) -> String {
    let alerts = &collected.alerts;
    let counts = format!(
        "{} fired, {} resolved",
        text::number(alerts.fired),
        text::number(alerts.resolved)
    );
    match (&collected.plugins, alerts.not_listed()) {
        (None, _) => {
            "The events went through no plugin: --plugin adds one, and its alerts are listed here."
                .to_owned()
        }
        (Some(plugins), 0) => format!("{counts}; the plugins were {}.", joined(plugins)),
        (Some(plugins), more) => format!(
            "{counts}; the plugins were {}. {} are not listed.",
            joined(plugins),
            counted(more, "more", "more")
        ),
    }
}

fn joined(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| clean(name)).collect();
    names.join(", ")
}

/// What a report says, in three lines.
pub fn in_short(collected: &Collected) -> [String; 3] {
    let whole = whole(collected);
    let readings = readings(&whole);
    let reading = match readings.as_slice() {
        [] if collected.sums.events == 0 => "nothing to read".to_owned(),
        [] => "no rule fits these retransmits".to_owned(),
        [first] => format!("consistent with {}", first.what),
        [first, more @ ..] => format!("consistent with {} (and {} more)", first.what, more.len()),
    };
    let (peers, more_peers) = collected.tracks.peers();
    let (connections, more_connections) = collected.tracks.connections();
    let more = |more: bool| if more { "more than " } else { "" };
    [
        text::spaced(&facts::summary(collected)),
        format!(
            "{}{}, {}{}; {} lost; {}",
            more(more_peers),
            counted(peers, "peer", "peers"),
            more(more_connections),
            counted(connections, "connection", "connections"),
            counted(collected.lost.0, "event", "events"),
            counted(collected.alerts.fired, "alert", "alerts"),
        ),
        reading,
    ]
}
