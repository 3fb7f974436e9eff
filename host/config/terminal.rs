//! What a terminal changes: people read the lines of plugins there.

use serde_json::Value;

use super::ChainConfig;
use super::Config;
use super::LinesTo;
use crate::plugin::Origin;
use crate::system::stdio;
use crate::system::stdio::Terminal;

/// The plugin that runs on a terminal if none is named.
const FOR_PEOPLE: &str = "table-print";

impl Config {
    /// The configuration with what the standard output of this process changes.
    pub fn for_this_output(mut self) -> Config {
        let chain = match &mut self {
            Config::Watch(watch) => &mut watch.chain,
            Config::Replay(replay) => &mut replay.chain,
            _ => return self,
        };
        if let Some(terminal) = stdio::terminal() {
            chain.fit(terminal);
        }
        self
    }
}

impl ChainConfig {
    /// Fits the chain to a terminal that is standard output: runs `table-print` if no plugin was named, and offers every
    /// plugin the settings `color` and `width`. Nothing changes if no lines go there.
    pub fn fit(&mut self, terminal: Terminal) {
        if self.lines != LinesTo::Stdout {
            return;
        }
        for plugin in &mut self.plugins {
            if self.is_default {
                plugin.name = FOR_PEOPLE.to_owned();
                plugin.origin = Origin::Bundled(FOR_PEOPLE);
            }
            plugin.settings.offered = vec![
                ("color", Value::Bool(terminal.has_colours)),
                ("width", Value::from(terminal.columns)),
            ];
        }
    }
}
