//! A run: builds the programs, boots kernels, some at the same time, and prints the table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::anyhow;
use anyhow::ensure;

use crate::console::Console;
use crate::console::Verdict;
use crate::document;
use crate::image;
use crate::image::REPOSITORY;
use crate::kernel::Architecture;
use crate::kernel::Kernel;
use crate::list;
use crate::machine::Boot;
use crate::packages::Apt;
use crate::packages::Image;
use crate::parts::PARTS;
use crate::parts::Part;
use crate::programs;
use crate::report::Outcome;
use crate::report::Report;
use crate::tools::Tools;

/// Which kernels and parts run, and how.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// The kernels [default: all of tests/kernels/kernels.txt].
    #[arg(long, value_delimiter = ' ', value_name = "KERNEL")]
    kernels: Vec<Kernel>,
    /// The parts [default: all].
    #[arg(long, value_delimiter = ' ', value_name = "PART")]
    parts: Vec<String>,
    /// Guests at the same time.
    #[arg(long, default_value_t = default_jobs(), value_name = "N")]
    jobs: usize,
    /// A guest that takes longer is ended.
    #[arg(long, default_value_t = 1_200, value_name = "SECONDS")]
    limit: u64,
    /// Writes the table to docs/kernels.md. For a run of all kernels and parts.
    #[arg(long)]
    write: bool,
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
    if arguments.write {
        ensure!(
            arguments.kernels.is_empty() && parts.len() == PARTS.len(),
            "--write is for a run of all kernels and parts"
        );
    }
    let begin = Instant::now();
    let apt = apt()?;
    let tools = Tools::fetch(&apt)?;
    let qemu = tools.qemu_version()?;
    eprintln!("kernels: {qemu}");
    let mut shared = BTreeMap::new();
    for kernel in &kernels {
        let architecture = kernel.architecture;
        shared.entry(architecture).or_insert_with(|| {
            prepare(&apt, &tools, architecture).map_err(|error| format!("{error:#}"))
        });
    }
    let next = AtomicUsize::new(0);
    let outcomes: Vec<OnceLock<Outcome>> = kernels.iter().map(|_| OnceLock::new()).collect();
    let limit = Duration::from_secs(arguments.limit);
    let run_all = || {
        while let Some(number) =
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < kernels.len())
        {
            let kernel = &kernels[number];
            let shared = &shared[&kernel.architecture];
            let outcome = outcome(&apt, &tools, shared, kernel, &parts, limit);
            say(&outcome);
            let _ = outcomes[number].set(outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.min(kernels.len()) {
            scope.spawn(run_all);
        }
    });
    let outcomes = outcomes.into_iter().filter_map(OnceLock::into_inner);
    let report = Report::new(outcomes.collect(), begin.elapsed());
    if arguments.write {
        document::write(&report, &qemu)?;
    }
    Ok(report)
}

/// Builds the programs of an architecture; the archive with them that all its kernels share.
fn prepare(apt: &Apt, tools: &Tools, architecture: Architecture) -> Result<PathBuf> {
    eprintln!("kernels: building the host and its tests for {architecture}");
    let programs = programs::build(apt, architecture)?;
    image::shared(apt, tools, &programs, &directory())
}

fn outcome(
    apt: &Apt,
    tools: &Tools,
    shared: &Result<PathBuf, String>,
    kernel: &Kernel,
    parts: &[&Part],
    limit: Duration,
) -> Outcome {
    let begin = Instant::now();
    let mut version = String::new();
    let mut hz = None;
    let guest = (|| {
        let shared = shared.as_ref().map_err(|error| anyhow!("{error}"))?;
        let image = apt.kernel(kernel)?;
        version.clone_from(&image.version);
        hz = image::hz(&image);
        boot(tools, shared, kernel, &image, parts, limit)
    })();
    Outcome {
        kernel: kernel.clone(),
        version,
        hz,
        guest: guest.map_err(|error| format!("{error:#}")),
        time: begin.elapsed(),
    }
}

fn boot(
    tools: &Tools,
    shared: &Path,
    kernel: &Kernel,
    image: &Image,
    parts: &[&Part],
    limit: Duration,
) -> Result<Console> {
    let directory = directory().join("guests").join(kernel.to_string());
    fs::create_dir_all(&directory)?;
    let initramfs = image::for_kernel(tools, shared, image, parts, &directory)?;
    let vmlinuz = image::kernel(image)?;
    eprintln!("kernels: {kernel}: booting {}", image.version);
    let boot = Boot {
        tools,
        kernel,
        vmlinuz: &vmlinuz,
        initramfs: &initramfs,
        log: &directory.join("console"),
        limit,
    };
    let console = boot.run();
    fs::remove_file(&initramfs)?;
    console
}

/// One line as soon as a kernel is done.
fn say(outcome: &Outcome) {
    let Outcome {
        kernel,
        guest,
        time,
        ..
    } = outcome;
    match guest {
        Ok(guest) => eprintln!(
            "kernels: {kernel}: {} passed, {} failed, {} not applicable, {} problems in {} s",
            guest.count(Verdict::Passed),
            guest.count(Verdict::Failed),
            guest.count(Verdict::NotApplicable),
            guest.problems.len(),
            time.as_secs()
        ),
        Err(reason) => eprintln!("kernels: {kernel}: not run: {reason}"),
    }
}

/// Debian's packages, in [`directory`].
pub fn apt() -> Result<Apt> {
    Apt::open(directory().join("debian"))
}

/// Where packages are kept, and guests are made.
fn directory() -> PathBuf {
    let target = Path::new(REPOSITORY).join("target");
    // Without "..": the paths of modules and programs are compared and shown.
    target.canonicalize().unwrap_or(target).join("kernels")
}
