//! Compiles the BPF programs, compares the C declarations of the record with the table of fields in `retrans-event`, and
//! builds the bundled plugins.

#[path = "build/layout.rs"]
mod layout;
#[path = "build/paths.rs"]
mod paths;
#[path = "build/ring_event.rs"]
mod ring_event;
#[path = "build/sources.rs"]
mod sources;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use libbpf_cargo::SkeletonBuilder;
use libbpf_rs::btf::Btf;

use layout::CStruct;
use sources::Sources;

/// Packages in plugins/ whose components are embedded in the host. The last one is not offered: others are measured
/// beside it.
const BUNDLED: &[&str] = &[
    "json-print",
    "table-print",
    "threshold-alert",
    "flow-summary",
    "label-networks",
    "ratio-alert",
    "sample",
    "pass-through",
];

fn main() {
    // An error that `main` returns is printed in its Debug form, with a backtrace.
    if let Err(error) = build() {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn build() -> Result<()> {
    let out =
        PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: not run by cargo")?);
    let root: PathBuf = env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: not run by cargo")?
        .into();
    println!("cargo:rerun-if-changed=bpf");
    let compile = |name| compile(name, &root, &out);
    let object = compile("retrans")?;
    compile("census")?;
    compile("holders")?;
    compile("namespaces")?;
    // For benches/probe.rs.
    compile("baseline")?;
    let btf = Btf::from_path(object).context("the compiled probe has no BTF")?;
    let record = CStruct::read(&btf, "retrans_event", "bpf/event.h")?;
    layout::compare(&btf, &record)?;
    record.write(&out.join("c_layout.rs"))?;
    let ring = CStruct::read(&btf, "retrans_ring_event", "bpf/ring_event.h")?;
    ring.write(&out.join("ring_layout.rs"))?;
    ring_event::write(&ring, &out.join("ring_event.rs"))?;
    let target = plugins_target(&root, &out);
    let options = paths::rustc_options(&root, &target)?;
    // The tests build their own plugins there (tests/common/fixtures.rs).
    println!("cargo:rustc-env=PLUGINS_TARGET={}", target.display());
    println!("cargo:rustc-env=PLUGINS_RUSTFLAGS={options}");
    for path in sources::watched() {
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let sources = Sources::read(&root, BUNDLED)?;
    sources.embed(&out)?;
    if env::var_os("CARGO_FEATURE_BUNDLED").is_none() {
        return fs::write(out.join("bundled.rs"), "&[]").context("cannot write bundled.rs");
    }
    build_plugins(&out, &target, &options, &sources)
}

/// Compiles a BPF program in bpf/ and generates its skeleton. Returns the path of the object.
fn compile(name: &str, root: &Path, out: &Path) -> Result<PathBuf> {
    let source = format!("bpf/{name}.bpf.c");
    let object = out.join(format!("{name}.bpf.o"));
    SkeletonBuilder::new()
        .source(&source)
        .obj(&object)
        .clang_args(["-Wall", "-Werror", &paths::clang_option(root)])
        .build_and_generate(out.join(format!("{name}.skel.rs")))
        .with_context(|| format!("cannot compile {source}"))?;
    Ok(object)
}

/// Builds the bundled plugins with a nested cargo. It has a target directory of its own: in the outer one it would wait
/// forever for the lock that the outer cargo holds.
fn build_plugins(out: &Path, target: &Path, options: &str, sources: &Sources) -> Result<()> {
    let mut cargo =
        Command::new(env::var_os("CARGO").context("CARGO is not set: not run by cargo")?);
    cargo
        .args(["build", "--profile", "plugin", "--quiet"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(target);
    for name in BUNDLED {
        cargo.args(["--package", name]);
    }
    if sources.is_package() {
        // Its lock file has more packages than it needs: cargo removes those, and keeps the versions of the others.
        cargo.current_dir(out.join("sources"));
    } else {
        cargo.arg("--locked");
    }
    // The options of the outer build are for the host's target, and the compiler may be a linter.
    for (key, _) in env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        let outer = key.ends_with("RUSTFLAGS") || key.contains("RUSTC") || key.contains("WRAPPER");
        if outer || key.starts_with("CARGO_BUILD_") || key.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(key);
        }
    }
    let output = cargo
        .env("CARGO_ENCODED_RUSTFLAGS", options)
        .output()
        .context("cannot run cargo to build the bundled plugins")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cannot build the bundled plugins:\n{errors}"
    );

    let mut code = String::from("&[\n");
    for name in BUNDLED {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let built = target.join("wasm32-wasip2/plugin").join(&file);
        // A copy: a later build of another profile may write to the shared directory while rustc reads.
        let path = out.join(file);
        fs::copy(&built, &path)
            .with_context(|| format!("cargo did not build {}", built.display()))?;
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("]\n");
    fs::write(out.join("bundled.rs"), code).context("cannot write bundled.rs")
}

/// Where plugins are built, once for all profiles of the host: `plugins-HASH` in cargo's target directory, which is
/// four levels above `OUT_DIR` (`target/PROFILE/build/PACKAGE-HASH/out`). Cargo locks it. `HASH` names the checkout:
/// several may share a target directory (`CARGO_TARGET_DIR`), but the files that cargo makes have no hash in their names.
fn plugins_target(root: &Path, out: &Path) -> PathBuf {
    let mut hash = DefaultHasher::new();
    root.hash(&mut hash);
    let name = format!("plugins-{:016x}", hash.finish());
    let [build, target] = [2, 4].map(|level| out.ancestors().nth(level));
    match target {
        Some(target) if build.and_then(Path::file_name) == Some("build".as_ref()) => {
            target.join(name)
        }
        // Another layout, of another cargo.
        _ => out.join("plugins"),
    }
}
