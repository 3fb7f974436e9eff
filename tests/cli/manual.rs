//! Manual pages and completions: complete, without hidden commands, and accepted by what reads them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::output;

const HIDDEN: [&str; 3] = ["compile", "footprint", "helper"];

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = output(Command::new(BINARY).args(arguments));
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Adds the names of the manual pages of a command and of those below it, as `--help` lists them.
fn add_pages(command: &[&str], pages: &mut BTreeSet<String>) {
    let help = printed(&[command, &["--help"]].concat());
    pages.insert([&["retrans-host"], command].concat().join("-"));
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    // The names are indented by two spaces, and further lines of what they do by more.
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !["", "help"].contains(name)) {
        add_pages(&[command, &[name]].concat(), pages);
    }
}

#[test]
fn every_command_that_is_not_hidden_has_a_manual_page_that_man_accepts() {
    let files = Files::new();
    let directory = files.path().join("man1");
    printed(&["man", "--dir", &directory.display().to_string()]);
    let mut commands = BTreeSet::new();
    add_pages(&[], &mut commands);
    for name in ["retrans-host-replay", "retrans-host-plugin-test"] {
        assert!(commands.contains(name), "{commands:?}");
    }
    assert!(commands.len() > 12, "{commands:?}");
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(&directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            !HIDDEN.iter().any(|hidden| name.ends_with(hidden)),
            "{name}"
        );
        assert_eq!(path.extension(), Some(OsStr::new("1")), "{name}");
        pages.insert(name.clone());
        // groff is not on every machine.
        let mut groff = Command::new("groff");
        if let Ok(checked) = groff
            .args(["-man", "-ww", "-z", "-Tutf8"])
            .arg(&path)
            .output()
        {
            let warnings = String::from_utf8_lossy(&checked.stderr);
            assert!(
                checked.status.success() && warnings.is_empty(),
                "{name}: {warnings}"
            );
        }
    }
    assert_eq!(pages, commands);
}

#[test]
fn the_manual_page_of_the_program_has_examples_exit_codes_and_every_variable() {
    let page = printed(&["man"]);
    for section in [".SH EXAMPLES", ".SH \"EXIT STATUS\"", ".SH ENVIRONMENT"] {
        assert!(page.contains(section), "{section}: {page}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md");
    let document = fs::read_to_string(path).expect("a document");
    let (_, rest) = document.split_once("### Environment\n").expect("a section");
    let (section, _) = rest.split_once("\n#").expect("another one");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<&str> = rows.collect();
    let variables = rows.iter().filter_map(|row| row.split('|').nth(1));
    let mut count = 0;
    for variable in variables.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        if variable
            .chars()
            .all(|char| char.is_ascii_uppercase() || char == '_')
        {
            assert!(page.contains(variable), "{variable}");
            count += 1;
        }
    }
    assert!(count >= 9, "{rows:?}");
}

#[test]
fn completions_are_scripts_that_their_shells_accept_and_have_no_hidden_command() {
    let files = Files::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(
            script.contains("replay") && script.contains("explain"),
            "{shell}"
        );
        for hidden in HIDDEN {
            let word = |char: char| !char.is_alphanumeric() && char != '_' && char != '-';
            assert!(
                !script.split(word).any(|found| found == hidden),
                "{shell}: {hidden}"
            );
        }
        let path = files.write(shell, &script);
        // Not every machine has every shell.
        if let Ok(checked) = Command::new(shell).arg("-n").arg(path).output() {
            let errors = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{shell}: {errors}");
        }
    }
}
