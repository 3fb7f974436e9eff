//! Plugins and their settings, in the order in which they were written.

use clap::ArgMatches;

use super::PluginConfig;
use super::UsageError;
use crate::cli::ChainArgs;
use crate::plugin::Origin;
use crate::plugin::origin;

/// What runs when no plugin is named.
const DEFAULT_PLUGIN: &str = "json-print";

/// Brings plugins and settings back into the order in which they were written.
pub fn plugins(args: &ChainArgs, matches: &ArgMatches) -> Result<Vec<PluginConfig>, UsageError> {
    let positions = |id| matches.indices_of(id).into_iter().flatten();
    let mut settings = positions("settings").zip(&args.settings).peekable();
    let mut starts = positions("plugins").zip(&args.plugins).peekable();
    let first = starts.peek().map_or(usize::MAX, |(position, _)| *position);
    if let Some((_, setting)) = settings.next_if(|(position, _)| *position < first) {
        return Err(UsageError::NoPlugin(setting.clone()));
    }

    let mut plugins: Vec<PluginConfig> = Vec::new();
    while let Some((_, text)) = starts.next() {
        let mut plugin = plugin(text)?;
        let next = starts.peek().map_or(usize::MAX, |(position, _)| *position);
        while let Some((_, setting)) = settings.next_if(|(position, _)| *position < next) {
            let pair = setting.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| UsageError::NoKey(setting.clone()))?;
            plugin.settings.push((key.to_owned(), value.to_owned()));
        }
        if plugins.iter().any(|other| other.name == plugin.name) {
            return Err(UsageError::Twice(plugin.name));
        }
        plugins.push(plugin);
    }
    if plugins.is_empty() {
        plugins.push(plugin(DEFAULT_PLUGIN)?);
    }
    Ok(plugins)
}

/// `[NAME=]FILE`. A path may have a `=` in it; a name has no `/`.
fn plugin(text: &str) -> Result<PluginConfig, UsageError> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) if !name.contains('/') => (Some(name), file),
        _ => (None, text),
    };
    let origin = origin(file).map_err(UsageError::NotBundled)?;
    let name = name.map_or_else(|| default_name(&origin), str::to_owned);
    let allowed = |char: char| char.is_alphanumeric() || "-_.".contains(char);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(UsageError::BadName(text.to_owned()));
    }
    Ok(PluginConfig {
        name,
        origin,
        settings: Vec::new(),
    })
}

/// The name of the bundled plugin, or of the file without .wasm.
fn default_name(origin: &Origin) -> String {
    match origin {
        Origin::Bundled(name) => (*name).to_owned(),
        Origin::File(path) => path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
    }
}
