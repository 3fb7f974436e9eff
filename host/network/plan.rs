//! What is to run in the network's thread: prepared while the process has all its rights, started when it is confined.

use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use retrans_deliver::Outlets;
use retrans_deliver::Runner;

use super::files;
use super::receivers::Deliveries;
use super::receivers::Receivers;
use super::receivers::receivers_of;
use super::sink::NetworkSink;
use crate::config::ChainConfig;
use crate::config::Network;
use crate::sink::Sink;
use crate::system::sandbox;
use crate::system::sandbox::files::Files;
use crate::system::sandbox::system_calls::Sockets;
use crate::system::threads;

/// What is to run in the network's thread.
pub struct Plan {
    network: Network,
    /// The configuration is read again.
    is_read_again: bool,
    deliveries: Arc<Deliveries>,
    runner: Runner,
    /// Something is delivered.
    has_receivers: bool,
    /// Something else runs in the thread.
    has_tasks: bool,
}

impl Plan {
    /// Reads the files of the receivers. Makes no connection and starts no thread.
    ///
    /// # Errors
    ///
    /// If a receiver cannot be used; the error has its name.
    pub fn prepare(chain: &ChainConfig) -> Result<Plan> {
        let network = chain.network.clone();
        let (outlets, runner) = prepare(&receivers_of(&network, &chain.plugins))?;
        Ok(Plan {
            has_receivers: !outlets.counted().is_empty(),
            deliveries: Arc::new(Deliveries::new(outlets, network.metrics_interval)),
            network,
            is_read_again: chain.reread.is_some(),
            runner,
            has_tasks: false,
        })
    }

    /// Runs a further task in the thread, from the start until the end of the run, which does not wait for it.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.runner.spawn(task);
        self.has_tasks = true;
    }

    /// What changes the receivers while the run lasts.
    pub fn receivers(&self) -> Receivers {
        Receivers::new(
            Arc::clone(&self.deliveries),
            self.has_receivers,
            self.network.clone(),
        )
    }

    /// Allows what deliveries read while the run lasts: secrets, which may be renewed, and what names of hosts are looked up
    /// with; if the configuration is read again, all files of sinks.
    pub fn allow_files(&self, files: &mut Files) {
        if !self.has_receivers {
            return;
        }
        let read_again = self.network.files.iter();
        let read_again = read_again.filter(|_| self.is_read_again);
        for file in self.runner.files().iter().chain(read_again) {
            sandbox::files::directories(file)
                .into_iter()
                .for_each(|directory| files.read(directory));
        }
        files::allow(files);
    }

    /// The uses of sockets that deliveries need.
    pub fn sockets(&self) -> Sockets {
        Sockets {
            connects: self.has_receivers,
            accepts: false,
        }
    }

    /// Starts the thread, if there is something to run in it. Returns the sink, which ends the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses a further thread.
    pub fn start(self) -> Result<Option<Box<dyn Sink + Send>>> {
        let Plan {
            deliveries, runner, ..
        } = self;
        if !self.has_receivers && !self.has_tasks {
            return Ok(None);
        }
        let run = || {
            if let Err(error) = runner.run() {
                tracing::error!("nothing is delivered over the network: {error}");
            }
        };
        let started = threads::named("network").spawn(run);
        started.context("cannot start the thread of the network")?;
        Ok(Some(Box::new(NetworkSink::new(deliveries))))
    }
}

fn prepare(receivers: &retrans_deliver::Config) -> Result<(Outlets, Runner)> {
    let prepared = retrans_deliver::prepare(receivers);
    prepared.map_err(|error| anyhow::anyhow!("sink {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use retrans_deliver::alertmanager;

    use super::*;
    use crate::config::LinesTo;
    use crate::config::Verbosity;
    use crate::network::names;
    use crate::plugin::Origin;
    use crate::plugin::Spec;

    fn chain(network: Network, plugins: &[(&str, &str)]) -> ChainConfig {
        let plugins = plugins.iter().map(|(name, file)| {
            let origin = Origin::named(file).expect("a plugin");
            Spec::new(name, origin)
        });
        ChainConfig {
            plugins: plugins.collect(),
            is_default: false,
            reread: None,
            watch_files: false,
            lines: LinesTo::Stdout,
            json_alerts: false,
            sinks: Vec::new(),
            network,
            count: None,
            duration: None,
            stats_every: None,
            verbosity: Verbosity::Normal,
        }
    }

    #[test]
    fn without_sinks_and_tasks_there_is_no_thread_and_nothing_is_allowed() {
        let plan = Plan::prepare(&chain(Network::default(), &[])).expect("nothing to read");
        assert_eq!(plan.sockets(), Sockets::default());
        let mut files = Files::default();
        plan.allow_files(&mut files);
        assert_eq!(files, Files::default());
        assert!(plan.start().expect("no thread").is_none());
    }

    #[test]
    fn a_task_runs_without_a_sink_until_the_end_and_may_not_connect() {
        let mut plan = Plan::prepare(&chain(Network::default(), &[])).expect("nothing to read");
        let (started, wait) = mpsc::channel();
        plan.spawn(async move {
            let _ = started.send(());
            std::future::pending().await
        });
        assert_eq!(plan.sockets(), Sockets::default());
        let mut sink = plan.start().expect("a thread").expect("a task");
        assert_eq!(wait.recv_timeout(Duration::from_secs(15)), Ok(()));
        assert_eq!(sink.finish(), []);
        // Its sender is dropped with the task.
        let ended = wait.recv_timeout(Duration::from_secs(15));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_sink_may_connect_and_read_what_names_are_looked_up_with() {
        let mut network = Network::default();
        let urls = vec!["http://localhost:9093".to_owned()];
        let sink = alertmanager::Config::new(urls, "web-1");
        network.receivers.alertmanagers.push(sink);
        assert_eq!(names(&network), ["alertmanager"]);
        let plan = Plan::prepare(&chain(network, &[])).expect("nothing to read");
        assert!(plan.sockets().connects);
        let mut files = Files::default();
        plan.allow_files(&mut files);
        assert_ne!(files, Files::default());
        assert!(!files.are_all());
    }
}
