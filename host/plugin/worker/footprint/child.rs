//! The process that loads a plugin's code and makes an instance of it, within limits, and says how much memory
//! that took.

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
use crate::plugin::load::engine::Compiler;
use crate::plugin::load::engine::Engine;
use crate::plugin::runtime::instance::Instance;
use crate::plugin::runtime::meter::LogBudget;
use crate::plugin::spec::Spec;
use crate::plugin::spec::digest::Digest;
use crate::plugin::spec::grants::Grants;
use crate::plugin::spec::limits::Limits;
use crate::plugin::spec::limits::THREAD_STACK;
use crate::plugin::spec::origin::Origin;
use crate::plugin::worker::compile;
use crate::plugin::worker::confinement::is_out_of_memory;
use crate::system::privileges;
use crate::system::procfs;
use crate::system::sanitize::one_line;

/// The process that checks: compiled code on standard input; on standard output, the bytes that were
/// taken, but for linear memory and the code itself.
pub fn run(limits: Limits) -> anyhow::Result<()> {
    let time = limits.compile_time.saturating_add(limits.start_time * 2);
    let seconds = time.as_secs().saturating_add(1);
    let most = limits.footprint.saturating_add(limits.memory as u64);
    let most = data()?.saturating_add(most).saturating_add(SLACK);
    compile::limit_this_process(seconds, most)?;
    privileges::drop_all()?;
    // Its stack must have room for the plugin's.
    let check = thread::Builder::new().stack_size(THREAD_STACK);
    let check = check.spawn(move || measure(limits));
    let check = check.context("cannot start the thread of the footprint check")?;
    let answer = check
        .join()
        .map_err(|_| anyhow!("the footprint check panicked"))??;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    Ok(stdout.flush()?)
}

fn measure(limits: Limits) -> anyhow::Result<Answer> {
    let engine =
        Engine::without_cache(Compiler::Here).and_then(|engine| engine.with_stack(limits.stack));
    let engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {}", one_line(&error)))?;
    let before = data()?;
    let component = match load::read_code(&engine, Path::new("/proc/self/fd/0")) {
        Ok(component) => component,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_want_of_memory()),
        Err(error) => bail!("cannot load its compiled code: {}", one_line(&error)),
    };
    let loaded = load::fit(component, Digest::of(&[]))?;
    // What is in time in the host must be in time here, and must not fail here alone.
    let limits = Limits {
        start_time: limits.start_time * 2,
        ..limits
    };
    let spec = Spec {
        limits,
        grants: granted(),
        ..Spec::new("footprint", Origin::Bundled("footprint"))
    };
    let mut store = Instance::store(&spec, &engine, &LogBudget::new(0))?;
    let checked = match loaded.pre.instantiate(&mut store) {
        Ok(_) => Checked::Whole,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_want_of_memory()),
        Err(_) => Checked::Failed,
    };
    let (linear, _) = store.data().memory.memory();
    let taken = data()?.saturating_sub(before);
    Ok(Answer::Held(taken.saturating_sub(linear as u64), checked))
}

/// What the plugin was granted is all that there is.
fn granted() -> Grants {
    let names = env::vars_os().map(|(name, _)| name.into_string());
    Grants {
        env: names.filter_map(Result::ok).collect(),
        ..Grants::default()
    }
}

/// Bytes of memory that are this process's own, whether they were ever written to or not: what
/// RLIMIT_DATA counts.
fn data() -> anyhow::Result<u64> {
    let data = procfs::own_status("VmData").context("/proc/self/status has no VmData")?;
    let kib: u64 = data.trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
