//! Builds for an architecture that is not this machine's: clang and Rust's linker, which every build has, and Debian's
//! headers and libraries of that architecture.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::command::output;
use crate::kernel::Architecture;
use crate::packages::Apt;

/// Headers and libraries to build with.
const PACKAGES: &[&str] = &[
    "libc6-dev",
    "libelf-dev",
    "libgcc-14-dev",
    "linux-libc-dev",
    "zlib1g-dev",
];

/// Sets up a cargo command to build for `architecture`.
pub fn configure(cargo: &mut Command, apt: &Apt, architecture: Architecture) -> Result<()> {
    let target = architecture.target();
    let triple = architecture.triple();
    add_target(target)?;
    let root = apt.unpack(architecture, PACKAGES, "sysroot")?.root;
    let linker = linker()?;
    let flags = format!("--target={triple} --sysroot={}", root.display());
    let underscored = target.replace('-', "_");
    let upper = underscored.to_uppercase();
    let link = [
        "--target=".to_owned() + triple,
        format!("--sysroot={}", root.display()),
        format!("--ld-path={}", linker.display()),
    ];
    let rustflags: Vec<String> = link
        .iter()
        .map(|word| format!("-Clink-arg={word}"))
        .collect();
    cargo
        .args(["--target", target])
        // It would take precedence over the options of the target.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env(format!("CC_{underscored}"), "clang")
        .env(format!("CFLAGS_{underscored}"), &flags)
        .env(format!("CARGO_TARGET_{upper}_LINKER"), "clang")
        .env(
            format!("CARGO_TARGET_{upper}_RUSTFLAGS"),
            rustflags.join(" "),
        )
        .env("PKG_CONFIG_ALLOW_CROSS", "1")
        .env("PKG_CONFIG_SYSROOT_DIR", &root)
        .env(
            "PKG_CONFIG_LIBDIR",
            root.join("usr/lib").join(triple).join("pkgconfig"),
        );
    Ok(())
}

/// LLVM's linker, which comes with Rust.
fn linker() -> Result<PathBuf> {
    let directory = output(Command::new("rustc").args(["--print", "target-libdir"]))
        .context("cannot ask rustc")?;
    let linker = Path::new(directory.trim()).join("../bin/gcc-ld/ld.lld");
    ensure!(
        linker.is_file(),
        "Rust has no linker at {}",
        linker.display()
    );
    Ok(linker)
}

/// Adds Rust's target with rustup, unless it is installed.
fn add_target(target: &str) -> Result<()> {
    let mut rustc = Command::new("rustc");
    let libraries = output(rustc.args(["--print", "target-libdir", "--target", target]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("kernels: adding Rust's target {target}");
    output(Command::new("rustup").args(["target", "add", target]))
        .with_context(|| format!("cannot add Rust's target {target}"))?;
    Ok(())
}
