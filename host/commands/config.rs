//! The command `config check`: tells whether the host would start with a configuration file.

use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;

use super::engine;
use super::print_result;
use crate::config::Watch;
use crate::fleet;
use crate::network;
use crate::plugin::Plugin;
use crate::system::sanitize::printable;

/// Starts the plugins of a file, which was read: they check their settings. An error if one does not start.
pub fn check(file: &Path, watch: &Watch) -> Result<()> {
    let engine = engine()?;
    for (number, spec) in watch.chain.plugins.iter().enumerate() {
        Plugin::start(&engine, spec)
            .with_context(|| format!("{}: plugin[{}]", file.display(), number + 1))?;
    }
    let publish = fleet::Plan::prepare(watch.publish.as_ref());
    publish.with_context(|| format!("{}: publish", file.display()))?;
    let names: Vec<_> = watch
        .chain
        .plugins
        .iter()
        .map(|plugin| plugin.name.as_str())
        .collect();
    let sinks = network::names(&watch.chain.network);
    let sinks = match sinks.is_empty() {
        true => String::new(),
        false => format!("; it would deliver to {}", sinks.join(", ")),
    };
    let publish = watch.publish.as_ref();
    let publish = publish.map_or(String::new(), |publish| {
        format!("; it would publish to {}", publish.broker.servers())
    });
    let file = printable(&file.to_string_lossy());
    print_result(&format!(
        "{file}: the host would start, with {}{sinks}{publish}\n",
        names.join(", ")
    ))
}
