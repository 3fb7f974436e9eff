//! Checks how the host refuses to run: exit code and message.

use std::process::Command;
use std::process::Output;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_retrans-host");

/// Exit code of a wrong command line or setting.
pub const USAGE: i32 = 2;
/// Exit code of every other failure.
pub const FAILURE: i32 = 1;

/// Runs a command until it ends, with RUST_BACKTRACE=1: no backtrace may show up in messages.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    let command = command.env("RUST_BACKTRACE", "1");
    command.output().expect("the binary can be run")
}

/// Runs the host, which must exit with `code` after exactly one line that has all of `words`.
#[track_caller]
pub fn assert_refused(command: &mut Command, code: i32, words: &[&str]) {
    assert_refusal(output(command), code, words);
}

/// The same for a host that has ended.
#[track_caller]
pub fn assert_refusal(output: Output, code: i32, words: &[&str]) {
    let functions = assert_refusal_in(output, code, words);
    assert_eq!(functions, Vec::<String>::new(), "not one line");
}

/// The same for a fault in a plugin. Returns the lines after the message: the functions that were
/// running in it.
#[track_caller]
pub fn assert_refusal_in(output: Output, code: i32, words: &[&str]) -> Vec<String> {
    let stderr = String::from_utf8(output.stderr).expect("it writes text");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let mut lines = stderr.lines();
    let line = lines.next().unwrap_or_default();
    let message = line.strip_prefix("retrans-host: error: ");
    let message = message.unwrap_or_else(|| panic!("not an error: {line}"));
    assert!(!message.contains(char::is_control), "{message:?}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert_said_once(message);
    let functions = lines.map(|line| match line.strip_prefix("    in ") {
        Some(function) if !line.contains(char::is_control) => function.to_owned(),
        _ => panic!("no function: {line:?}"),
    });
    functions.collect()
}

/// A message must not repeat a part of itself, as it does where an error is printed with itself as its
/// cause.
#[track_caller]
fn assert_said_once(message: &str) {
    let parts: Vec<&str> = message.split(": ").collect();
    for (index, part) in parts.iter().enumerate() {
        let again = parts[..index].contains(part);
        assert!(!again, "{part:?} is said twice: {message}");
    }
}
