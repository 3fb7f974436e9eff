//! Readings: what the numbers are consistent with, in plain language.
//!
//! A rule looks at one connection, at all connections to a peer, or at all. It says "consistent with", quotes the
//! numbers, and says what they cannot tell. `docs/report.md` lists the rules.

mod handshake;
mod host;
mod loss;
mod path;
mod timers;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::key::Connection;
use crate::ratios::Ratios;

use super::by_peer::ByPeer;
use super::by_peer::Together;
use super::evidence::Evidence;
use super::together::SharedSeconds;
use super::track::Track;

/// A rule says nothing about a connection with fewer events of its kind than this.
pub const MIN_OF_CONNECTION: u64 = 5;

/// A rule says nothing about a peer, or about all, with fewer events of its kind than this.
pub const MIN_OF_MANY: u64 = 10;

/// What a rule may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One connection.
    Connection,
    /// All connections to a peer.
    Peer,
    /// All connections.
    All,
}

/// All that is known of a stream.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The connections by peer.
    pub peers: ByPeer,
    /// Number of peers, and whether there are more.
    pub peer_count: (u64, bool),
    /// Seconds in which segments to many peers were lost.
    pub shared: SharedSeconds,
    /// What was sent beside what was sent again.
    pub ratios: &'a Ratios,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// One connection.
    Connection(&'a Connection, &'a Track),
    /// All connections to a peer.
    Peer(IpAddr, &'a Together),
    /// All connections.
    All(&'a Whole<'a>),
}

impl Subject<'_> {
    /// Its level.
    pub fn level(&self) -> Level {
        match self {
            Subject::Connection(..) => Level::Connection,
            Subject::Peer(..) => Level::Peer,
            Subject::All(_) => Level::All,
        }
    }

    /// What its events tell.
    fn evidence(&self) -> &Evidence {
        match self {
            Subject::Connection(_, track) => track.told.evidence(),
            Subject::Peer(_, together) => &together.evidence,
            Subject::All(whole) => &whole.peers.all.evidence,
        }
    }

    /// Its connections together.
    fn together(&self) -> Option<&Together> {
        match self {
            Subject::Connection(..) => None,
            Subject::Peer(_, together) => Some(together),
            Subject::All(whole) => Some(&whole.peers.all),
        }
    }

    /// Number of its connections.
    fn connections(&self) -> u64 {
        self.together().map_or(1, |together| together.connections)
    }

    /// Whether a number of events is large enough to say something.
    fn is_enough(&self, events: u64) -> bool {
        events
            >= match self.level() {
                Level::Connection => MIN_OF_CONNECTION,
                Level::Peer | Level::All => MIN_OF_MANY,
            }
    }

    /// "on one connection", "on 7 connections".
    fn on_connections(&self) -> String {
        match self.connections() {
            1 => "on one connection".to_owned(),
            many => format!("on {} connections", super::text::number(many)),
        }
    }
}

/// What a rule has found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// What the numbers are consistent with.
    what: String,
    /// The numbers, in a sentence.
    numbers: String,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in the document.
    pub name: &'static str,
    /// When it applies, with its thresholds.
    pub when: &'static str,
    /// What it cannot know.
    pub limits: &'static str,
    /// What it looks at.
    pub levels: &'static [Level],
    /// The rules that say more than this one: where one of them applies, this one says nothing.
    unless: &'static [&'static str],
    find: fn(&Subject<'_>) -> Option<Found>,
}

/// All rules, in the order in which their readings are shown.
pub const RULES: [&Rule; 13] = [
    &handshake::SYN,
    &handshake::SYN_ACK,
    &host::LOCAL_DROPS,
    &path::PATH_MTU,
    &timers::NO_ANSWER,
    &path::WINDOW,
    &timers::IDLE_TAIL_LOSS,
    &timers::NEEDLESS,
    &loss::MANY_AT_ONCE,
    &loss::ONE_PEER,
    &loss::BURSTS,
    &loss::SINGLE,
    &path::LONG_QUEUE,
];

/// What a rule says about something.
#[derive(Debug)]
pub struct Reading {
    /// The rule.
    pub rule: &'static Rule,
    /// What the numbers are consistent with.
    pub what: String,
    /// The numbers, in a sentence.
    pub numbers: String,
}

/// What the rules say about something.
pub fn of(subject: &Subject<'_>) -> Vec<Reading> {
    let level = subject.level();
    let mut readings: Vec<Reading> = Vec::new();
    for rule in RULES {
        let says_less = |reading: &Reading| rule.unless.contains(&reading.rule.name);
        if !rule.levels.contains(&level) || readings.iter().any(says_less) {
            continue;
        }
        if let Some(Found { what, numbers }) = (rule.find)(subject) {
            readings.push(Reading {
                rule,
                what,
                numbers,
            });
        }
    }
    readings
}

/// Whether a part of a number is at least a share of it, in percent. Of nothing it is not.
fn is_share(part: u64, whole: u64, percent: u64) -> bool {
    whole > 0 && u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}

/// Every level.
const EVERYWHERE: &[Level] = &[Level::Connection, Level::Peer, Level::All];
