//! Changes of a chain between two batches: plugins are replaced by new versions, added, removed and put in another order.

use crossbeam_channel::Sender;

use super::Chain;
use super::ChainError;
use super::SwapError;
use super::slot::Slot;
use crate::plugin::Plugin;
use crate::sink::Sink;
use crate::stats::counters::ChainStats;
use crate::stats::counters::PluginStats;
use crate::stats::counters::Since;
use crate::stream::moment::Mark;

/// The plugins that a chain has from now on.
pub struct Change {
    /// They, in their order.
    pub members: Vec<Member>,
    /// Reply channel for what became of each member.
    pub done: Sender<Vec<Result<(), SwapError>>>,
}

/// A plugin of the chain.
pub enum Member {
    /// The one that has this place now.
    Same(usize),
    /// The one that has this place now, replaced by another version, which gets its state.
    Replaced(usize, Box<Plugin>),
    /// A further one.
    New(Box<Plugin>),
}

impl Member {
    /// The place that it has now; `None`: it has none.
    pub fn place(&self) -> Option<usize> {
        match self {
            Member::Same(place) | Member::Replaced(place, _) => Some(*place),
            Member::New(_) => None,
        }
    }
}

/// What is left of plugins that were removed, and the counts at the last change of the order.
#[derive(Default)]
pub(super) struct History {
    removed: Vec<Slot>,
    since: Since,
}

impl History {
    /// Adds this to the statistics of the plugins that are there.
    pub(super) fn report(&self, chain: &mut ChainStats) {
        chain.since = self.since.clone();
        for slot in &self.removed {
            let counts = slot.report(chain).clone();
            if let Some(usage) = chain.usage.last_mut() {
                usage.is_in_quarantine = false;
            }
            chain.removed.push(counts);
        }
    }
}

impl<S: Sink> Chain<S> {
    /// Changes the chain. A plugin that cannot be replaced stays as it is.
    pub(super) fn change(&mut self, change: Change) -> Result<(), ChainError> {
        let Change { members, done } = change;
        let mut places: Vec<_> = members.iter().filter_map(Member::place).collect();
        places.sort_unstable();
        let are_places = places.is_sorted_by(|a, b| a < b)
            && places.last().is_none_or(|last| *last < self.slots.len());
        if !are_places {
            let error = "two plugins have one place".to_owned();
            let _ = done.send(vec![Err(SwapError::OldFailed(error)); members.len()]);
            return Ok(());
        }
        // As long as anything can fail, all plugins are in their places: what arrives afterwards is counted.
        let mut results = Vec::with_capacity(members.len());
        let mut kept = Vec::with_capacity(members.len());
        for member in members {
            let (member, result) = match member {
                Member::Replaced(place, plugin) => {
                    let result = self.slots[place].replace(*plugin, &mut self.sink)?;
                    (Member::Same(place), result)
                }
                member => (member, Ok(())),
            };
            kept.push(member);
            results.push(result);
        }
        let members = kept;
        let is_order_same = members.len() == self.slots.len()
            && (0..)
                .zip(&members)
                .all(|(place, member)| member.place() == Some(place));
        if !is_order_same {
            self.end_removed(&places)?;
            self.reorder(members);
        }
        self.sink.flush()?;
        // The reloader may have ended.
        let _ = done.send(results);
        Ok(())
    }

    /// Ends the plugins whose place is not among the kept ones: for them the stream ends now, and their alerts with it.
    fn end_removed(&mut self, kept: &[usize]) -> Result<(), ChainError> {
        let now = self.clock.unwrap_or_default();
        let mark = Mark {
            time: now.time,
            wall_time: now.wall_time,
            lost: 0,
        };
        let removed = (0..)
            .zip(&mut self.slots)
            .filter(|(place, _)| !kept.contains(place));
        for (_, slot) in removed {
            slot.end(&mark, &mut self.sink)?;
        }
        Ok(())
    }

    /// Puts the plugins in their new order, and closes the account of the old one.
    fn reorder(&mut self, members: Vec<Member>) {
        let counts = |slots: &[Slot]| -> Vec<PluginStats> {
            slots.iter().map(|slot| slot.counts().clone()).collect()
        };
        let History { removed, since } = &mut self.history;
        since.close(&counts(&self.slots));
        let mut old: Vec<_> = std::mem::take(&mut self.slots)
            .into_iter()
            .map(Some)
            .collect();
        for member in members {
            let slot = match member {
                Member::Same(place) | Member::Replaced(place, _) => {
                    old.get_mut(place).and_then(Option::take)
                }
                Member::New(plugin) => {
                    let name = &plugin.prepared.spec().name;
                    // A plugin that was removed, now or before, goes on with its counts.
                    let now = old.iter_mut().find(|slot| has_name(slot, name));
                    let before = removed.iter().position(|slot| slot.name() == name);
                    let before = before.map(|place| removed.remove(place));
                    Some(match before.or_else(|| now?.take()) {
                        Some(before) => before.started_again(*plugin),
                        None => Slot::new(*plugin),
                    })
                }
            };
            self.slots.extend(slot);
        }
        removed.extend(old.into_iter().flatten());
        since.begin(counts(&self.slots));
    }
}

fn has_name(slot: &Option<Slot>, name: &str) -> bool {
    slot.as_ref().is_some_and(|slot| slot.name() == name)
}
