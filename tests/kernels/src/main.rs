//! Runs the live tests on other kernels and architectures, in virtual machines: `make kernels`.
//!
//! ```text
//! packages   kernels, QEMU and the guests' programs, from Debian, in a directory of their own
//! programs   the release host and the test programs, built for the kernel's architecture (cross)
//! image      root file system of a guest: programs, modules, guest/init
//! machine    one QEMU; its console is read as the guest writes it (console)
//! run        all of it, for some kernels at the same time
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
mod list;
mod machine;
mod packages;
mod parts;
mod programs;
mod report;
mod run;
mod tools;

use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::Subcommand;

use crate::kernel::Kernel;
use crate::parts::PARTS;
use crate::run::RunArguments;

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
    /// Prints the table again, from the last run of each kernel of the list.
    Report {
        /// Writes it to docs/kernels.md.
        #[arg(long)]
        write: bool,
    },
    /// Adds a kernel to the list, if Debian has it.
    Add {
        /// A series such as 7.4, 6.18-rt or 7.4-arm64.
        kernel: Kernel,
    },
    /// Lists kernels with their newest versions, and parts.
    List,
}

fn main() -> ExitCode {
    match command(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kernels: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command. Returns whether all is as it should be.
fn command(command: Command) -> Result<bool> {
    match command {
        Command::Run(arguments) => {
            let report = run::run(&arguments)?;
            print(&report.to_string())?;
            Ok(report.is_good())
        }
        Command::Report { write } => {
            let report = run::last()?;
            if write {
                document::write(&report)?;
            }
            print(&report.to_string())?;
            Ok(report.is_good())
        }
        Command::Add { kernel } => {
            let (package, version) = list::add(&kernel, &run::apt()?)?;
            print(&format!(
                "{kernel}: {package} {version}; run it with: make kernels KERNELS={kernel}\n"
            ))?;
            Ok(true)
        }
        Command::List => {
            let apt = run::apt()?;
            for kernel in list::kernels()? {
                let (package, version) = apt.newest(&kernel)?;
                print(&format!("{kernel}: {package} {version}\n"))?;
            }
            for part in PARTS {
                print(&format!("part {}: {}\n", part.name, part.about))?;
            }
            Ok(true)
        }
    }
}

/// Writes to standard output. That its reader has closed it is no error.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
