//! The connections: what is known of each, and the events of those that have many.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;
use retrans_event::Event;

use super::by_peer::ByPeer;
use super::track::Track;
use crate::key::Connection;

/// Maximum number of connections that are known at the same time: 64 MB.
const MAX_TRACKS: usize = 65_536;

/// Maximum number of connections, and of peers, that are told apart when they are counted.
const MAX_COUNTED: usize = 500_000;

/// Maximum number of points of all connections: 16 MB. Beyond it, only the [`KEPT`] connections with the most segments
/// keep theirs.
const MAX_POINTS: usize = 500_000;

/// Number of connections that keep their points.
const KEPT: usize = 100;

/// All connections.
#[derive(Debug, Clone)]
pub struct Tracks {
    tracks: LinkedHashMap<Connection, Track, RandomState>,
    points: usize,
    /// Number of times that a connection made room for another one.
    evicted: u64,
    /// What is known by peer of the connections that made room.
    gone: ByPeer,
    connections: Counted,
    peers: Counted,
}

/// A number of different things, of which hash values are kept: up to [`MAX_COUNTED`].
#[derive(Debug, Clone, Default)]
struct Counted {
    hasher: RandomState,
    seen: HashSet<u64, RandomState>,
    has_more: bool,
}

impl Counted {
    fn add(&mut self, thing: &impl std::hash::Hash) {
        let hash = self.hasher.hash_one(thing);
        if self.seen.len() < MAX_COUNTED {
            self.seen.insert(hash);
        } else {
            self.has_more |= !self.seen.contains(&hash);
        }
    }
}

impl Default for Tracks {
    fn default() -> Tracks {
        Tracks {
            tracks: LinkedHashMap::with_hasher(RandomState::default()),
            points: 0,
            evicted: 0,
            gone: ByPeer::default(),
            connections: Counted::default(),
            peers: Counted::default(),
        }
    }
}

impl Tracks {
    /// Adds an event with its labels.
    pub fn add<'a>(&mut self, event: &Event, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let connection = Connection::of(event);
        let track = match self.tracks.raw_entry_mut().from_key(&connection) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                entry.into_mut()
            }
            RawEntryMut::Vacant(entry) => {
                // Of two namespaces that have the same addresses and ports, `inspect` counts one connection.
                self.connections
                    .add(&(connection.local(), connection.peer()));
                self.peers.add(&connection.peer().ip());
                entry.insert(connection, Track::default()).1
            }
        };
        self.points -= track.points.len();
        track.add(event, labels);
        self.points += track.points.len();
        if self.tracks.len() > MAX_TRACKS
            && let Some((connection, gone)) = self.tracks.pop_front()
        {
            self.points -= gone.points.len();
            self.evicted += 1;
            self.gone.add(&connection, &gone);
        }
        if self.points > MAX_POINTS {
            self.thin();
        }
    }

    /// Takes the points from all connections but those with the most segments.
    fn thin(&mut self) {
        let mut segments: Vec<u64> = self.tracks.values().map(Track::segments).collect();
        let place = KEPT.min(segments.len()) - 1;
        let (_, least, _) =
            segments.select_nth_unstable_by_key(place, |segments| Reverse(*segments));
        let least = *least;
        self.points = 0;
        for track in self.tracks.values_mut() {
            match track.segments() > least {
                true => self.points += track.points.len(),
                false => track.points.clear(),
            }
        }
    }

    /// The connections that are known, in an order of their own.
    pub fn iter(&self) -> impl Iterator<Item = (&Connection, &Track)> {
        self.tracks.iter()
    }

    /// The connections with the most segments, and of those with as many the ones with the most events.
    pub fn worst(&self, number: usize) -> Vec<(&Connection, &Track)> {
        let mut all: Vec<_> = self.tracks.iter().collect();
        let measure = |(connection, track): &(&Connection, &Track)| {
            let sums = &track.told.evidence().sums;
            (Reverse(sums.segments), Reverse(sums.events), **connection)
        };
        if all.len() > number && number > 0 {
            all.select_nth_unstable_by_key(number - 1, measure);
        }
        all.truncate(number);
        all.sort_unstable_by_key(measure);
        all
    }

    /// What is known by peer.
    pub fn by_peer(&self) -> ByPeer {
        let mut peers = self.gone.clone();
        for (connection, track) in &self.tracks {
            peers.add(connection, track);
        }
        peers
    }

    /// Number of pairs of addresses and ports, and whether there are more.
    pub fn connections(&self) -> (u64, bool) {
        (
            self.connections.seen.len() as u64,
            self.connections.has_more,
        )
    }

    /// Number of peers, and whether there are more.
    pub fn peers(&self) -> (u64, bool) {
        (self.peers.seen.len() as u64, self.peers.has_more)
    }

    /// Number of times that a connection made room for another one. If it is 0, all are known.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}
