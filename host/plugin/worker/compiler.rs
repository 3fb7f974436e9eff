//! The process in which WebAssembly is compiled, and how it is started.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::helper::Helper;
use super::job::Ended;
use super::job::Job;
use super::job::THIS_PROGRAM;

/// The process in which WebAssembly is compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// A child process that runs this program. The kernel limits its resources, and a crash does not affect the host. A
    /// second child process runs the [footprint check](crate::plugin::worker::footprint).
    Process(PathBuf),
    /// The same, started by the [helper](crate::plugin::worker::helper).
    Helper(Arc<Helper>),
    /// This process, without limits and without a footprint check: for fuzzing, and for the child process of the
    /// footprint check.
    ThisProcess,
}

impl Compiler {
    /// Returns a compiler that starts the executable of this process as its child.
    pub fn this_program() -> Compiler {
        Compiler::Process(THIS_PROGRAM.into())
    }

    /// Runs a job in a child process, and waits for its end.
    pub(crate) fn run(&self, job: Job) -> io::Result<Ended> {
        match self {
            Compiler::Process(program) => job.run(program, None),
            Compiler::Helper(helper) => helper.run(&job),
            Compiler::ThisProcess => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
