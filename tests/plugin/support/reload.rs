//! A chain that runs while its plugin is replaced.

use std::thread;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use crossbeam_channel::unbounded;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::chain::Chain;
use retrans_host::pipeline::reload::Reloader;
use retrans_host::pipeline::reload::Trigger;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::stats::counters::ChainStats;
use retrans_host::stream::batch::Item;

use super::log::logged;
use crate::common::chain::Recorder;
use crate::common::chain::Said;
use crate::common::chain::assert_balances;
use crate::common::chain::batch;
use crate::common::chain::engine;
use crate::common::chain::mark;
use crate::common::versions::Versions;

/// A chain in its own thread, and a reloader in the test's.
pub struct Running {
    /// Looks for new versions.
    pub reloader: Reloader,
    /// Sends items to the chain.
    pub items: Sender<Item>,
    /// Returns when the stream ends.
    pub chain: JoinHandle<ChainStats>,
    /// Output of the chain.
    pub recorder: Recorder,
    /// Generates the events.
    pub events: Synth,
    /// Events sent so far.
    pub sent: u64,
}

impl Running {
    /// Starts a chain of this plugin alone.
    pub fn begin(spec: &Spec) -> Running {
        let plugin = Plugin::start(engine(), spec).unwrap_or_else(|error| panic!("{error}"));
        let plugins = vec![plugin];
        let (reloader, changes) = Reloader::new(engine().clone(), &plugins);
        let recorder = Recorder::default();
        let chain = Chain::new(plugins, recorder.clone()).change_by(changes);
        let (items, receiver) = bounded(0);
        let chain = thread::spawn(move || {
            let (used, _recycled) = unbounded();
            let (report, result) = chain.run(&receiver, &used, ());
            result.expect("nothing ends the chain");
            report
        });
        Running {
            reloader,
            items,
            chain,
            recorder,
            events: Synth::new(9),
            sent: 0,
        }
    }

    /// Generates `count` events and sends them as one batch.
    pub fn events(&mut self, count: usize) {
        let events: Vec<Record> = self.events.by_ref().take(count).collect();
        self.sent += count as u64;
        self.send(Item::Events(batch(&events)));
    }

    /// Sends an item and waits until the chain takes it.
    pub fn send(&self, item: Item) {
        self.items.send(item).expect("the chain is there");
    }

    /// Looks for a new version; the lines that were logged.
    pub fn reload(&mut self) -> Vec<String> {
        self.look(Trigger::Requested)
    }

    /// The same with another trigger.
    pub fn look(&mut self, trigger: Trigger) -> Vec<String> {
        logged(|| self.reloader.check(trigger)).1
    }

    /// Ends the stream, and checks that all events are accounted for.
    #[track_caller]
    pub fn end(self) -> (Said, ChainStats) {
        self.send(Item::End(mark(1_000)));
        drop(self.items);
        let report = self.chain.join().expect("no panic");
        assert_balances(&report, self.sent);
        (self.recorder.take(), report)
    }
}

/// The witness in this file.
pub fn witness(versions: &Versions) -> Spec {
    Spec::new("witness", Origin::File(versions.path()))
}
