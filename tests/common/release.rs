//! The host in its release build: speed and memory differ from the build for tests.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The binary. Cargo builds it once in each process that asks, if its source has changed.
pub fn release_host() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Builds in the target directory of `cargo build --release`, so that dependencies are built once.
fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--bin", "retrans-host", "--target-dir"])
        .arg(&target)
        .output()
        .expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no release host:\n{errors}");
    target.join("release/retrans-host")
}
