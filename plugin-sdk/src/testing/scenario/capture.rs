//! Scenarios from captures, which the host reads.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;

use super::Scenario;
use crate::result::Result;

/// The variable with the path of the host.
const VARIABLE: &str = "RETRANS_HOST";

impl Scenario {
    /// The stream of a capture that `retrans-host --record` wrote: its events with their labels, its losses and its census. Ticks are
    /// those of [`from_json_lines`](Scenario::from_json_lines).
    ///
    /// Runs `retrans-host replay PATH --plugin json-print --set census=true`: the program is that of the environment variable `RETRANS_HOST`,
    /// else `retrans-host` in `PATH`.
    ///
    /// ```no_run
    /// # use retrans_plugin_sdk::prelude::*;
    /// # use retrans_plugin_sdk::testing::Scenario;
    /// # filter!(|event| event.peer().port() == 443);
    /// # fn main() -> Result<()> {
    /// let outcome = Scenario::from_capture("tests/incident.rtc")?.run::<Filter>()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Where there is no host, or it cannot read the capture. The message has the path, and what to do.
    pub fn from_capture(path: impl AsRef<Path>) -> Result<Scenario> {
        let program = env::var_os(VARIABLE).filter(|program| !program.is_empty());
        let program = program.as_deref().unwrap_or(OsStr::new("retrans-host"));
        read(program, path.as_ref())
            .with_context(|| format!("cannot read {}", path.as_ref().display()))
    }
}

fn read(program: &OsStr, path: &Path) -> Result<Scenario> {
    let mut command = Command::new(program);
    command
        .arg("replay")
        .arg(path)
        .args(["--plugin", "json-print", "--set", "census=true"]);
    let program = Path::new(program).display();
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "there is no program {program}, which reads captures: set {VARIABLE} to the path of retrans-host, or \
             install it in PATH"
        ),
        _ => anyhow!("cannot run {program}: {error}"),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}: {}", output.status, said.trim());
    }
    let lines = String::from_utf8(output.stdout);
    let lines = lines.with_context(|| format!("{program} printed output that is not UTF-8"))?;
    Scenario::from_json_lines(&lines).with_context(|| format!("{program} printed an unknown form"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process;

    use super::*;

    /// A program that stands for the host.
    struct Program(PathBuf);

    impl Program {
        fn new(name: &str, script: &str) -> Program {
            let path = env::temp_dir().join(format!("retrans-sdk-{}-{name}", process::id()));
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it is ours");
            Program(path)
        }

        fn read(&self) -> Result<Scenario> {
            // Another thread that starts a program at this moment has the script open for writing.
            (0..50)
                .find_map(|_| match read(self.0.as_os_str(), Path::new("a.rtc")) {
                    Err(error) if error.to_string().contains("Text file busy") => {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        None
                    }
                    read => Some(read),
                })
                .expect("it is closed in the end")
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_lines_of_the_host_are_the_stream() {
        let script = r#"[ "$*" = "replay a.rtc --plugin json-print --set census=true" ] && echo '{"type":"gap","lost":3}'"#;
        let scenario = Program::new("lines", script)
            .read()
            .expect("it prints a loss");
        assert_eq!(format!("{:?}", scenario.steps), "[Lost(3)]");
    }

    #[test]
    fn an_error_of_the_host_is_passed_on() {
        let failing = Program::new("failing", "echo 'error: a.rtc: no such file' >&2; exit 1");
        let error = failing.read().expect_err("it fails").to_string();
        assert!(
            error.ends_with("exit status: 1: error: a.rtc: no such file"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_line_of_json_is_an_error() {
        let error = Program::new("odd", "echo hello")
            .read()
            .expect_err("it is no event");
        let error = format!("{error:#}");
        assert!(
            error.contains("printed an unknown form: line 1: column 1"),
            "{error}"
        );
    }

    #[test]
    fn without_a_host_the_error_says_what_to_do() {
        let error = read(OsStr::new("no-such-retrans-host"), Path::new("a.rtc"));
        assert_eq!(
            error.expect_err("it does not exist").to_string(),
            "there is no program no-such-retrans-host, which reads captures: set RETRANS_HOST to the path of \
             retrans-host, or install it in PATH"
        );
    }
}
