//! Paths of the machine that builds, which are not to be in what it builds: the same sources then give the same bytes in
//! each directory. For the probe and the bundled plugins; scripts/release.sh does the same for the host.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

/// The option of clang that names files in debug information and BTF relative to `root`.
pub fn clang_option(root: &Path) -> String {
    format!("-ffile-prefix-map={}=.", root.display())
}

/// The options of rustc that name files relative to `root`, the build directory and cargo's home, in the form of
/// `CARGO_ENCODED_RUSTFLAGS`.
pub fn rustc_options(root: &Path, target: &Path) -> Result<String> {
    // The last one that fits is taken.
    let options = [
        (root.to_owned(), ".".to_owned()),
        (target.to_owned(), "./target".to_owned()),
        (cargo_home()?, "/cargo".to_owned()),
        standard_library()?,
    ];
    let options = options.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(options.join("\x1f"))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::home_dir().context("neither CARGO_HOME nor HOME is set")?;
    Ok(home.join(".cargo"))
}

/// Where rustc finds the sources of the standard library if the component rust-src is installed, and what it calls
/// them if it is not.
fn standard_library() -> Result<(PathBuf, String)> {
    let sources = Path::new(rustc("--print=sysroot")?.trim()).join("lib/rustlib/src/rust");
    let version = rustc("-vV")?;
    let mut lines = version.lines();
    let commit = lines.find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("rustc does not tell its commit")?;
    Ok((sources, format!("/rustc/{commit}")))
}

fn rustc(option: &str) -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program)
        .arg(option)
        .output()
        .context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc {option} failed");
    String::from_utf8(output.stdout).context("rustc printed what is not UTF-8")
}
