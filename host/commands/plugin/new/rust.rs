//! A project in Rust.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use super::write;
use crate::config::Template;
use crate::plugin::sources;

/// The target of plugins.
const TARGET: &str = "wasm32-wasip2";

/// The code of a project. Its first lines say what the plugin does.
fn code(template: Template) -> &'static str {
    match template {
        Template::Filter => include_str!("templates/filter.rs"),
        Template::Transform => include_str!("templates/transform.rs"),
        Template::Alert => include_str!("templates/alert.rs"),
        Template::Stateful => include_str!("templates/stateful.rs"),
    }
}

/// Writes the project, with the SDK in this directory, or with a copy of it.
pub(super) fn write_project(
    to: &Path,
    name: &str,
    template: Template,
    sdk: Option<&Path>,
) -> Result<()> {
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
            for (path, text) in sources::below(part) {
                write(&to.join("vendor").join(part).join(path), text)?;
            }
        }
    }
    Ok(())
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
pub(super) fn outside_sdk(path: &Path) -> Result<PathBuf> {
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
pub(super) fn missing_toolchain() -> Option<String> {
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

/// What to do with the project.
pub(super) fn next_steps(name: &str) -> String {
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
