//! The plugins of the command line, each with what is said about it behind its name.

use std::path::PathBuf;

use clap::ArgMatches;

use super::UsageError;
use super::args::ChainArgs;
use super::limits;
use crate::plugin::Digest;
use crate::plugin::Limits;
use crate::plugin::OnFault;
use crate::plugin::Origin;
use crate::plugin::Spec;

/// What runs when no plugin is named.
const DEFAULT_PLUGIN: &str = "json-print";

/// An option that belongs to a plugin, or names one.
enum Said<'a> {
    Plugin(&'a str),
    Set(&'a str),
    Limit(&'a str),
    Allow(&'a str),
    OnFault(OnFault),
}

/// Brings plugins, and what is said about them, back into the order in which they were written.
pub fn plugins(args: &ChainArgs, matches: &ArgMatches) -> Result<Vec<Spec>, UsageError> {
    let positions = |id| matches.indices_of(id).into_iter().flatten();
    let mut said: Vec<(usize, Said<'_>)> = Vec::new();
    said.extend(positions("plugins").zip(args.plugins.iter().map(|text| Said::Plugin(text))));
    said.extend(positions("settings").zip(args.settings.iter().map(|text| Said::Set(text))));
    said.extend(positions("limits").zip(args.limits.iter().map(|text| Said::Limit(text))));
    said.extend(positions("allow").zip(args.allow.iter().map(|text| Said::Allow(text))));
    said.extend(
        positions("on_fault").zip(
            args.on_fault
                .iter()
                .map(|action| Said::OnFault((*action).into())),
        ),
    );
    said.sort_by_key(|(position, _)| *position);

    // What stands before the first plugin is said about all.
    let (mut limits, mut on_fault) = (Limits::default(), OnFault::default());
    let mut plugins: Vec<Spec> = Vec::new();
    for (_, said) in said {
        let plugin = plugins.last_mut();
        match said {
            Said::Plugin(text) => {
                let plugin = plugin_named(text, limits, on_fault)?;
                if plugins.iter().any(|other| other.name == plugin.name) {
                    return Err(UsageError::Twice(plugin.name));
                }
                plugins.push(plugin);
            }
            Said::Set(text) => {
                let plugin = plugin.ok_or_else(|| no_plugin("--set", text))?;
                let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
                let (key, value) = pair.ok_or_else(|| UsageError::NoKey(text.to_owned()))?;
                plugin.settings.push((key.to_owned(), value.to_owned()));
            }
            Said::Limit(text) => {
                limits::apply(
                    text,
                    plugin.map_or(&mut limits, |plugin| &mut plugin.limits),
                )?;
            }
            Said::Allow(text) => {
                let plugin = plugin.ok_or_else(|| no_plugin("--allow", text))?;
                match text.split_once('=') {
                    Some(("env", name)) if !name.is_empty() => {
                        plugin.grants.env.push(name.to_owned());
                    }
                    Some(("read", directory)) if !directory.is_empty() => {
                        plugin.grants.read.push(PathBuf::from(directory));
                    }
                    _ => return Err(UsageError::NoGrant(text.to_owned())),
                }
            }
            Said::OnFault(action) => {
                *plugin.map_or(&mut on_fault, |plugin| &mut plugin.on_fault) = action;
            }
        }
    }
    if plugins.is_empty() {
        plugins.push(plugin_named(DEFAULT_PLUGIN, limits, on_fault)?);
    }
    Ok(plugins)
}

fn no_plugin(option: &'static str, text: &str) -> UsageError {
    UsageError::NoPlugin(option, text.to_owned())
}

/// `[NAME=]FILE[#sha256=HEX]`. A path may have a `=` in it; a name has no `/`.
fn plugin_named(text: &str, limits: Limits, on_fault: OnFault) -> Result<Spec, UsageError> {
    let (rest, digest) = match text.rsplit_once("#sha256=") {
        Some((rest, digits)) => {
            let digest = digits.parse::<Digest>();
            let bad = |error| UsageError::BadDigest(text.to_owned(), error);
            (rest, Some(digest.map_err(bad)?))
        }
        None => (text, None),
    };
    let (name, file) = match rest.split_once('=') {
        Some((name, file)) if !name.contains('/') => (Some(name), file),
        _ => (None, rest),
    };
    let origin = Origin::named(file).map_err(UsageError::NotBundled)?;
    let bad_name = match name {
        Some(_) => UsageError::BadName,
        None => UsageError::NoName,
    };
    let name = name.map_or_else(|| default_name(&origin), str::to_owned);
    let allowed = |char: char| char.is_alphanumeric() || "-_.".contains(char);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(bad_name(text.to_owned()));
    }
    Ok(Spec {
        digest,
        limits,
        on_fault,
        ..Spec::new(&name, origin)
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
