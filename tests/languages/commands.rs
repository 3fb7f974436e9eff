//! The pages of docs/languages: each command in a block `sh` works as it is printed, in order, in an empty directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::refusal::BINARY;

fn blocks(page: &str) -> Vec<String> {
    let parts = page.split("\n```sh\n").skip(1);
    let blocks =
        parts.filter_map(|part| part.split_once("\n```").map(|(block, _)| block.to_owned()));
    blocks.collect()
}

fn run_page(language: &str) {
    let page = format!("docs/languages/{language}.md");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(page).expect("each language has a page");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 2, "{language}: {} blocks", blocks.len());
    let directory = TempDir::new().expect("a temporary directory");
    let binaries = Path::new(BINARY).parent().expect("a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("bash")
        .args([
            "-e",
            "-x",
            "-c",
            &format!("exec 2>&1\n{}", blocks.join("\n")),
        ])
        .current_dir(directory.path())
        .env("PATH", format!("{binaries}:{path}"))
        .output()
        .expect("there is a shell");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{language}: {printed}");
}

#[test]
fn the_commands_for_c_work() {
    run_page("c");
}

#[test]
fn the_commands_for_go_work() {
    run_page("go");
}

#[test]
fn the_commands_for_python_work() {
    run_page("python");
}

#[test]
fn the_commands_for_javascript_work() {
    run_page("javascript");
}
