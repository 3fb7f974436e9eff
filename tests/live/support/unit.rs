//! The unit of the service: what it restricts the host to, without systemd.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompFilter;
use seccompiler::TargetArch;
use seccompiler::apply_filter;

use super::kernel::is_since;
use super::netns::command;
use crate::common::refusal::BINARY;
use crate::common::system_calls::OTHERS;
use crate::common::system_calls::name;
use crate::common::system_calls::system_service;

const UNIT: &str = include_str!("../../../deploy/systemd/retrans-host.service");

/// User and group of the host, as of a service with a user of its own.
pub const USER: u32 = 65_533;

/// All words of this setting, which may have several lines.
fn words(setting: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    let values = lines.filter(|(name, _)| *name == setting);
    values.flat_map(|(_, value)| value.split(' ')).collect()
}

/// The command of a host with the user, the capabilities and the filter for system calls that the unit sets.
pub fn host(arguments: &[&str]) -> Result<Command> {
    ensure!(words("SystemCallErrorNumber") == ["EPERM"]);
    ensure!(words("NoNewPrivileges") == ["yes"]);
    let capabilities = |setting, option| {
        let words = words(setting);
        let names = words.iter().map(|word| word.trim_start_matches("CAP_"));
        let names = names.map(|name| format!(",+{}", name.to_lowercase()));
        format!("--{option}=-all{}", names.collect::<String>())
    };
    let mut host = match is_since(5, 11)? {
        true => command("setpriv"),
        // There, maps count as locked memory.
        false => {
            ensure!(words("LimitMEMLOCK") == ["infinity"]);
            let mut command = command("prlimit");
            command.args(["--memlock=unlimited", "setpriv"]);
            command
        }
    };
    host.args([
        format!("--reuid={USER}"),
        format!("--regid={USER}"),
        "--clear-groups".to_owned(),
        capabilities("CapabilityBoundingSet", "bounding-set"),
        capabilities("AmbientCapabilities", "inh-caps"),
        capabilities("AmbientCapabilities", "ambient-caps"),
        "--no-new-privs".to_owned(),
        BINARY.to_owned(),
    ]);
    host.args(arguments);
    let filter = filter()?;
    // SAFETY: a filter that was made before is handed over with one system call; the rest reads it.
    unsafe {
        host.pre_exec(move || apply_filter(&filter).map_err(io::Error::other));
    }
    Ok(host)
}

/// What `SystemCallFilter=` allows; all else fails with EPERM.
fn filter() -> Result<BpfProgram> {
    let mut rules = BTreeMap::new();
    for word in words("SystemCallFilter") {
        if word == "@system-service" {
            rules.extend(system_service().map(|(_, number)| (*number, Vec::new())));
            continue;
        }
        let call = OTHERS.iter().find(|call| name(call) == word);
        let (_, number) = call.with_context(|| format!("add {word} to OTHERS"))?;
        rules.insert(*number, Vec::new());
    }
    ensure!(rules.len() > 250, "{rules:?}");
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?;
    Ok(filter.try_into()?)
}
