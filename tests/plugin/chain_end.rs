//! Every event is accounted for, however a chain ends.

use std::io;
use std::sync::mpsc;
use std::thread;

use crossbeam_channel::bounded;
use crossbeam_channel::unbounded;
use retrans_host::chain::Chain;
use retrans_host::chain::ChainError;
use retrans_host::sink::Sink;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;

use crate::common::chain::Recorder;
use crate::common::chain::assert_balances;
use crate::common::chain::batch;
use crate::common::chain::batches;
use crate::common::chain::bundled;
use crate::common::chain::drive;
use crate::common::chain::mark;
use crate::common::chain::plugin;
use crate::common::chain::run;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::TAG_NETWORK;
use crate::support::events;
use crate::support::liar::liar;

#[test]
fn a_fault_ends_the_chain_and_every_event_is_accounted_for() {
    let events = events(31);
    let cuts = [
        &events[..10],
        &events[10..20],
        &events[20..21],
        &events[21..],
    ];
    let items = cuts.map(|events| Item::Events(batch(events)));
    // The 21st event is the batch of one. The filter keeps it, and the liar panics at it.
    let plugins = vec![
        plugin("drop_every", DROP_EVERY, &[("n", "4")]),
        liar("panics_at_one_event"),
        bundled("json-print"),
    ];
    let ran = run(plugins, items.into_iter().chain([Item::End(mark(1))]));

    let error = ran.result.as_ref().expect_err("it panics");
    assert!(matches!(error, ChainError::Fault(_)));
    assert!(!error.is_broken_pipe());
    let error = error.to_string();
    assert!(
        error.starts_with("plugin liar failed in process: "),
        "{error}"
    );
    ran.assert_balances(31);
    let pages = ran.report.plugins.iter();
    let pages: Vec<_> = pages
        .map(|page| (page.events, page.kept, page.dropped, page.lost))
        .collect();
    assert_eq!(
        pages,
        [(31, 16, 5, 10), (16, 15, 0, 1), (15, 15, 0, 0)],
        "the batch behind it is lost to the first"
    );
    assert_eq!(ran.said.lines.len(), 15, "what was before it is printed");
}

#[test]
fn a_fault_ends_the_stream_at_once() {
    let (sender, receiver) = bounded(1);
    let (used, _recycled) = unbounded();
    let (stop, stopped) = mpsc::channel::<()>();
    // The source sends until the chain stops it, as the probe would.
    let source = thread::spawn(move || {
        let mut sent = 0;
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let batch = batch(&events(10));
            sender.send(Item::Events(batch)).expect("all is taken");
            sent += 10;
        }
        sent
    });
    let chain = Chain::new(vec![liar("panics")], Recorder::default());
    let (report, result) = chain.run(&receiver, &used, stop);
    assert!(matches!(result, Err(ChainError::Fault(_))));
    assert_balances(&report, source.join().expect("it ends"));
}

/// A sink that accepts this many calls and then fails with this error.
struct Failing(usize, io::ErrorKind);

impl Sink for Failing {
    fn lines(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => return Err(self.1.into()),
        }
        Ok(())
    }

    fn alerts(&mut self, _: &[Alert]) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn where_output_fails_every_event_is_accounted_for() {
    let full = io::ErrorKind::StorageFull;
    let chain = vec![
        plugin("https_only", HTTPS_ONLY, &[]),
        bundled("json-print"),
        plugin("drop_every", DROP_EVERY, &[]),
    ];
    // A plugin's lines are one call of the sink, even if there are none.
    let chain = Chain::new(chain, Failing(4, full));
    let (report, result) = drive(chain, batches(&events(1_000), 100));
    assert_balances(&report, 1_000);
    assert!(report.plugins[1].lost > 0);
    let error = result.expect_err("there is no room");
    assert!(!error.is_broken_pipe());
    assert_eq!(
        error.to_string(),
        "cannot write to standard output: no storage space"
    );
}

#[test]
fn a_reader_that_has_gone_is_told_apart_from_other_failures() {
    let chain = Chain::new(
        vec![bundled("json-print")],
        Failing(0, io::ErrorKind::BrokenPipe),
    );
    let (_, result) = drive(chain, batches(&events(1), 1));
    assert!(result.expect_err("the pipe has no reader").is_broken_pipe());
}

#[test]
fn batches_are_used_again_and_nothing_is_left_in_them() {
    let chain = vec![plugin("tag", TAG_NETWORK, &[]), bundled("json-print")];
    let chain = Chain::new(chain, Recorder::default());
    let (sender, receiver) = unbounded();
    let (used, recycled) = unbounded();
    for mut item in batches(&events(30), 10) {
        if let Item::Events(batch) = &mut item {
            batch.lost = 1;
        }
        sender.send(item).expect("the receiver is there");
    }
    drop(sender);
    let (_, result) = chain.run(&receiver, &used, ());
    result.expect("no plugin fails");
    let batches: Vec<Batch> = recycled.try_iter().collect();
    assert_eq!(batches.len(), 3);
    for batch in batches {
        assert!(batch.is_empty());
        assert_eq!(batch.lost, 0);
        assert!(batch.labels.columns().is_empty());
    }
}
