//! The host as it is released: what is fast enough there, and what is optimised away, is not what the
//! tests' own build shows.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The binary, built anew if its source has changed.
pub fn release_host() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// In the directory in which `cargo build --release` would: there it is built once.
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
