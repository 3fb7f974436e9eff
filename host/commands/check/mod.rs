//! The command `check`: tells whether the host can run here, what it lacks, and what is lost without it.
//!
//! What the probe requires is checked by the code that checks it when a run starts ([`preflight`]). The probe, the
//! scan of open files and the list of namespaces are loaded, attached and removed again: the kernel's answer is the one
//! that counts.

mod live;

use std::fmt;
use std::mem::MaybeUninit;

use anyhow::Result;
use anyhow::bail;
use serde::Serialize;

use super::print_result;
use crate::config::Check;
use crate::config::attach::Attach;
use crate::filter::LiveFilters;
use crate::plugin::cache;
use crate::plugin::worker::confinement;
use crate::source::bpf::permissions::Facts;
use crate::source::census::CensusProgram;
use crate::source::live::members::MemberList;
use crate::source::live::preflight;
use crate::source::live::preflight::KernelFeatures;
use crate::source::live::preflight::REQUIREMENTS;
use crate::source::live::probe::Probe;
use crate::source::live::probe::ProbeOptions;
use crate::source::owner::Owners;
use crate::source::owner::ScanProgram;
use crate::source::owner::names::Places;
use crate::stream::clock::Clock;
use crate::system::sandbox;

/// One thing that the host needs or can use.
#[derive(Debug, Serialize)]
struct Finding {
    /// Name of it, of one or two words.
    name: &'static str,
    /// Whether it is there.
    met: bool,
    /// Whether the host cannot run without it.
    needed: bool,
    /// What was found, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// Why it is not there, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What does not work without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'static str>,
}

/// The result.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether the host can run.
    runs: bool,
    checks: Vec<Finding>,
}

/// Prints what was found. An error if the host cannot run.
pub fn check(config: Check) -> Result<()> {
    let mut checks = machine()?;
    if config.live {
        // Without what is needed, there is nothing to see.
        let can_run = checks.iter().all(Finding::allows_to_run);
        let outcome = match can_run {
            true => live::see_a_retransmit().map_err(|error| format!("{error:#}")),
            false => Err("the host cannot run, see above".to_owned()),
        };
        checks.push(Finding::needed("live", outcome));
    }
    let missing: Vec<_> = checks
        .iter()
        .filter(|finding| !finding.allows_to_run())
        .map(|finding| finding.name)
        .collect();
    let missing = missing.join(", ");
    let report = Report {
        runs: missing.is_empty(),
        checks,
    };
    let text = match config.json {
        true => format!("{}\n", serde_json::to_string(&report)?),
        false => report.to_string(),
    };
    print_result(&text)?;
    match report.runs {
        true => Ok(()),
        false => bail!("the host cannot run here: {missing}"),
    }
}

/// Everything but the live check.
fn machine() -> Result<Vec<Finding>> {
    let facts = preflight::facts()?;
    let mut findings = Vec::new();
    let mut refused = false;
    for requirement in &REQUIREMENTS {
        // Each is checked once those before it are met.
        if refused {
            break;
        }
        let outcome = requirement.check(&facts).map_err(|error| error.to_string());
        refused = outcome.is_err();
        let outcome = outcome.map(|()| requirement.met.to_owned());
        findings.push(Finding::needed(requirement.name, outcome));
    }
    if !refused {
        findings.extend(of_the_kernel());
    }
    let clock = Clock::of_this_process();
    let found = |_| "the kernel's time since boot is known".to_owned();
    let outcome = clock.map(found).map_err(|error| error.to_string());
    findings.push(Finding::needed("clock", outcome));
    findings.extend(of_the_process(&facts));
    Ok(findings)
}

/// What the kernel can do, by trying it.
fn of_the_kernel() -> Vec<Finding> {
    let attach = |attach: Attach| {
        let mut storage = [MaybeUninit::uninit(), MaybeUninit::uninit()];
        let options = ProbeOptions {
            ring_size: rustix::param::page_size() as u32,
            filters: &LiveFilters::default(),
            sums_left_out: false,
        };
        let probe = Probe::attach(&mut storage, attach, &options);
        probe.map(drop).map_err(|error| error.to_string())
    };
    let (typed, classic) = (attach(Attach::Btf), attach(Attach::Tracepoint));
    let is_needed = classic.is_err();
    let typed = Finding::new(
        "BTF-typed probe",
        typed.map(|()| "loads and attaches".to_owned()),
        "the classic tracepoint is used, where sockets get no cookie: the last owner of a closed socket is unknown",
    );
    let classic = Finding::new(
        "classic probe",
        classic.map(|()| "loads and attaches".to_owned()),
        "--attach tracepoint, to which the host falls back where the BTF-typed probe cannot be attached",
    );
    let mut findings = vec![
        Finding {
            needed: is_needed,
            ..typed
        },
        classic,
        owners(),
        namespaces(),
        census(),
    ];
    match preflight::kernel_features() {
        Ok(features) => findings.extend(of_the_version(features)),
        Err(error) => findings.push(Finding::needed("kernel types", Err(error.to_string()))),
    }
    findings
}

fn owners() -> Finding {
    let outcome = Clock::of_this_process()
        .map_err(|error| error.to_string())
        .and_then(|clock| {
            let scanning = ScanProgram::load().and_then(|program| Owners::scanning(program, clock));
            scanning.map_err(|error| error.to_string())
        });
    Finding::new(
        "owners",
        outcome.map(|_| "open files of all processes can be scanned".to_owned()),
        "all owners are unknown",
    )
}

fn namespaces() -> Finding {
    let outcome = MemberList::load().map_err(|error| error.to_string());
    Finding::new(
        "namespaces",
        outcome.map(|_| "network namespaces of all processes can be listed".to_owned()),
        "--reconcile",
    )
}

fn census() -> Finding {
    let outcome = CensusProgram::load(&LiveFilters::default()).map_err(|error| error.to_string());
    Finding::new(
        "census",
        outcome.map(|_| "what all connections send can be counted".to_owned()),
        "--census, and ratio-alert and other plugins that ask for a census",
    )
}

/// What only some kernels tell.
fn of_the_version(features: KernelFeatures) -> [Finding; 3] {
    let KernelFeatures {
        failed_attempts,
        socket_cookies,
        socket_cgroups,
    } = features;
    let since = |has: bool, found: &str, version: &str| match has {
        true => Ok(found.to_owned()),
        false => Err(format!("needs {version}")),
    };
    [
        Finding::new(
            "cookies",
            since(
                socket_cookies,
                "given to sockets that retransmit",
                "Linux 5.12",
            ),
            "the last owner of a closed socket is unknown, and --sample tells connections apart by their addresses",
        ),
        Finding::new(
            "control groups",
            since(
                socket_cgroups,
                "known of each socket",
                "Linux 5.15 and CONFIG_SOCK_CGROUP_DATA",
            ),
            "--cgroup, and socket.cgroup_id of events",
        ),
        Finding::new(
            "failed attempts",
            since(failed_attempts, "reported, with the error", "Linux 6.17"),
            "attempts to send again that failed in this host are not reported",
        ),
    ]
}

/// What this process may do, beside BPF.
fn of_the_process(facts: &Facts) -> [Finding; 5] {
    let all_processes = match facts.sees_all_processes() {
        true => Ok("the machine's own PID namespace".to_owned()),
        false => Err(
            "this process is in a PID namespace, as in a container; run it outside (docker run --pid=host)"
                .to_owned(),
        ),
    };
    let plugins = confinement::check(1);
    let plugins = plugins
        .map(|()| "their code may be executed, and there is address space for it".to_owned());
    let cache = cache::user_directory().map(|directory| directory.display().to_string());
    [
        Finding::new(
            "processes",
            all_processes,
            "owners of sockets outside of the namespace are unknown",
        ),
        Finding::new(
            "names",
            Places::open().check(),
            "pods or containers of these directories have no names",
        ),
        Finding::needed("plugins", plugins.map_err(|error| error.to_string())),
        Finding::new(
            "sandbox",
            sandbox::try_out(),
            "a fault in the host can do more, once the probe is attached",
        ),
        Finding::new(
            "cache",
            cache.map_err(|error| format!("compiled plugins are not cached: {error}")),
            "plugins are compiled at each start, which takes some tenths of a second",
        ),
    ]
}

impl Finding {
    /// One that the host can do without, at the price of `lost`.
    fn new(name: &'static str, outcome: Result<String, String>, lost: &'static str) -> Finding {
        Finding {
            needed: false,
            lost: outcome.is_err().then_some(lost),
            ..Finding::needed(name, outcome)
        }
    }

    /// One without which the host cannot run.
    fn needed(name: &'static str, outcome: Result<String, String>) -> Finding {
        Finding {
            name,
            met: outcome.is_ok(),
            needed: true,
            lost: None,
            why: outcome.as_ref().err().cloned(),
            found: outcome.ok(),
        }
    }

    fn allows_to_run(&self) -> bool {
        self.met || !self.needed
    }
}

/// A line for each check, and a further one for what does not work.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.checks {
            let answer = if finding.met { "yes" } else { "no" };
            let text = finding.found.iter().chain(&finding.why);
            let text: Vec<_> = text.map(String::as_str).collect();
            writeln!(f, "{answer:<4} {:<16} {}", finding.name, text.join(""))?;
            if let Some(lost) = finding.lost {
                writeln!(f, "{:<21} without it: {lost}", "")?;
            }
        }
        match self.runs {
            true => writeln!(f, "The host can run here."),
            false => Ok(()),
        }
    }
}
