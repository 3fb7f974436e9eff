//! The build names each prerequisite that the machine lacks, with the command that installs it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Builds the crate `prerequisites` with these commands on the path; standard error if that fails.
fn build_with(commands: &Path) -> Option<String> {
    build_for(&[], commands)
}

/// The same with more arguments of cargo.
fn build_for(arguments: &[&str], commands: &Path) -> Option<String> {
    let target = tempfile::tempdir().expect("a temporary directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--locked",
            "--package",
            "retrans-host-prerequisites",
            "--target-dir",
        ])
        .arg(target.path())
        .args(arguments)
        .env("PATH", commands);
    let own = commands.join("rustc");
    let installed = Path::new(env!("CARGO")).with_file_name("rustc");
    cargo.env("RUSTC", if own.exists() { own } else { installed });
    let output = cargo.output().expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(said)
}

/// A directory with the commands that the build uses, except `without`.
fn commands(without: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = env::var_os("PATH").expect("there is a PATH");
    for command in ["clang", "cc", "ld", "make", "pkg-config", "sh"] {
        let found = env::split_paths(&path).map(|directory| directory.join(command));
        let found = found.into_iter().find(|file| file.exists());
        if command != without {
            let found = found.unwrap_or_else(|| panic!("this machine has {command}"));
            symlink(found, directory.path().join(command)).expect("a link of our own");
        }
    }
    directory
}

/// Replaces a command with a shell script.
fn replace(commands: &Path, command: &str, script: &str) {
    let file = commands.join(command);
    let _ = fs::remove_file(&file);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a file of our own");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a file of our own");
}

#[test]
fn nothing_is_said_where_nothing_is_missing() {
    assert_eq!(build_with(commands("").path()), None);
}

#[test]
fn a_missing_compiler_is_named() {
    let said = build_with(commands("clang").path()).expect("the build fails");
    assert!(said.contains("apt-get install clang\n"), "{said}");
}

#[test]
fn missing_headers_are_named_by_their_packages() {
    let commands = commands("");
    let clang = fs::canonicalize(commands.path().join("clang")).expect("it is a link to a file");
    let script = format!("exec {} -nostdinc \"$@\"", clang.display());
    replace(commands.path(), "clang", &script);
    let said = build_with(commands.path()).expect("the build fails");
    assert!(
        said.contains("apt-get install libelf-dev zlib1g-dev\n"),
        "{said}"
    );
}

#[test]
fn what_the_sources_of_libelf_need_is_asked_for_with_the_feature_vendored_alone() {
    let commands = commands("");
    let said = build_for(&["--features", "vendored"], commands.path()).expect("the build fails");
    let packages = "apt-get install autoconf automake autopoint bison flex gawk\n";
    assert!(said.contains(packages), "{said}");
}

#[test]
fn a_missing_target_is_named() {
    let commands = commands("");
    // The rustc beside cargo: rustup is not on that path.
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let rustc = rustc.display();
    let script =
        format!("[ \"$*\" = \"--print sysroot\" ] && exec echo /nowhere\nexec {rustc} \"$@\"");
    replace(commands.path(), "rustc", &script);
    let said = build_with(commands.path()).expect("the build fails");
    assert!(said.contains("rustup target add wasm32-wasip2\n"), "{said}");
}

#[test]
fn a_target_on_which_the_probe_cannot_run_is_refused_with_the_reason() {
    for (target, reason) in [
        ("s390x-unknown-linux-gnu", "little-endian numbers"),
        ("i686-unknown-linux-gnu", "counters of 64 bits"),
        ("aarch64-apple-darwin", "the probe runs in Linux"),
    ] {
        let said = build_for(&["--target", target], commands("").path());
        let said = said.expect("it is refused");
        let words = format!("error: retrans-host cannot be built for {target}");
        let line = said.lines().find(|line| line.contains(&words));
        let line = line.unwrap_or_else(|| panic!("no line with {words:?}: {said}"));
        assert!(line.contains(reason), "{line}");
    }
}
