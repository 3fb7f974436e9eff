//! Checks that this machine has what the build needs, and names the Debian packages that are missing.

use std::env;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;

/// Commands, and the Debian packages that have them.
const COMMANDS: &[(&str, &str)] = &[
    ("clang", "clang"),
    ("cc", "gcc"),
    ("make", "make"),
    ("pkg-config", "pkg-config"),
];
/// The same, for the feature `vendored`.
const VENDORED_COMMANDS: &[(&str, &str)] = &[
    ("autoreconf", "autoconf"),
    ("automake", "automake"),
    ("autopoint", "autopoint"),
    ("bison", "bison"),
    ("flex", "flex"),
    ("gawk", "gawk"),
];
/// C headers, and the Debian packages that have them.
const HEADERS: &[(&str, &str)] = &[("libelf.h", "libelf-dev"), ("zlib.h", "zlib1g-dev")];
/// The target of the plugins.
const PLUGIN_TARGET: &str = "wasm32-wasip2";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PATH");
    let vendored = match env::var_os("CARGO_FEATURE_VENDORED") {
        Some(_) => VENDORED_COMMANDS,
        None => &[],
    };
    let commands = COMMANDS.iter().chain(vendored);
    let commands = commands.filter(|(command, _)| !runs(command));
    let mut missing: Vec<&str> = commands.map(|(_, package)| *package).collect();
    if !missing.contains(&"clang") {
        let headers = HEADERS.iter().filter(|(header, _)| !compiles(header));
        missing.extend(headers.map(|(_, package)| package));
    }
    let mut code = ExitCode::SUCCESS;
    if let Some(reason) = unfit_target() {
        eprintln!("error: {reason}");
        code = ExitCode::FAILURE;
    }
    if !missing.is_empty() {
        let packages = missing.join(" ");
        eprintln!(
            "error: packages for the build are missing; install them with: apt-get install {packages}"
        );
        code = ExitCode::FAILURE;
    }
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() && !has_plugin_target() {
        eprintln!(
            "error: the target of the plugins is missing; add it with: rustup target add {PLUGIN_TARGET}"
        );
        code = ExitCode::FAILURE;
    }
    code
}

/// Why the host does not run on the target of this build; `None` if it does.
fn unfit_target() -> Option<String> {
    let of_target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let reason = if of_target("OS") != "linux" {
        "the probe runs in Linux"
    } else if of_target("ENDIAN") != "little" {
        "records, captures and plugins have little-endian numbers, and the probe writes those of its machine"
    } else if of_target("POINTER_WIDTH") != "64" {
        "the probe adds to counters of 64 bits atomically"
    } else {
        return None;
    };
    let target = env::var("TARGET").unwrap_or_default();
    Some(format!(
        "retrans-host cannot be built for {target}: {reason}"
    ))
}

fn runs(command: &str) -> bool {
    succeeds(Command::new(command).arg("--version"))
}

fn compiles(header: &str) -> bool {
    succeeds(Command::new("clang").args(["-E", "-x", "c", "-include", header, "/dev/null"]))
}

fn has_plugin_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    sysroot.is_ok_and(|sysroot| {
        let rustlib = Path::new(&sysroot).join("lib/rustlib");
        rustlib.join(PLUGIN_TARGET).join("lib").is_dir()
    })
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}
