//! The programs that run in guests: the host and the test programs, built for an architecture.

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
    /// The host, in the release profile: emulation is slow enough.
    pub host: PathBuf,
    /// The path at which the test programs look for the host.
    pub host_of_tests: PathBuf,
    /// tests/live.
    pub live: PathBuf,
    /// tests/machine.
    pub machine: PathBuf,
    /// The directory that the tests write to.
    pub temporary: PathBuf,
    /// The object of the probe, which a test reads.
    pub probe: PathBuf,
}

/// Builds the programs with cargo.
///
/// On the architecture of this machine, both builds are those that `make test` needs as well (the release host is the
/// one of tests/hostile). The dependencies of tests enable further features of wasmtime: tests in the release profile
/// would compile it once more. For other architectures nothing is there, and one build is less than two.
pub fn build(apt: &Apt, architecture: Architecture) -> Result<Programs> {
    let tests = ["--test", "live", "--test", "machine"];
    let is_native = architecture == Architecture::of_this_machine()?;
    let mut programs = Found::default();
    let mut built = |arguments: &[&str]| -> Result<Option<PathBuf>> {
        // Not the cargo that built this program: rust-toolchain.toml may name another one by now.
        let mut cargo = Command::new("cargo");
        cargo.current_dir(REPOSITORY).args(arguments).args([
            "--locked",
            "--quiet",
            "--message-format=json-render-diagnostics",
        ]);
        if !is_native {
            cross::configure(&mut cargo, apt, architecture)?;
        }
        let messages = output(&mut cargo)
            .with_context(|| format!("cannot build the host and its tests for {architecture}"))?;
        for line in messages.lines() {
            programs.read(
                &serde_json::from_str(line).context("cargo printed a line that is not JSON")?,
            );
        }
        Ok(programs.host.take())
    };
    let of_tests = match is_native {
        true => ["test", "--no-run", "--workspace"],
        false => ["test", "--no-run", "--release"],
    };
    let host_of_tests = built(&[&of_tests[..], &tests].concat())?;
    let host = match is_native {
        true => built(&["build", "--release", "--bin", "retrans-host"])?,
        false => host_of_tests.clone(),
    };
    let [host, host_of_tests, live, machine, probe] = [
        host,
        host_of_tests,
        programs.live,
        programs.machine,
        programs.probe,
    ]
    .map(|path| path.context("cargo named no program"));
    let (host, host_of_tests, live, machine, probe) =
        (host?, host_of_tests?, live?, machine?, probe?);
    // target/PROFILE/retrans-host, and target/tmp.
    let target = host_of_tests
        .ancestors()
        .nth(2)
        .context("the host is below target/")?;
    Ok(Programs {
        architecture,
        temporary: target.join("tmp"),
        host,
        host_of_tests,
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
            // Tests contain the path of their own build, which is the first one.
            if probe.is_file() && self.probe.is_none() {
                self.probe = Some(probe);
            }
        }
    }
}
