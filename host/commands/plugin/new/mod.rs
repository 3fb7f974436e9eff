//! `plugin new`: a project for a plugin, which builds and tests without the repository of the host.

use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use tempfile::Builder;

use super::super::generate;
use super::super::print_result;
use crate::config::PluginNew;
use crate::config::Template;
use crate::config::Verbosity;
use crate::plugin::sources;

/// The target of plugins.
const TARGET: &str = "wasm32-wasip2";

/// The sample: events, connections, and seed.
const SAMPLE: (u64, u64, u64) = (300, 12, 7);

/// The code of a project. Its first lines say what the plugin does.
fn code(template: Template) -> &'static str {
    match template {
        Template::Filter => include_str!("templates/filter.rs"),
        Template::Transform => include_str!("templates/transform.rs"),
        Template::Alert => include_str!("templates/alert.rs"),
        Template::Stateful => include_str!("templates/stateful.rs"),
    }
}

/// Makes a project in a new directory with the plugin's name, or nothing.
pub fn new(config: &PluginNew) -> Result<()> {
    let PluginNew {
        name,
        template,
        sdk,
    } = config;
    let directory = Path::new(name);
    let failed = || format!("cannot make {name}");
    if fs::symlink_metadata(directory).is_ok() {
        bail!("{}: it exists", failed());
    }
    let sdk = sdk.as_deref().map(outside_sdk).transpose()?;
    let mut unfinished = Builder::new();
    // The directory of a project is not private, as a temporary one is; the umask applies.
    unfinished.permissions(Permissions::from_mode(0o777));
    let unfinished = unfinished.prefix(".retrans-new-").tempdir_in(".");
    let unfinished = unfinished.with_context(failed)?;
    write_project(unfinished.path(), name, *template, sdk.as_deref()).with_context(failed)?;
    fs::rename(unfinished.path(), directory).with_context(failed)?;
    // It is no longer there to be removed.
    let _ = unfinished.keep();
    if let Some(missing) = missing_toolchain() {
        tracing::warn!("{missing}");
    }
    print_result(&next_steps(name))
}

fn write_project(to: &Path, name: &str, template: Template, sdk: Option<&Path>) -> Result<()> {
    let code = code(template);
    write(&to.join("src/lib.rs"), code)?;
    write(&to.join("Cargo.toml"), &manifest(name, code, sdk))?;
    write(&to.join("Cargo.lock"), sources::lock_file())?;
    write(&to.join(".gitignore"), "/target\n")?;
    let readme = include_str!("templates/README.md");
    let readme = readme.replace("{{name}}", name);
    write(
        &to.join("README.md"),
        &readme.replace("{{file}}", &file(name)),
    )?;
    if sdk.is_none() {
        for part in sources::SDK {
            for (path, text) in sources::of_crate(part) {
                write(&to.join("vendor").join(part).join(path), text)?;
            }
        }
    }
    let (events, connections, seed) = SAMPLE;
    let sample = crate::config::Generate {
        events,
        connections,
        seed,
        census: None,
        gaps: false,
        file: PathBuf::from("sample.rtc"),
        force: false,
        verbosity: Verbosity::Quiet,
    };
    let file = File::create(to.join("sample.rtc")).context("sample.rtc")?;
    generate::write(&sample, &mut BufWriter::new(file), || false).context("sample.rtc")?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = parent.and_then(|()| fs::write(path, text));
    written.with_context(|| path.display().to_string())
}

fn manifest(name: &str, code: &str, sdk: Option<&Path>) -> String {
    let vendored = PathBuf::from("vendor/retrans-plugin-sdk");
    let sdk = sdk.unwrap_or(&vendored).display().to_string();
    // TOML's basic strings have the escapes of JSON.
    let [sdk, summary] =
        [sdk, summary(code)].map(|text| serde_json::Value::String(text).to_string());
    let (version, edition) = (env!("CARGO_PKG_VERSION"), "2024");
    format!(
        "\
[package]
name = \"{name}\"
description = {summary}
version = \"0.1.0\"
edition = \"{edition}\"

[lib]
crate-type = [\"cdylib\"]

[dependencies]
retrans-plugin-sdk = {{ path = {sdk}, version = \"{version}\" }}

# Smaller, and so quicker to compile when the host starts. Keep the names of functions: the host shows them in faults.
[profile.release]
codegen-units = 1
lto = true

# A project of its own, also within the directory of another one.
[workspace]
exclude = [\"vendor\"]
"
    )
}

/// What the plugin does, from the comment at the beginning of its code.
fn summary(code: &str) -> String {
    let comment = code.lines().map_while(|line| line.strip_prefix("//! "));
    comment.collect::<Vec<_>>().join(" ")
}

/// The name of the component's file, without its extension.
fn file(name: &str) -> String {
    name.replace('-', "_")
}

/// The SDK at a path that the user gave, as a path that is valid in the project's directory.
fn outside_sdk(path: &Path) -> Result<PathBuf> {
    let cannot = || format!("--sdk {}", path.display());
    let whole = fs::canonicalize(path).with_context(cannot)?;
    let manifest = fs::read_to_string(whole.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("name = \"retrans-plugin-sdk\"") {
        bail!(
            "{}: it is not the directory of retrans-plugin-sdk, which has its Cargo.toml",
            cannot()
        );
    }
    Ok(whole)
}

/// What is missing to build the project.
fn missing_toolchain() -> Option<String> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    match rustc.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(output) => {
            let is_there = Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir();
            let add = format!("the target of plugins is missing: rustup target add {TARGET}");
            (!is_there).then_some(add)
        }
        Err(error) => Some(format!(
            "cannot run rustc, with which plugins are built: {error}; https://rustup.rs installs it"
        )),
    }
}

fn next_steps(name: &str) -> String {
    let component = format!("target/{TARGET}/release/{}.wasm", file(name));
    format!(
        "\
made {name}/: code and a test in src/lib.rs, recorded events in sample.rtc, the SDK in Cargo.toml
Next:
  cd {name}
  cargo test
  cargo build --release --target {TARGET}
  retrans-host plugin explain {component} --events sample.rtc
"
    )
}
