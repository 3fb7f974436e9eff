//! The child process of the footprint check: loads a plugin's code, makes an instance of it within limits, and reports
//! how much memory that took.

use std::env;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use anyhow::anyhow;
use anyhow::bail;

use super::Answer;
use super::Checked;
use super::SLACK;
use crate::plugin::load;
use crate::plugin::load::engine::Engine;
use crate::plugin::runtime::instance::Instance;
use crate::plugin::runtime::limiters::LogBudget;
use crate::plugin::spec::Spec;
use crate::plugin::spec::digest::Digest;
use crate::plugin::spec::grants::Grants;
use crate::plugin::spec::limits::Limits;
use crate::plugin::spec::limits::THREAD_STACK;
use crate::plugin::spec::origin::Origin;
use crate::plugin::worker::compile;
use crate::plugin::worker::compiler::Compiler;
use crate::plugin::worker::confinement::is_out_of_memory;
use crate::plugin::worker::job::GRANTED;
use crate::system::procfs;
use crate::system::sanitize::one_line;

/// Runs the footprint check: reads compiled code from standard input, and writes its answer to standard output. The
/// footprint in the answer excludes linear memory and the code itself.
pub fn run(limits: Limits) -> anyhow::Result<()> {
    let time = limits.compile_time.saturating_add(limits.start_time * 2);
    let seconds = time.as_secs().saturating_add(1);
    let max_growth = limits.footprint.saturating_add(limits.memory as u64);
    let max_data = data()?.saturating_add(max_growth).saturating_add(SLACK);
    compile::limit_this_process(seconds, max_data)?;
    compile::confine()?;
    let grants = take_granted()?;
    // The stack of this thread must have room for the stack of the plugin.
    let check = thread::Builder::new().stack_size(THREAD_STACK);
    let check = check.spawn(move || measure(limits, grants));
    let check = check.context("cannot start the thread of the footprint check")?;
    let answer = check
        .join()
        .map_err(|_| anyhow!("the footprint check panicked"))??;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    Ok(stdout.flush()?)
}

fn measure(limits: Limits, grants: Grants) -> anyhow::Result<Answer> {
    let engine = Engine::without_cache(Compiler::ThisProcess)
        .and_then(|engine| engine.with_stack(limits.stack));
    let engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {}", one_line(&error)))?;
    let before = data()?;
    let component = match load::deserialize(&engine, Path::new("/proc/self/fd/0")) {
        Ok(component) => component,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_failed_allocation()),
        Err(error) => bail!("cannot load its compiled code: {}", one_line(&error)),
    };
    let loaded = load::check_and_link(component, Digest::of(&[]))?;
    // Twice the time of a start: a plugin that starts in time in the host must not miss its deadline here.
    let limits = Limits {
        start_time: limits.start_time * 2,
        ..limits
    };
    let spec = Spec {
        limits,
        grants,
        ..Spec::new("footprint", Origin::Bundled("footprint"))
    };
    let mut store = Instance::store(&spec, &engine, &LogBudget::new(0))?;
    let checked = match loaded.pre.instantiate(&mut store) {
        Ok(_) => Checked::Instantiated,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_failed_allocation()),
        Err(_) => Checked::InstantiationFailed,
    };
    let (linear, _) = store.data().memory.memory();
    let taken = data()?.saturating_sub(before);
    Ok(Answer::Measured(
        taken.saturating_sub(linear as u64),
        checked,
    ))
}

/// Puts the variables that the plugin was granted into the environment, and returns grants for them.
fn take_granted() -> anyhow::Result<Grants> {
    let variables = env::var(GRANTED).unwrap_or_else(|_| "[]".to_owned());
    let variables: Vec<(String, String)> =
        serde_json::from_str(&variables).context("cannot read the granted variables")?;
    for (name, value) in &variables {
        // SAFETY: this process has one thread, so that no other reads the environment.
        unsafe { env::set_var(name, value) };
    }
    Ok(Grants {
        env: variables.into_iter().map(|(name, _)| name).collect(),
        ..Grants::default()
    })
}

/// Returns the number of bytes of this process's private memory, written to or not (VmData). RLIMIT_DATA limits the
/// same number.
fn data() -> anyhow::Result<u64> {
    let data = procfs::own_status("VmData").context("/proc/self/status has no VmData")?;
    let kib: u64 = data.trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
