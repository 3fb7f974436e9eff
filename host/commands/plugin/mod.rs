//! The command `plugin`: what can be known and tried of a plugin, on the same code path as a run.

mod bench;
mod componentize;
mod describe;
mod diff;
mod explain;
mod golden;
mod list;
mod new;
mod profile;
#[cfg(feature = "network")]
mod pull;
#[cfg(feature = "network")]
mod push;
mod trial;

use anyhow::Result;

use crate::config::PluginCommand;

/// Runs a command about plugins.
pub fn run(command: &PluginCommand) -> Result<()> {
    match command {
        PluginCommand::List {
            directory,
            keys,
            json,
        } => list::list(directory.as_deref(), keys, *json),
        PluginCommand::Describe { origin, keys, json } => describe::describe(origin, keys, *json),
        #[cfg(feature = "network")]
        PluginCommand::Pull(config) => pull::pull(config),
        #[cfg(feature = "network")]
        PluginCommand::Push(config) => push::push(config),
        PluginCommand::Componentize { module, output } => {
            componentize::componentize(module, output)
        }
        PluginCommand::Bench(config) => bench::bench(config),
        PluginCommand::Diff(config) => diff::diff(config),
        PluginCommand::Explain(explain) => explain::explain(explain),
        PluginCommand::New(config) => new::new(config),
        PluginCommand::Profile(config) => profile::profile(config),
        PluginCommand::Test(test) => golden::test(test),
    }
}
