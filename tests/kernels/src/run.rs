//! A run: builds the programs, boots kernels, some at the same time, and prints the table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use anyhow::anyhow;
use anyhow::ensure;
use jiff::Timestamp;

use crate::command::output;
use crate::console::Console;
use crate::console::Notes;
use crate::console::Verdict;
use crate::image;
use crate::image::REPOSITORY;
use crate::kernel::Architecture;
use crate::kernel::Kernel;
use crate::list;
use crate::machine::Boot;
use crate::packages::Apt;
use crate::parts::Part;
use crate::programs;
use crate::report::Outcome;
use crate::report::Report;
use crate::tools::Tools;

/// Name of the file with a guest's console.
const CONSOLE: &str = "console";

/// Which kernels and parts run, and how.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// The kernels [default: all of tests/kernels/kernels.txt].
    #[arg(long, value_delimiter = ' ', value_name = "KERNEL")]
    kernels: Vec<Kernel>,
    /// The parts [default: all].
    #[arg(long, value_delimiter = ' ', value_name = "PART")]
    parts: Vec<String>,
    /// Only tests with this in their names. For one part: --parts rest --test census::
    #[arg(long = "test", value_name = "NAME", requires = "parts")]
    tests: Vec<String>,
    /// Guests at the same time.
    #[arg(long, default_value_t = default_jobs(), value_name = "N")]
    jobs: usize,
    /// A guest that takes longer is ended.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    limit: u64,
}

fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Runs parts on kernels.
pub fn run(arguments: &RunArguments) -> Result<Report> {
    let kernels = match arguments.kernels.as_slice() {
        [] => list::kernels()?,
        kernels => kernels.to_vec(),
    };
    let parts = Part::named(&arguments.parts)?;
    ensure!(arguments.jobs > 0, "--jobs: at least one guest must run");
    let apt = apt()?;
    let tools = Tools::fetch(&apt)?;
    let notes = Notes {
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        commit: commit()?,
        qemu: tools.qemu_version()?,
        ..Notes::default()
    };
    eprintln!("kernels: {}, commit {}", notes.qemu, notes.commit);
    let mut shared = BTreeMap::new();
    for kernel in &kernels {
        let architecture = kernel.architecture;
        shared.entry(architecture).or_insert_with(|| {
            prepare(&apt, &tools, architecture).map_err(|error| format!("{error:#}"))
        });
    }
    let next = AtomicUsize::new(0);
    let outcomes: Vec<OnceLock<Outcome>> = kernels.iter().map(|_| OnceLock::new()).collect();
    let setting = Setting {
        apt: &apt,
        tools: &tools,
        parts: parts
            .iter()
            .map(|part| part.line(&arguments.tests))
            .collect(),
        limit: Duration::from_secs(arguments.limit),
        notes: &notes,
    };
    let run_all = || {
        while let Some(number) =
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < kernels.len())
        {
            let kernel = &kernels[number];
            let shared = &shared[&kernel.architecture];
            let outcome = outcome(&setting, kernel, shared);
            say(&outcome);
            let _ = outcomes[number].set(outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.min(kernels.len()) {
            scope.spawn(run_all);
        }
    });
    let outcomes = outcomes
        .into_iter()
        .filter_map(OnceLock::into_inner)
        .collect();
    Ok(Report { outcomes })
}

/// The last run of each kernel of the list, from its console.
pub fn last() -> Result<Report> {
    let outcomes = list::kernels()?.into_iter().map(|kernel| {
        let console = fs::read_to_string(guest_directory(&kernel).join(CONSOLE));
        let guest = console.map(|text| Console::of(&text));
        Outcome {
            kernel,
            guest: guest.map_err(|_| "there is no console of it in target/kernels".to_owned()),
        }
    });
    Ok(Report {
        outcomes: outcomes.collect(),
    })
}

/// What all guests of a run have in common.
struct Setting<'a> {
    apt: &'a Apt,
    tools: &'a Tools,
    /// What runs, one part a line.
    parts: String,
    limit: Duration,
    notes: &'a Notes,
}

/// Builds the programs of an architecture; the archive with them that all its kernels share.
fn prepare(apt: &Apt, tools: &Tools, architecture: Architecture) -> Result<PathBuf> {
    eprintln!("kernels: building the host and its tests for {architecture}");
    let programs = programs::build(apt, architecture)?;
    image::shared(apt, tools, &programs, &directory())
}

fn outcome(setting: &Setting<'_>, kernel: &Kernel, shared: &Result<PathBuf, String>) -> Outcome {
    let guest = shared.as_ref().map_err(|error| anyhow!("{error}"));
    let guest = guest.and_then(|shared| boot(setting, kernel, shared));
    Outcome {
        kernel: kernel.clone(),
        guest: guest.map_err(|error| format!("{error:#}")),
    }
}

fn boot(setting: &Setting<'_>, kernel: &Kernel, shared: &Path) -> Result<Console> {
    let Setting {
        apt,
        tools,
        parts,
        limit,
        notes,
    } = setting;
    let directory = guest_directory(kernel);
    fs::create_dir_all(&directory)?;
    let log = directory.join(CONSOLE);
    // Of an earlier run: it must not be taken for the result of this one.
    let _ = fs::remove_file(&log);
    let image = apt.kernel(kernel)?;
    let initramfs = image::for_kernel(tools, shared, &image, parts, &directory)?;
    let vmlinuz = image::kernel(&image)?;
    eprintln!("kernels: {kernel}: booting {}", image.version);
    let notes = Notes {
        hz: image::hz(&image).map_or("–".to_owned(), |hz| hz.to_string()),
        debian: image.version,
        ..(*notes).clone()
    };
    let boot = Boot {
        tools,
        kernel,
        vmlinuz: &vmlinuz,
        initramfs: &initramfs,
        notes: &notes,
        log: &log,
        limit: *limit,
    };
    let console = boot.run();
    fs::remove_file(&initramfs)?;
    console
}

/// One line as soon as a kernel is done.
fn say(outcome: &Outcome) {
    let Outcome { kernel, guest } = outcome;
    match guest {
        Ok(guest) => eprintln!(
            "kernels: {kernel}: {} passed, {} failed, {} not applicable, {} problems in {} s",
            guest.count(Verdict::Passed),
            guest.count(Verdict::Failed),
            guest.count(Verdict::NotApplicable),
            guest.problems.len(),
            guest.notes.seconds
        ),
        Err(reason) => eprintln!("kernels: {kernel}: not run: {reason}"),
    }
}

/// Debian's packages, in [`directory`].
pub fn apt() -> Result<Apt> {
    Apt::open(directory().join("debian"))
}

/// The commit that is tested.
fn commit() -> Result<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(REPOSITORY);
    Ok(output(&mut git)?.trim().to_owned())
}

/// Where a guest is made.
fn guest_directory(kernel: &Kernel) -> PathBuf {
    directory().join("guests").join(kernel.to_string())
}

/// Where packages are kept, and guests are made.
fn directory() -> PathBuf {
    let target = Path::new(REPOSITORY).join("target");
    // Without "..": the paths of modules and programs are compared and shown.
    target.canonicalize().unwrap_or(target).join("kernels")
}
