//! Runs the live tests on other kernels and architectures, in virtual machines: `make kernels`.
//!
//! ```text
//! packages   kernels, QEMU and the guests' programs, from Debian, in a directory of their own
//! programs   the release host and the test programs, built for the kernel's architecture (cross)
//! image      root file system of a guest: programs, modules, guest/init
//! machine    one QEMU; its console is read as the guest writes it (console)
//! report     the table: kernel × group of tests
//! ```
//!
//! Guests run the same tests as this machine: a test that is added to tests/live runs on every kernel.

mod command;
mod console;
mod cross;
mod document;
mod image;
mod kernel;
mod machine;
mod packages;
mod parts;
mod programs;
mod report;
mod tools;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use clap::Parser;
use clap::Subcommand;

use crate::console::Console;
use crate::console::Verdict;
use crate::image::REPOSITORY;
use crate::kernel::Architecture;
use crate::kernel::Kernel;
use crate::machine::Boot;
use crate::packages::Apt;
use crate::packages::Image;
use crate::parts::PARTS;
use crate::parts::Part;
use crate::programs::Programs;
use crate::report::Outcome;
use crate::report::Report;
use crate::tools::Tools;

/// The list of kernels.
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels.txt");

/// Runs the live tests on Debian's kernels, in QEMU without KVM.
#[derive(Debug, Parser)]
#[command(
    name = "kernels",
    after_help = "Examples:\n  kernels run --kernels \"5.10 7.3\" --parts main\n  kernels add 7.4\n"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs tests on kernels and prints the table. Exits with 1 if anything failed or did not run.
    Run(RunArguments),
    /// Adds a kernel to the list, if Debian has it.
    Add {
        /// A series such as 7.4, 6.18-rt or 7.4-arm64.
        kernel: Kernel,
    },
    /// Lists kernels with their newest versions, and parts.
    List,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
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

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::Add { kernel } => add(&kernel).map(|()| true),
        Command::List => list().map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kernels: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &RunArguments) -> Result<bool> {
    let kernels = match arguments.kernels.as_slice() {
        [] => listed()?,
        kernels => kernels.to_vec(),
    };
    let parts = Part::named(&arguments.parts)?;
    ensure!(arguments.jobs > 0, "--jobs: at least one guest must run");
    if arguments.write {
        ensure!(
            kernels == listed()? && parts.len() == PARTS.len(),
            "--write is for a run of all kernels and parts"
        );
    }
    let begin = Instant::now();
    let apt = Apt::open(directory().join("debian"))?;
    let tools = Tools::fetch(&apt)?;
    eprintln!("kernels: {}", tools.qemu_version()?);
    let mut built = BTreeMap::new();
    for kernel in &kernels {
        let architecture = kernel.architecture;
        built.entry(architecture).or_insert_with(|| {
            prepare(&apt, &tools, architecture).map_err(|error| format!("{error:#}"))
        });
    }
    let queue = Mutex::new(kernels.iter().enumerate().collect::<VecDeque<_>>());
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.min(kernels.len()) {
            scope.spawn(|| {
                while let Some((number, kernel)) = {
                    queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front()
                } {
                    let outcome = outcome(
                        &apt,
                        &tools,
                        &built[&kernel.architecture],
                        kernel,
                        &parts,
                        arguments,
                    );
                    say(&outcome);
                    outcomes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(number, outcome);
                }
            });
        }
    });
    let outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let report = Report::new(outcomes.into_values().collect());
    print!(
        "{}\n{}\n{}",
        report.table(),
        report.versions(),
        report.lacks()
    );
    eprint!("{}", report.failures());
    println!("{} in {} s", report.sums(), begin.elapsed().as_secs());
    if arguments.write {
        document::write(&report, &tools)?;
    }
    Ok(report.is_good())
}

/// What all kernels of an architecture share.
struct Prepared {
    programs: Programs,
    archive: PathBuf,
}

fn prepare(apt: &Apt, tools: &Tools, architecture: Architecture) -> Result<Prepared> {
    eprintln!("kernels: building the host and its tests for {architecture}");
    let programs = programs::build(apt, architecture)?;
    let archive = image::shared(apt, tools, &programs, &directory())?;
    Ok(Prepared { programs, archive })
}

fn outcome(
    apt: &Apt,
    tools: &Tools,
    prepared: &Result<Prepared, String>,
    kernel: &Kernel,
    parts: &[&Part],
    arguments: &RunArguments,
) -> Outcome {
    let begin = Instant::now();
    let mut version = String::new();
    let guest = (|| {
        let prepared = prepared
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let image = apt.kernel(kernel)?;
        version.clone_from(&image.version);
        boot(
            tools,
            prepared,
            kernel,
            &image,
            parts,
            Duration::from_secs(arguments.limit),
        )
    })();
    Outcome {
        kernel: kernel.clone(),
        version,
        guest: guest.map_err(|error| format!("{error:#}")),
        time: begin.elapsed(),
    }
}

fn boot(
    tools: &Tools,
    prepared: &Prepared,
    kernel: &Kernel,
    image: &Image,
    parts: &[&Part],
    limit: Duration,
) -> Result<Console> {
    let directory = directory().join("guests").join(kernel.to_string());
    fs::create_dir_all(&directory)?;
    let initramfs = image::for_kernel(
        tools,
        &prepared.archive,
        image,
        &prepared.programs,
        parts,
        &directory,
    )?;
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

fn add(kernel: &Kernel) -> Result<()> {
    if listed()?.contains(kernel) {
        bail!("{kernel} is in the list");
    }
    let apt = Apt::open(directory().join("debian"))?;
    let (package, version) = apt.newest(kernel)?;
    let list = fs::read_to_string(LIST).with_context(|| format!("cannot read {LIST}"))?;
    fs::write(LIST, format!("{list}{kernel}\n")).with_context(|| format!("cannot write {LIST}"))?;
    println!("{kernel}: {package} {version}; run it with: make kernels KERNELS={kernel}");
    Ok(())
}

fn list() -> Result<()> {
    let apt = Apt::open(directory().join("debian"))?;
    for kernel in listed()? {
        let (package, version) = apt.newest(&kernel)?;
        println!("{kernel}: {package} {version}");
    }
    for part in PARTS {
        println!("part {}: {}", part.name, part.about);
    }
    Ok(())
}

/// The kernels of the list.
fn listed() -> Result<Vec<Kernel>> {
    let list = fs::read_to_string(LIST).with_context(|| format!("cannot read {LIST}"))?;
    let lines = list.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::parse)
        .collect()
}

/// Where packages are kept, and guests are made.
fn directory() -> PathBuf {
    let target = Path::new(REPOSITORY).join("target");
    // Without "..": the paths of modules and programs are compared and shown.
    target.canonicalize().unwrap_or(target).join("kernels")
}
