//! Runs the liar, a plugin that breaks the contract, and checks how the host reacts.

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::chain::Chain;
use retrans_host::plugin::Limits;
use retrans_host::plugin::OnFault;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::StartError;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::labels::Column;

use crate::common::chain::Ran;
use crate::common::chain::Recorder;
use crate::common::chain::batch;
use crate::common::chain::drive;
use crate::common::chain::engine;
use crate::common::chain::run;
use crate::common::chain::spec;
use crate::common::chain::start;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;

/// Events in each call: the second byte of keep bits has two of them.
const EVENTS: usize = 10;

/// The liar with this act. A fault ends the chain.
#[track_caller]
pub fn liar(act: &str) -> Plugin {
    let origin = Origin::File(fixture(LIAR));
    let spec = Spec {
        on_fault: OnFault::Stop,
        ..spec("liar", &origin, &[("act", act)])
    };
    Plugin::start(engine(), &spec).unwrap_or_else(|error| panic!("{error}"))
}

/// The same with other limits, which the start may exceed.
pub fn start_liar(act: &str, limits: Limits) -> Result<Plugin, StartError> {
    start(
        "liar",
        &Origin::File(fixture(LIAR)),
        &[("act", act)],
        limits,
    )
}

/// The events of a call.
pub fn records() -> Vec<Record> {
    Synth::new(2).take(EVENTS).collect()
}

/// A batch with a label of an earlier plugin.
pub fn labelled() -> Batch {
    let mut batch = batch(&records());
    batch.labels.annotate(Column::new("earlier", [(3, "here")]));
    batch
}

/// Runs an act that must fail: nothing of the call takes effect, and its events are counted as lost.
/// Returns the message of the fault.
#[track_caller]
pub fn fault_in_process(act: &str) -> String {
    let recorder = Recorder::default();
    let mut chain = Chain::new(vec![liar(act)], recorder.clone());
    let mut batch = labelled();
    let fault = chain.process(&mut batch).expect_err(act);

    let untouched = labelled();
    assert_eq!(batch.records(), untouched.records(), "{act}");
    assert_eq!(batch.labels, untouched.labels, "{act}");
    let (report, result) = drive(chain, []);
    result.expect("there was nothing left to do");
    let said = recorder.take();
    assert!(said.lines.is_empty(), "{act}: {:?}", said.lines);
    assert!(said.alerts.is_empty(), "{act}: {:?}", said.alerts);
    assert!(report.counters.is_empty(), "{act}: {:?}", report.counters);
    let page = &report.plugins[0];
    assert_eq!((page.events, page.lost), (10, 10), "{act}");

    let fault = fault.to_string();
    let words = fault.strip_prefix("plugin liar failed in process: ");
    // What an answer is wrong about is the call. A trap and an error have an event, the first one on which it fails.
    let places = [" [10 events, 0 to 9", " [event 0 ("];
    let words = words.and_then(|words| places.iter().find_map(|place| words.split_once(place)));
    let (words, _) = words.unwrap_or_else(|| panic!("{act}: {fault}"));
    words.to_owned()
}

/// Runs an act that is allowed; the lines that the plugin wrote.
#[track_caller]
pub fn lines(act: &str) -> Vec<String> {
    allowed(liar(act), [Item::Events(labelled())]).said.lines
}

/// Runs a plugin alone, which must not fail.
#[track_caller]
pub fn allowed(plugin: Plugin, items: impl IntoIterator<Item = Item>) -> Ran {
    let ran = run(vec![plugin], items);
    if let Err(error) = &ran.result {
        panic!("{error}");
    }
    ran
}
