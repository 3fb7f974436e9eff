//! Plugins that the tests build: the examples of the SDK, and those in tests/fixtures.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A plugin that keeps retransmits to port 443.
pub const HTTPS_ONLY: &str = "examples/https_only.wasm";
/// A plugin that labels events with the name of a network.
pub const TAG_NETWORK: &str = "examples/tag_network.wasm";
/// A plugin that alerts when a peer has many retransmits.
pub const BURST: &str = "examples/burst.wasm";
/// A plugin that drops every n-th event.
pub const DROP_EVERY: &str = "examples/drop_every.wasm";
/// A plugin that misbehaves in the way that its setting `act` names.
pub const LIAR: &str = "liar.wasm";

/// A plugin that tries its grants, in the steps that its settings name.
pub const READER: &str = "reader.wasm";
/// A plugin that counts events and fails where its settings say so; it has state.
pub const WITNESS: &str = "witness.wasm";

/// The component. Cargo builds it once in each process that asks, if its source has changed.
pub fn fixture(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(build).join(name);
    assert!(path.is_file(), "cargo built no {}", path.display());
    path
}

/// The bundled plugin built with another profile: same source, different code.
pub fn other_build_of_threshold_alert() -> PathBuf {
    let target = target();
    cargo(&target, &["--release", "--package", "threshold-alert"]);
    target.join("wasm32-wasip2/release/threshold_alert.wasm")
}

fn build() -> PathBuf {
    let target = target();
    let examples = ["--package", "retrans-plugin-sdk", "--examples"];
    let plugins = [
        "--package",
        "liar",
        "--package",
        "reader",
        "--package",
        "witness",
        "--lib",
    ];
    let profile = ["--profile", "plugin"];
    cargo(&target, &[&profile[..], &examples, &plugins].concat());
    target.join("wasm32-wasip2/plugin")
}

/// The target directory of build.rs, which has compiled the dependencies there.
fn target() -> PathBuf {
    PathBuf::from(env!("PLUGINS_TARGET"))
}

fn cargo(target: &Path, what: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--locked", "--quiet"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(target)
        .args(what);
    // Flags for the host's target must not reach this build, as in build.rs. With its own, what it has compiled fits.
    for (key, _) in env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        let outer = key.ends_with("RUSTFLAGS") || key.contains("RUSTC") || key.contains("WRAPPER");
        if outer || key.starts_with("CARGO_BUILD_") || key.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(key);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", env!("PLUGINS_RUSTFLAGS"));
    let output = cargo.output().expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "no plugins to test with:\n{errors}"
    );
}
