//! `plugin new --lang`: a project of each language builds and tests without the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::refusal::BINARY;

/// The commands that the host names after making a project, without the last one, which explains the plugin.
fn next_steps(printed: &str) -> Vec<&str> {
    let steps = printed.lines().skip_while(|line| *line != "Next:").skip(1);
    steps.map(str::trim).collect()
}

/// Makes a project, and does what the host says is next.
fn build(name: &str, language: &str, template: &str) {
    let directory = TempDir::new().expect("a temporary directory");
    let made = Command::new(BINARY)
        .args(["plugin", "new", name, "--lang", language, template])
        .current_dir(directory.path())
        .output()
        .expect("the host runs");
    let printed = String::from_utf8_lossy(&made.stdout);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let readme = directory.path().join(name).join("README.md");
    let readme = fs::read_to_string(readme).expect("a project has a README");
    assert!(!readme.contains("{{"), "{readme}");
    let steps = next_steps(&printed);
    assert!(steps.len() >= 4, "{printed}");
    let binaries = Path::new(BINARY).parent().expect("a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("sh")
        .args(["-e", "-c", &format!("exec 2>&1\n{}", steps.join("\n"))])
        .current_dir(directory.path())
        .env("PATH", format!("{binaries}:{path}"))
        .env("PIP_QUIET", "1")
        .output()
        .expect("there is a shell");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{language} {template}: {printed}");
    let component = format!("{name}/{name}.wasm");
    assert!(directory.path().join(component).is_file());
}

// Another template for each language: scripts/languages builds and tests all four samples in the repository.

#[test]
fn a_new_project_in_c_builds_tests_and_explains() {
    build("my-plugin", "c", "--filter");
}

#[test]
fn a_new_project_in_go_builds_tests_and_explains() {
    // As a package of its library.
    build("time", "go", "--transform");
}

#[test]
fn a_new_project_in_python_builds_tests_and_explains() {
    build("my-plugin", "python", "--stateful");
}

#[test]
fn a_new_project_in_javascript_builds_tests_and_explains() {
    build("my-plugin", "javascript", "--alert");
}
