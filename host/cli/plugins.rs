//! Assigns the options of plugins (`--set`, `--settings`, `--limit`, `--allow`, `--verify-key`,
//! `--on-fault`) to the plugin named before them.

use std::path::Path;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::Args;

use super::UsageError;
use super::limits;
use super::settings_file;
use super::verify_key;
use crate::config::ChainConfig;
use crate::plugin::Digest;
use crate::plugin::Limits;
use crate::plugin::OnFault;
use crate::plugin::Origin;
use crate::plugin::Spec;
use crate::plugin::VerifyKey;
use crate::plugin::bundled;

/// The plugin that runs if the command line names none.
const DEFAULT_PLUGIN: &str = "json-print";

/// An option whose position on the command line matters: `--plugin`, or one that applies to a plugin.
enum PluginOption<'a> {
    Plugin(&'a str),
    Set(&'a str),
    Settings(&'a Path),
    SettingsJson(&'a str),
    Limit(&'a str),
    Allow(&'a str),
    VerifyKey(&'a str),
    OnFault(OnFault),
}

/// The limits of plugins that are tried out: an author wants to see every line of the log.
fn limits_of_trials() -> Limits {
    Limits {
        log: u64::MAX,
        ..Limits::default()
    }
}

/// The values of the options of a chain, each in the order of the command line.
pub struct ChainOptions<'a> {
    /// Whether recorded events pass through the chain, so that the lines of the plugins' logs have no limit.
    pub is_trial: bool,
    /// The plugins.
    pub plugins: &'a [String],
    /// `--set`
    pub settings: &'a [String],
    /// `--settings`
    pub settings_files: &'a [PathBuf],
    /// `--settings-json`
    pub settings_json: &'a [String],
    /// `--limit`
    pub limits: &'a [String],
    /// `--allow`
    pub allow: &'a [String],
    /// `--verify-key`
    pub verify_keys: &'a [String],
    /// `--on-fault`
    pub on_fault: Vec<OnFault>,
}

/// The options of one plugin, as in a run.
#[derive(Debug, Args)]
pub struct OptionArgs {
    /// Sets a setting of the plugin, such as --set threshold=50. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Reads settings of the plugin from a file: TOML, or JSON if its name ends in .json. --set replaces them
    #[arg(long = "settings", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,
    /// Sets limits of the plugin
    #[arg(long = "limit", value_name = "KEY=VALUE,...")]
    pub limits: Vec<String>,
    /// Grants the plugin an environment variable (env=NAME), or the files below a directory (read=DIR). Repeatable
    #[arg(long = "allow", value_name = "GRANT")]
    pub allow: Vec<String>,
    /// Uses the plugin only if this key has signed its file: FILE.minisig must be a signature of minisign. Repeatable:
    /// one of the keys must fit
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,
}

/// Returns the plugins in the order of the command line, each with its options; `json-print` if there is none. clap
/// keeps the values of each option in a list of its own; their indices restore the common order.
pub fn plugins(args: &ChainOptions<'_>, matches: &ArgMatches) -> Result<Vec<Spec>, UsageError> {
    let positions = |id| {
        // A command may lack an option.
        let indices = matches.try_contains_id(id).map(|_| matches.indices_of(id));
        indices.ok().flatten().into_iter().flatten()
    };
    let names = args.plugins.iter().map(|text| PluginOption::Plugin(text));
    let settings = args.settings.iter().map(|text| PluginOption::Set(text));
    let files = args.settings_files.iter();
    let files = files.map(|file| PluginOption::Settings(file));
    let jsons = args.settings_json.iter();
    let jsons = jsons.map(|text| PluginOption::SettingsJson(text));
    let limits = args.limits.iter().map(|text| PluginOption::Limit(text));
    let grants = args.allow.iter().map(|text| PluginOption::Allow(text));
    let keys = args.verify_keys.iter();
    let keys = keys.map(|text| PluginOption::VerifyKey(text));
    let actions = args.on_fault.iter().copied();
    let mut options: Vec<(usize, PluginOption<'_>)> = Vec::new();
    options.extend(positions("plugins").zip(names));
    options.extend(positions("settings").zip(settings));
    options.extend(positions("settings_files").zip(files));
    options.extend(positions("settings_json").zip(jsons));
    options.extend(positions("limits").zip(limits));
    options.extend(positions("allow").zip(grants));
    options.extend(positions("verify_keys").zip(keys));
    options.extend(positions("on_fault").zip(actions.map(PluginOption::OnFault)));
    options.sort_by_key(|(position, _)| *position);

    // Limits, keys and actions before the first plugin apply to all plugins.
    let mut limits = match args.is_trial {
        true => limits_of_trials(),
        false => Limits::default(),
    };
    let mut on_fault = OnFault::default();
    let mut keys: Vec<VerifyKey> = Vec::new();
    // Whether the last plugin has keys of its own, which take the place of those for all.
    let mut has_own_keys = false;
    let mut plugins: Vec<Spec> = Vec::new();
    for (_, option) in options {
        let plugin = plugins.last_mut();
        match option {
            PluginOption::Plugin(text) => {
                let plugin = parse_plugin(text, limits, on_fault)?;
                if plugins.iter().any(|other| other.name == plugin.name) {
                    return Err(UsageError::DuplicateName(plugin.name));
                }
                has_own_keys = false;
                plugins.push(Spec {
                    keys: keys.clone(),
                    ..plugin
                });
            }
            PluginOption::Set(text) => {
                set(plugin.ok_or_else(|| no_plugin("--set", text))?, text)?;
            }
            PluginOption::Settings(file) => {
                let option = || no_plugin("--settings", &file.display().to_string());
                settings_file::read(plugin.ok_or_else(option)?, file)?;
            }
            PluginOption::SettingsJson(text) => {
                let option = || no_plugin("--settings-json", text);
                settings_file::read_json(plugin.ok_or_else(option)?, text)?;
            }
            PluginOption::Limit(text) => {
                limits::apply(
                    text,
                    plugin.map_or(&mut limits, |plugin| &mut plugin.limits),
                )?;
            }
            PluginOption::Allow(text) => {
                allow(plugin.ok_or_else(|| no_plugin("--allow", text))?, text)?;
            }
            PluginOption::VerifyKey(text) => {
                let key = verify_key::read(text)?;
                let Some(plugin) = plugin else {
                    keys.push(key);
                    continue;
                };
                if !std::mem::replace(&mut has_own_keys, true) {
                    plugin.keys.clear();
                }
                plugin.keys.push(key);
            }
            PluginOption::OnFault(action) => {
                *plugin.map_or(&mut on_fault, |plugin| &mut plugin.on_fault) = action;
            }
        }
    }
    if plugins.is_empty() {
        plugins.push(parse_plugin(DEFAULT_PLUGIN, limits, on_fault)?);
    }
    Ok(plugins)
}

/// Returns the one plugin of a command, with its options. A fault in it ends the command.
pub fn one(text: &str, options: &OptionArgs) -> Result<Spec, UsageError> {
    let plugin = parse_plugin(text, limits_of_trials(), OnFault::Stop);
    let mut plugin = plugin.map_err(|error| match error {
        UsageError::NotBundled(reason) => UsageError::UnknownPlugin(reason),
        error => error,
    })?;
    for file in &options.settings_files {
        settings_file::read(&mut plugin, file)?;
    }
    for text in &options.settings {
        set(&mut plugin, text)?;
    }
    for text in &options.limits {
        limits::apply(text, &mut plugin.limits)?;
    }
    for text in &options.allow {
        allow(&mut plugin, text)?;
    }
    plugin.keys = verify_key::all(&options.verify_keys)?;
    Ok(plugin)
}

/// Applies `--set KEY=VALUE`.
fn set(plugin: &mut Spec, text: &str) -> Result<(), UsageError> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| UsageError::NoKey(text.to_owned()))?;
    plugin
        .settings
        .texts
        .push((key.to_owned(), value.to_owned()));
    Ok(())
}

/// Applies `--allow GRANT`.
fn allow(plugin: &mut Spec, text: &str) -> Result<(), UsageError> {
    match text.split_once('=') {
        Some(("env", name)) if !name.is_empty() => plugin.grants.env.push(name.to_owned()),
        Some(("read", directory)) if !directory.is_empty() => {
            plugin.grants.read.push(PathBuf::from(directory));
        }
        _ => return Err(UsageError::UnknownGrant(text.to_owned())),
    }
    Ok(())
}

fn no_plugin(option: &'static str, text: &str) -> UsageError {
    UsageError::NoPlugin(option, text.to_owned())
}

/// Parses `[NAME=]FILE[#sha256=HEX]`. A path may contain a `=`, but a name contains no `/`.
fn parse_plugin(text: &str, limits: Limits, on_fault: OnFault) -> Result<Spec, UsageError> {
    let (rest, digest) = match text.rsplit_once("#sha256=") {
        Some((rest, digits)) => {
            let digest = digits.parse::<Digest>();
            let invalid = |error| UsageError::InvalidDigest(text.to_owned(), error);
            (rest, Some(digest.map_err(invalid)?))
        }
        None => (text, None),
    };
    let (name, file) = match rest.split_once('=') {
        Some((name, file)) if !name.contains('/') => (Some(name), file),
        _ => (None, rest),
    };
    let origin = Origin::named(file).map_err(UsageError::NotBundled)?;
    let invalid_name = match name {
        Some(_) => UsageError::InvalidName,
        None => UsageError::InvalidFileName,
    };
    let name = name.map_or_else(|| default_name(&origin), str::to_owned);
    let allowed = |char: char| char.is_alphanumeric() || "-_.".contains(char);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(invalid_name(text.to_owned()));
    }
    Ok(Spec {
        digest,
        limits,
        on_fault,
        ..Spec::new(&name, origin)
    })
}

/// The name of an instance without `NAME=`: that of the bundled plugin, or that of the file without its extension.
fn default_name(origin: &Origin) -> String {
    match origin {
        Origin::Bundled(name) => (*name).to_owned(),
        Origin::File(path) => path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
    }
}

/// Without a plugin, nothing prints lines.
pub(super) fn pass_on(chain: &mut ChainConfig) {
    if !chain.is_default {
        return;
    }
    for plugin in &mut chain.plugins {
        plugin.name = bundled::PASS_THROUGH.to_owned();
        plugin.origin = Origin::Bundled(bundled::PASS_THROUGH);
    }
}
