//! Runs programs: their output, or an error that names the program and has its last words.

use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// Maximum lines of standard error in an error.
const LAST_LINES: usize = 20;

/// Maximum length of such a line: a linker's command has thousands of characters.
const MAX_LINE: usize = 300;

/// Runs a command; its standard output. Fails unless it exits with 0.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = stderr.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        let last: String = last
            .iter()
            .map(|line| format!("\n    {line:.MAX_LINE$}"))
            .collect();
        bail!("{program} failed ({}):{last}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
