//! The command line of `plugin`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::usage_error::UsageError;
use crate::config::PluginCommand;
use crate::config::PluginConfig;
use crate::config::Verbosity;
use crate::plugin::Origin;

/// Examples in the help text.
pub const EXAMPLES: &str = "\
Examples:
  retrans-host plugin list --dir /etc/retrans-host/plugins
  retrans-host plugin describe threshold-alert
  retrans-host plugin describe ./mine.wasm --json | jq '.settings[].key'";

/// Commands about plugins.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the bundled plugins, and those in a directory
    #[command(max_term_width = 100)]
    List {
        /// Also lists the files of this directory whose names end in .wasm
        #[arg(long = "dir", value_name = "DIR")]
        directory: Option<PathBuf>,
        /// Prints JSON: an array of objects with "plugin", "bundled", and "description" or "error"
        #[arg(long)]
        json: bool,
    },
    /// Describes a plugin: what it does, its settings, the grants it can use, its size and memory
    #[command(max_term_width = 100)]
    Describe {
        /// A .wasm file, or a bundled plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// The configuration of a command.
pub fn config(args: PluginArgs, verbosity: Verbosity) -> Result<PluginConfig, UsageError> {
    let command = match args.command {
        Command::List { directory, json } => PluginCommand::List { directory, json },
        Command::Describe { plugin, json } => PluginCommand::Describe {
            origin: Origin::named(&plugin).map_err(UsageError::NotBundled)?,
            json,
        },
    };
    Ok(PluginConfig { command, verbosity })
}
