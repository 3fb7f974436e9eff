//! The command line of `plugin new`.

use std::path::PathBuf;

use clap::ArgGroup;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::crate_name;
use super::usage_error::UsageError;
use crate::config::Language;
use crate::config::PluginNew;
use crate::config::Template;

/// A project for a plugin.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("template").args(["filter", "transform", "alert", "stateful"])))]
pub struct NewArgs {
    /// Name of the plugin, and of the directory that is made
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The language of the plugin
    #[arg(
        long = "lang",
        value_name = "LANGUAGE",
        default_value = Language::Rust.name(),
        value_parser = PossibleValuesParser::new(Language::ALL.map(Language::name)),
    )]
    pub language: String,
    /// Begins with a plugin that keeps some events. This is the default
    #[arg(long)]
    pub filter: bool,
    /// Begins with a plugin that labels events
    #[arg(long)]
    pub transform: bool,
    /// Begins with a plugin that raises and resolves alerts
    #[arg(long)]
    pub alert: bool,
    /// Begins with a plugin whose state survives a new version
    #[arg(long)]
    pub stateful: bool,
    /// Uses the SDK of Rust in this directory, instead of writing its sources to the project
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
}

impl NewArgs {
    /// The configuration of the command.
    pub fn config(self) -> Result<PluginNew, UsageError> {
        let template = match self {
            NewArgs {
                transform: true, ..
            } => Template::Transform,
            NewArgs { alert: true, .. } => Template::Alert,
            NewArgs { stateful: true, .. } => Template::Stateful,
            _ => Template::Filter,
        };
        let known = Language::ALL
            .into_iter()
            .find(|language| language.name() == self.language);
        let language = known.unwrap_or(Language::Rust);
        if self.sdk.is_some() && language != Language::Rust {
            return Err(UsageError::SdkOfRust(language.name()));
        }
        Ok(PluginNew {
            name: crate_name::check(self.name)?,
            template,
            language,
            sdk: self.sdk,
        })
    }
}
