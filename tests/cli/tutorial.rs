//! The tutorial of docs/writing-plugins.md does what it says: its commands run one after the other, and print what it
//! shows.
//!
//! `sh` blocks are run in one shell. A `text` block shows lines that the block before it prints, in their order; `…` stands
//! for anything. A command that ends in `# fails` fails.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::common::refusal::BINARY;

/// Ends the output of a block.
const END: &str = "== end of block";

/// Commands, and the lines that they print.
struct Block {
    commands: String,
    expected: Vec<String>,
}

/// The blocks of the tutorial, the first chapter of the guide.
fn blocks() -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/writing-plugins.md");
    let guide = fs::read_to_string(path).expect("there is a guide");
    let tutorial = guide.split("\n## ").nth(1).expect("it has a first chapter");
    let mut blocks: Vec<Block> = Vec::new();
    for part in tutorial.split("\n```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap_or((part, ""));
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block {
                commands: text.to_owned(),
                expected: Vec::new(),
            }),
            ("text", Some(block)) => block.expected.extend(text.lines().map(str::to_owned)),
            _ => {}
        }
    }
    blocks
}

/// The commands of a block for the shell of the test, which is root or cannot use sudo.
fn script(block: &Block) -> String {
    let commands = block.commands.lines().map(|line| {
        if let Some(command) = line.strip_suffix("  # fails") {
            return format!("if {command}; then echo 'it does not fail'; exit 9; fi\n");
        }
        match (line.strip_prefix("sudo "), geteuid().is_root()) {
            (Some(command), true) => format!("{command}\n"),
            (Some(_), false) => String::new(),
            (None, _) => format!("{line}\n"),
        }
    });
    let commands: String = commands.collect();
    format!("{commands}echo '{END}'\n")
}

/// Whether a line is the one that is shown, where `…` stands for anything.
fn is_shown(shown: &str, line: &str) -> bool {
    let mut rest = line;
    for (number, part) in shown.split('…').enumerate() {
        match rest.find(part) {
            Some(0) => rest = &rest[part.len()..],
            Some(at) if number > 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    shown.ends_with('…') || rest.is_empty()
}

#[test]
fn the_tutorial_does_what_it_says() {
    let blocks = blocks();
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    // A place of its own, and always the same: cargo builds the SDK once.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tutorial");
    let place = directory.join("here");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).expect("a directory of our own");
    let binaries = Path::new(BINARY).parent().expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    let scripts: String = blocks.iter().map(script).collect();
    shell
        .args(["-e", "-c", &format!("exec 2>&1\n{scripts}")])
        .current_dir(&place)
        .env("PATH", format!("{}:{path}", binaries.display()))
        .env("CARGO_BUILD_BUILD_DIR", directory.join("build"))
        .env(
            "XDG_CACHE_HOME",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("host-cache"),
        )
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_TERM_COLOR", "never");
    let output = shell.output().expect("there is a shell");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let printed: Vec<&str> = printed.split(&format!("{END}\n")).collect();
    for (block, printed) in blocks.iter().zip(printed) {
        let is_skipped = block.commands.starts_with("sudo ") && !geteuid().is_root();
        let mut lines = printed.lines();
        for shown in block.expected.iter().filter(|_| !is_skipped) {
            let found = shown == "…" || lines.any(|line| is_shown(shown, line));
            assert!(
                found,
                "{shown:?} is not printed by\n{}{printed}",
                block.commands
            );
        }
    }
}

#[test]
fn an_ellipsis_stands_for_anything() {
    assert!(is_shown("a … c", "a b c"));
    assert!(is_shown("…c", "abc"));
    assert!(is_shown("a…", "abc"));
    assert!(!is_shown("a … c", "a b d"));
    assert!(!is_shown("a", "ab"));
    assert!(!is_shown("b", "ab"));
}
