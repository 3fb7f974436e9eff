//! Gives up what only the start of watching needs: capabilities, the user, and most of what a process may ask of the
//! kernel. What a run still needs follows from its configuration.

use std::path::PathBuf;

use anyhow::Result;
use rustix::thread::CapabilitySet;

use crate::config::RecordConfig;
use crate::config::SinkConfig;
use crate::config::Watch;
use crate::fleet;
use crate::network;
use crate::plugin::Origin;
use crate::plugin::cache;
use crate::plugin::signature;
use crate::source::bpf::permissions;
use crate::source::owner::names::Places;
use crate::system::privileges;
use crate::system::sandbox;
use crate::system::sandbox::Lacking;
use crate::system::sandbox::files;
use crate::system::sandbox::files::Files;
use crate::system::sandbox::system_calls::Calls;
use crate::system::sandbox::system_calls::Sockets;

/// Confines this process, which has one thread, to what the run needs, and to writing in the directories `written`.
/// Returns what the kernel lacks for that.
pub fn confine(
    config: &Watch,
    written: &[PathBuf],
    may_have_census: bool,
    network: &network::Plan,
    fleet: &fleet::Plan,
    names: Option<&Places>,
) -> Result<Vec<Lacking>> {
    let mut files = files(config);
    network.allow_files(&mut files);
    fleet.allow_files(&mut files);
    written.iter().for_each(|directory| files.write(directory));
    let mut kept = kept(config, !written.is_empty());
    if let Some(places) = names {
        places.allow(&mut files);
        // --user asks for a process with fewer rights.
        if config.user.is_none() {
            kept |= places.needed_capabilities();
        }
    }
    match &config.user {
        Some(user) => privileges::become_user(user, kept)?,
        None => privileges::keep_only(kept)?,
    }
    if !config.sandbox {
        tracing::warn!(
            "without the sandbox (--no-sandbox), a fault in this program or in the code of a plugin can open \
             any file of its user, start programs and use the network"
        );
        return Ok(Vec::new());
    }
    if files.are_all() {
        tracing::warn!(
            "a plugin, a grant, --record, --alerts-file or a file of a sink is in the directory /: the sandbox allows all files; \
             use a directory of its own"
        );
    }
    let calls = match may_have_census {
        true => Calls::ChangeMaps,
        false => Calls::ReadBpf,
    };
    let sockets = Sockets {
        accepts: config.listen.is_some(),
        connects: network.sockets().connects || fleet.connects(),
    };
    sandbox::confine(&files, calls, sockets)
}

/// The capabilities that the run keeps.
fn kept(config: &Watch, writes_files: bool) -> CapabilitySet {
    let mut kept = permissions::needed_after_attach();
    if config.user.is_none() && (writes_files || uses_files(config)) {
        kept |= privileges::of_files();
    }
    kept
}

/// Returns whether the run opens files that the operator has named.
fn uses_files(config: &Watch) -> bool {
    let plugins = config.chain.plugins.iter();
    let of_plugins = |plugin: &crate::plugin::Spec| {
        matches!(plugin.origin, Origin::File(_)) || !plugin.grants.read.is_empty()
    };
    plugins.clone().any(of_plugins)
        || !config.chain.sinks.is_empty()
        || config.chain.reread.is_some()
        || matches!(config.record, Some(RecordConfig::File(_)))
        || config
            .publish
            .as_ref()
            .is_some_and(|publish| publish.spool.is_some())
}

/// The directories that the run uses. Files are renamed, replaced and opened again while it lasts, so that their
/// directories are named.
fn files(config: &Watch) -> Files {
    let mut files = Files::default();
    for plugin in &config.chain.plugins {
        if let Origin::File(file) = &plugin.origin {
            files::directories(file)
                .into_iter()
                .for_each(|directory| files.read(directory));
        }
        // A new version has a new signature, and a file of the configuration that is read again may name the keys.
        let keys = plugin.keys.iter().filter_map(|key| key.file.clone());
        let keys = keys.filter(|_| config.chain.reread.is_some());
        for file in signature::needed(plugin).into_iter().chain(keys) {
            files::directories(&file)
                .into_iter()
                .for_each(|directory| files.read(directory));
        }
        plugin
            .grants
            .read
            .iter()
            .for_each(|directory| files.read(directory));
    }
    let alerts = config.chain.sinks.iter().map(|sink| match sink {
        SinkConfig::AlertsFile(file) => file,
    });
    let record = config.record.iter().filter_map(|record| match record {
        RecordConfig::File(record) => Some(&record.file),
        RecordConfig::Stdout => None,
    });
    for file in alerts.chain(record) {
        files.write_file(file);
    }
    // It is read again at SIGHUP, and plugins may lie beside it.
    if let Some(reread) = &config.chain.reread {
        files::directories(reread.file())
            .into_iter()
            .for_each(|directory| files.read(directory));
    }
    // Compiled code is kept in it.
    cache::user_directory()
        .into_iter()
        .for_each(|directory| files.write(directory));
    files
}
