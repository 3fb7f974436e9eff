//! Passes the events of a report through plugins as well, whose alerts it lists.

use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::Context as _;
use anyhow::Result;
use retrans_view::report::alert as view;
use retrans_view::report::collect::Collected;

use super::interrupted;
use super::read::Reading;
use crate::config::ChainConfig;
use crate::config::Recorded;
use crate::pipeline;
use crate::pipeline::Handlers;
use crate::pipeline::Outputs;
use crate::pipeline::channel::REPLAY_BACKLOG;
use crate::plugin::Compiler;
use crate::plugin::run::EventSource;
use crate::plugin::run::Run;
use crate::plugin::run::RunInfo;
use crate::sink::queue::Destination;
use crate::sink::queue::Message;
use crate::sink::queue::Queue;
use crate::sink::queue::Subscription;
use crate::source::outflow::Outflow;
use crate::source::replay::Input;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::ReplayStats;
use crate::stream::collect;
use crate::stream::moment::Mark;

/// Collects the alerts in the thread of their queue. They are bounded there.
#[derive(Debug, Clone, Default)]
struct Raised(Arc<Mutex<view::Alerts>>);

impl Raised {
    fn take(&self) -> view::Alerts {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Destination for Raised {
    fn name(&self) -> &str {
        "report"
    }

    fn subscription(&self) -> Subscription {
        Subscription {
            alerts: true,
            ..Subscription::default()
        }
    }

    fn deliver(&mut self, message: Message) -> u64 {
        let Message::Alerts(alerts) = message else {
            return 0;
        };
        let count = alerts.len() as u64;
        let mut raised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alerts
            .into_iter()
            .map(collect::alert)
            .for_each(|alert| raised.add(alert));
        count
    }
}

/// Reads the inputs into `collected` and through the chain.
pub fn run(
    config: &ChainConfig,
    reading: &Reading<'_>,
    recorded: &[Recorded],
    collected: &mut Collected,
) -> Result<()> {
    let stop = reading.stop;
    let handlers = Handlers::listen()?;
    let shared = SharedStats::default();
    let run = RunInfo::default();
    let raised = Raised::default();
    let queue = Queue::start(raised.clone()).context("cannot start the thread of a sink")?;
    let compiler = Compiler::this_program();
    let outputs = Outputs {
        queues: vec![queue],
        ..Outputs::default()
    };
    let prepared =
        pipeline::prepare_with(config, compiler, handlers, stop, &shared, &run, outputs)?;
    let Some(chain) = prepared else {
        return interrupted();
    };
    let names = config.plugins.iter().map(|plugin| plugin.name.clone());
    collected.plugins = Some(names.collect());
    let inputs = reading.open(recorded)?;
    let host = inputs.iter().find_map(Input::host);
    run.set(Run {
        source: EventSource::Replay,
        host: host.map(|host| host.name.clone()),
        kernel: host.map(|host| host.kernel.clone()),
    });
    let ended = pipeline::run(chain, stop, REPLAY_BACKLOG, |channel| {
        let mut out = Outflow::new(channel, stop, Vec::new());
        let read = reading.read(recorded, inputs, collected, |item| out.send(item));
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                // The chain ends with the stream.
                out.end(
                    Mark::default(),
                    &mut Stats::of_replay(ReplayStats::default()),
                );
                return Err(error);
            }
        };
        let mut stats = Stats::of_replay(read.stats);
        out.end(read.last, &mut stats);
        Ok(stats)
    })?;
    let Some(ended) = ended else {
        return interrupted();
    };
    ended.result()?;
    collected.alerts = raised.take();
    Ok(())
}
