//! Changes the chain and the sinks over the network to what the configuration file says now: the chain between two
//! batches, and each independently of the other. On any error before a change, what runs stays as it is.

use crate::chain::Member;
use crate::config::Network;
use crate::config::Reconfigured;
use crate::config::Reread;
use crate::network::Receivers;
use crate::pipeline::running::Running;
use crate::pipeline::running::Watched;
use crate::plugin::Plugin;
use crate::plugin::Spec;

/// Reads the configuration file again.
pub struct Reconfigurer {
    reread: Reread,
    can: Can,
    /// `None`: what is delivered over the network stays.
    receivers: Option<Receivers>,
}

/// What plugins that are added can have: the process has given up everything else.
#[derive(Debug, Clone, Copy)]
pub struct Can {
    /// A census is made, or its programs are there.
    pub have_census: bool,
    /// The thread of the chain may open files that the operator has named.
    pub read_files: bool,
}

/// Why the running chain stays.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Start(String),
    #[error("plugin {0} asks for a census, and there was none at the start: that needs a restart")]
    Census(String),
    #[error("plugin {0} was granted files, and no plugin was at the start: that needs a restart")]
    Files(String),
    #[error("the chain has ended")]
    Ended,
}

impl Reconfigurer {
    /// For a run that can have this.
    pub fn new(reread: Reread, can: Can, receivers: Option<Receivers>) -> Reconfigurer {
        Reconfigurer {
            reread,
            can,
            receivers,
        }
    }

    /// Reads the file, changes the sinks over the network and the chain, and logs what became of it. Returns the names of
    /// the plugins that were started.
    pub(super) fn reconfigure(&mut self, chain: &mut Running) -> Vec<String> {
        let file = self.reread.file().to_owned();
        let file = file.display();
        let Reconfigured {
            plugins,
            network,
            needs_restart,
        } = match self.reread.read() {
            Ok(reconfigured) => reconfigured,
            Err(error) => {
                tracing::warn!("{error}; the running configuration stays");
                return Vec::new();
            }
        };
        for option in &needs_restart {
            tracing::warn!(
                "{file}: {option} has changed: that needs a restart; the old value stays"
            );
        }
        // Before the plugins: their first alerts then reach sinks that are new.
        let are_sinks_same = self.change_sinks(&network, &plugins);
        let running = chain.plugins.iter().map(|plugin| &plugin.spec);
        if running.eq(&plugins) {
            if needs_restart.is_empty() && are_sinks_same {
                tracing::info!("{file}: the configuration has not changed");
            }
            return Vec::new();
        }
        match self.change(chain, plugins) {
            Ok(started) => {
                let names = chain.plugins.iter().map(|plugin| &*plugin.spec.name);
                let names: Vec<_> = names.collect();
                tracing::info!("{file}: the plugins are now {}", names.join(", "));
                started
            }
            Err(refused) => {
                tracing::warn!("{file}: {refused}; the running plugins stay");
                Vec::new()
            }
        }
    }

    /// Changes the sinks over the network, and logs what became of it. Returns whether they are what the file says, as they
    /// were before.
    fn change_sinks(&mut self, network: &Network, plugins: &[Spec]) -> bool {
        let file = self.reread.file().display();
        let Some(receivers) = &mut self.receivers else {
            return true;
        };
        match receivers.change(network, plugins) {
            Ok(changes) => {
                changes
                    .iter()
                    .for_each(|change| tracing::info!("{file}: {change}"));
                changes.is_empty()
            }
            Err(refused) => {
                tracing::warn!("{file}: {refused}; the running sinks stay");
                false
            }
        }
    }

    /// Starts what is new, and hands the plugins to the chain. Returns the names of those that were started.
    fn change(&self, chain: &mut Running, specs: Vec<Spec>) -> Result<Vec<String>, Refused> {
        let mut members = Vec::new();
        let mut watched = Vec::new();
        for spec in &specs {
            let place = chain.plugins.iter().position(|running| {
                // Another component has nothing of the state of this one.
                running.spec.name == spec.name && running.spec.origin == spec.origin
            });
            let plugin = match place {
                Some(place) if chain.plugins[place].spec == *spec => {
                    members.push(Member::Same(place));
                    watched.push(None);
                    continue;
                }
                _ => self.start(chain, spec)?,
            };
            watched.push(Some(Watched::new(&plugin)));
            let plugin = Box::new(plugin);
            members.push(match place {
                Some(place) => Member::Replaced(place, plugin),
                None => Member::New(plugin),
            });
        }
        let places: Vec<_> = members.iter().map(Member::place).collect();
        let results = chain.change(members).map_err(|_| Refused::Ended)?;
        let mut running: Vec<_> = std::mem::take(&mut chain.plugins)
            .into_iter()
            .map(Some)
            .collect();
        let mut started = Vec::new();
        for ((place, watched), result) in places.into_iter().zip(watched).zip(results) {
            let mut old = || place.and_then(|place| running.get_mut(place)?.take());
            let kept = match (watched, result) {
                (Some(new), Ok(())) => {
                    started.push(new.spec.name.clone());
                    Some(new)
                }
                (Some(new), Err(error)) => {
                    let name = &new.spec.name;
                    tracing::warn!(
                        "plugin {name} is as before, its new options are refused: {error}"
                    );
                    old()
                }
                (None, _) => old(),
            };
            chain.plugins.extend(kept);
        }
        Ok(started)
    }

    /// Starts a plugin, unless it needs what the process has given up.
    fn start(&self, chain: &Running, spec: &Spec) -> Result<Plugin, Refused> {
        if !spec.grants.read.is_empty() && !self.can.read_files {
            return Err(Refused::Files(spec.name.clone()));
        }
        let plugin = Plugin::start(&chain.engine, spec);
        let plugin = plugin.map_err(|error| Refused::Start(error.to_string()))?;
        match plugin.prepared.asks_for_census() && !self.can.have_census {
            true => Err(Refused::Census(spec.name.clone())),
            false => Ok(plugin),
        }
    }
}
