//! The parts of a run: which tests of which program.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use anyhow::bail;

use crate::programs::Programs;

/// Some tests of one test program.
pub struct Part {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it covers, for the help.
    pub about: &'static str,
    program: Program,
    /// Parts of test names: those that run. All if there are none.
    only: &'static [&'static str],
    /// Parts of test names: those that do not run.
    skip: &'static [&'static str],
    threads: u32,
}

/// A test program of tests/.
#[derive(Clone, Copy)]
pub enum Program {
    /// tests/live.
    Live,
    /// tests/machine.
    Machine,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 2] = [Program::Live, Program::Machine];

    /// Where it was built.
    pub fn of(self, programs: &Programs) -> &Path {
        match self {
            Program::Live => &programs.live,
            Program::Machine => &programs.machine,
        }
    }

    /// Its path in a guest.
    pub fn in_guest(self) -> &'static str {
        match self {
            Program::Live => "/tests/live",
            Program::Machine => "/tests/machine",
        }
    }
}

/// What every kernel must pass at every change: what is recorded.
const MAIN: &[&str] = &[
    "attempts::",
    "bulk::",
    "causes::",
    // Not "chain::": that is part of "census_chain::".
    "chain::root_five",
    "check::root_a_forced_retransmit",
    "fields::",
    "filters::root_each",
    "filters::root_what_filters",
    "overload::root_a_ring",
    "reconcile::",
    "record::root_what_was_printed_live",
    "retransmits::",
    "tracepoint::",
];

/// Settings that cannot be put back.
const LAST: &[&str] = &["lockdown::"];

/// Tests that do not run in guests.
const NOT_IN_GUESTS: &[&str] = &[
    // They need what a guest does not have: cargo (with which some build plugins that misbehave), receivers to deliver
    // to, minisign.
    "census_chain::root_what_finds_no_row",
    "hostile::",
    "signatures::",
    "sinks::",
    "unattended::",
    // A guest is too slow: 66,536 connections, a promise about owners on busy processors, a run with a burst behind it
    // that ends within seconds.
    "overload::root_what_a_slow_plugin",
    "owner_crowd::",
    "owner_hoard::",
    // They test the host alone: files, pipes, signals, terminals, compilers, service managers, names in directories of
    // container runtimes.
    "captures::",
    "demo::",
    "metrics::root_a_port",
    "names::",
    "privileges::root_a_compiler_ends",
    "reconfigure::",
    "record_disk::",
    "record_files::",
    "service::root_a_",
    "service::root_the_service_manager",
    "service_journal::",
    "streams::",
    "top::",
];

/// All parts, in the order in which they run.
pub const PARTS: &[Part] = &[
    Part {
        name: "main",
        about: "what is recorded, by both kinds of tracepoint",
        program: Program::Live,
        only: MAIN,
        skip: &[],
        threads: 2,
    },
    Part {
        name: "rest",
        about: "the other live tests that depend on the kernel: owners, census, sandbox, what is said where the probe cannot run",
        program: Program::Live,
        only: &[],
        skip: MAIN,
        threads: 2,
    },
    Part {
        name: "machine",
        about: "settings of the machine: sysctls, mounts, limits, namespaces",
        program: Program::Machine,
        only: &[],
        skip: LAST,
        threads: 1,
    },
    Part {
        name: "lockdown",
        about: "lockdown, which stays until the machine is started again",
        program: Program::Machine,
        only: LAST,
        skip: &[],
        threads: 1,
    },
];

impl Part {
    /// The parts of these names, in the order in which they run; all if there are no names.
    pub fn named(names: &[String]) -> Result<Vec<&'static Part>> {
        if let Some(unknown) = names
            .iter()
            .find(|name| !PARTS.iter().any(|part| part.name == **name))
        {
            let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            bail!(
                "there is no part {unknown:?}; the parts are {}",
                known.join(", ")
            );
        }
        let is_chosen =
            |part: &&Part| names.is_empty() || names.iter().any(|name| name == part.name);
        Ok(PARTS.iter().filter(is_chosen).collect())
    }

    /// The part's line in the guest's list: name, program, arguments. With `tests`, those tests of the part's program
    /// run, whatever part they belong to.
    pub fn line(&self, tests: &[String]) -> String {
        let mut line = format!(
            "{} {} --test-threads={}",
            self.name,
            self.program.in_guest(),
            self.threads
        );
        for test in tests {
            let _ = write!(line, " {test}");
        }
        if tests.is_empty() {
            for filter in self.only {
                let _ = write!(line, " {filter}");
            }
            for filter in self.skip.iter().chain(NOT_IN_GUESTS) {
                let _ = write!(line, " --skip {filter}");
            }
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_run_in_their_own_order_and_unknown_ones_are_refused() {
        let names = |names: &[&str]| -> Result<Vec<&str>> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Ok(Part::named(&names)?
                .into_iter()
                .map(|part| part.name)
                .collect())
        };
        assert_eq!(
            names(&["rest", "main"]).expect("both exist"),
            ["main", "rest"]
        );
        assert_eq!(names(&[]).expect("all exist").len(), PARTS.len());
        let error = names(&["most"]).expect_err("there is none").to_string();
        assert_eq!(
            error,
            "there is no part \"most\"; the parts are main, rest, machine, lockdown"
        );
    }
}
