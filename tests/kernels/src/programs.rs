//! The programs that run in guests: the release host and the test programs, built for an architecture.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

use crate::command::output;
use crate::cross;
use crate::image::REPOSITORY;
use crate::kernel::Architecture;
use crate::packages::Apt;

/// Built programs.
pub struct Programs {
    /// Their architecture.
    pub architecture: Architecture,
    /// The host.
    pub host: PathBuf,
    /// tests/live.
    pub live: PathBuf,
    /// tests/machine.
    pub machine: PathBuf,
    /// The directory that the tests write to.
    pub temporary: PathBuf,
    /// The object of the probe, which a test reads.
    pub probe: PathBuf,
}

/// Builds the programs with cargo, in the release profile: emulation is slow enough.
pub fn build(apt: &Apt, architecture: Architecture) -> Result<Programs> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(REPOSITORY)
        .args([
            "test",
            "--release",
            "--locked",
            "--quiet",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args([
            "--package",
            "retrans-host",
            "--test",
            "live",
            "--test",
            "machine",
        ]);
    if architecture != Architecture::of_this_machine()? {
        cross::configure(&mut cargo, apt, architecture)?;
    }
    let messages = output(&mut cargo)
        .with_context(|| format!("cannot build the host and its tests for {architecture}"))?;
    let mut programs = Found::default();
    for line in messages.lines() {
        programs
            .read(&serde_json::from_str(line).context("cargo printed a line that is not JSON")?);
    }
    let [host, live, machine, probe] = [
        programs.host,
        programs.live,
        programs.machine,
        programs.probe,
    ]
    .map(|path| path.context("cargo named no program"));
    let (host, live, machine, probe) = (host?, live?, machine?, probe?);
    // target/release/retrans-host, and target/tmp.
    let target = host
        .ancestors()
        .nth(2)
        .context("the host is below target/")?;
    Ok(Programs {
        architecture,
        temporary: target.join("tmp"),
        host,
        live,
        machine,
        probe,
    })
}

/// What cargo's messages have named so far.
#[derive(Default)]
struct Found {
    host: Option<PathBuf>,
    live: Option<PathBuf>,
    machine: Option<PathBuf>,
    probe: Option<PathBuf>,
}

impl Found {
    fn read(&mut self, message: &Value) {
        if let Some(executable) = message["executable"].as_str() {
            let found = match message["target"]["name"].as_str() {
                Some("retrans-host") => &mut self.host,
                Some("live") => &mut self.live,
                Some("machine") => &mut self.machine,
                _ => return,
            };
            *found = Some(PathBuf::from(executable));
        } else if let Some(directory) = message["out_dir"].as_str() {
            // Of a build script; that of the host makes the probe.
            let probe = Path::new(directory).join("retrans.bpf.o");
            if probe.is_file() {
                self.probe = Some(probe);
            }
        }
    }
}
