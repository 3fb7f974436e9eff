//! `check`: what the host needs and can use, and the retransmit that it forces with `--live`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::support::host::other_user_launcher;
use crate::support::netns::Namespace;
use crate::support::netns::command;
use crate::support::oracle::Nstat;
use crate::support::root_test;

/// The result of a check, as JSON.
struct Checked {
    report: Value,
    code: Option<i32>,
    stderr: String,
}

impl Checked {
    /// Runs a command that ends in the name of the host.
    fn by(launcher: &mut Command, arguments: &[&str]) -> Result<Checked> {
        let output = launcher
            .args(["check", "--json"])
            .args(arguments)
            .output()?;
        let stderr = String::from_utf8(output.stderr)?;
        let report = serde_json::from_slice(&output.stdout).with_context(|| stderr.clone())?;
        Ok(Checked {
            report,
            code: output.status.code(),
            stderr,
        })
    }

    fn finding(&self, name: &str) -> Result<&Value> {
        let checks = self.report["checks"].as_array().context("an array")?;
        let found = checks.iter().find(|finding| finding["name"] == name);
        found.with_context(|| format!("nothing was said of {name}: {:#}", self.report))
    }

    /// Checks that the host can run.
    fn assert_runs(&self) {
        assert_eq!(self.code, Some(0), "{:#} {}", self.report, self.stderr);
        assert_eq!(self.report["runs"], true);
        assert_eq!(self.stderr, "");
    }

    /// Checks that this is there.
    fn assert_met(&self, name: &str, words: &str) -> Result<()> {
        let finding = self.finding(name)?;
        assert_eq!(finding["met"], true, "{finding}");
        assert!(
            finding["why"].is_null() && finding["lost"].is_null(),
            "{finding}"
        );
        let found = finding["found"].as_str().unwrap_or_default();
        ensure!(found.contains(words), "{words}: {found}");
        Ok(())
    }

    /// Checks that this is not there, why, and whether the host needs it.
    fn assert_missing(&self, name: &str, is_needed: bool, words: &[&str]) -> Result<()> {
        let finding = self.finding(name)?;
        assert_eq!(finding["met"], false, "{finding}");
        assert_eq!(finding["needed"], is_needed, "{finding}");
        assert_eq!(finding["lost"].is_string(), !is_needed, "{finding}");
        let why = finding["why"].as_str().unwrap_or_default();
        for word in words {
            ensure!(why.contains(word), "{word}: {why}");
        }
        Ok(())
    }

    /// Checks that the host cannot run, for want of this.
    fn assert_refused_for(&self, name: &str, words: &[&str]) -> Result<()> {
        assert_eq!(self.code, Some(FAILURE), "{:#}", self.report);
        assert_eq!(self.report["runs"], false);
        self.assert_missing(name, true, words)?;
        let line = format!("retrans-host: error: the host cannot run here: {name}");
        ensure!(self.stderr.starts_with(&line), "{}", self.stderr);
        Ok(())
    }
}

fn setpriv(arguments: &[&str]) -> Command {
    let mut setpriv = command("setpriv");
    setpriv.args(arguments).arg(BINARY);
    setpriv
}

#[test]
fn root_a_forced_retransmit_is_seen() -> Result<()> {
    root_test(|_| {
        let checked = Checked::by(&mut Command::new(BINARY), &["--live"])?;
        checked.assert_runs();
        checked.assert_met("capabilities", "CAP_BPF")?;
        checked.assert_met("BTF-typed probe", "attaches")?;
        checked.assert_met("owners", "")?;
        checked.assert_met("census", "can be counted")?;
        checked.assert_met("processes", "")?;
        checked.assert_met("live", "in a network namespace of its own was seen ")
    })
}

#[test]
fn root_with_the_two_capabilities_the_forced_retransmit_is_on_the_loopback_interface() -> Result<()>
{
    root_test(|_| {
        let namespace = Namespace::new()?;
        let mut launcher = command("nsenter");
        launcher.arg(format!("--net={}", namespace.path()));
        launcher.args(other_user_launcher()?).arg(BINARY);
        let checked = Checked::by(&mut launcher, &["--live"])?;
        checked.assert_runs();
        checked.assert_met("live", "in the network namespace of this process was seen ")?;
        checked.assert_met("namespaces", "of all processes")?;
        checked.assert_met("census", "can be counted")?;
        let kernel = Nstat::of(&namespace)?;
        assert_eq!(kernel.retransmitted_segments()?, 1);
        assert_eq!(kernel.get("TcpExtTCPSynRetrans")?, 1);
        Ok(())
    })
}

#[test]
fn root_what_the_host_needs_and_lacks_is_named() -> Result<()> {
    root_test(|_| {
        let without = |what: &str| {
            let dropped = format!("--bounding-set=-sys_admin,-{what}");
            Checked::by(&mut setpriv(&[&dropped]), &["--live"])
        };
        let words = ["CAP_BPF missing", "setcap cap_bpf,cap_perfmon+ep"];
        without("bpf")?.assert_refused_for("capabilities", &words)?;
        let words = ["CAP_PERFMON missing"];
        let checked = without("perfmon")?;
        checked.assert_refused_for("capabilities", &words)?;
        // It is not tried where it cannot work.
        checked.assert_missing("live", true, &["the host cannot run"])?;

        let mut hidden = command("unshare");
        let script = "mount -t tmpfs tmpfs /sys/kernel/btf && exec \"$0\" \"$@\"";
        hidden.args(["--mount", "sh", "-c", script, BINARY]);
        let words = ["no BTF", "CONFIG_DEBUG_INFO_BTF=y"];
        Checked::by(&mut hidden, &[])?.assert_refused_for("BTF", &words)?;

        let mut rootless = command("unshare");
        rootless.args(["--user", "--map-root-user", BINARY]);
        let words = ["user namespace", "do not count"];
        Checked::by(&mut rootless, &[])?.assert_refused_for("user namespace", &words)
    })
}

#[test]
fn root_what_the_host_can_do_without_is_named_with_what_is_lost() -> Result<()> {
    root_test(|_| {
        let mut container = command("unshare");
        container.args(["--pid", "--fork", "--mount-proc", BINARY]);
        let checked = Checked::by(&mut container, &["--live"])?;
        checked.assert_runs();
        checked.assert_missing("processes", false, &["PID namespace", "--pid=host"])?;

        let mut without_tracefs = command("unshare");
        let script = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
                      mount -t tmpfs tmpfs /sys/kernel/debug && exec \"$0\" \"$@\"";
        without_tracefs.args(["--mount", "sh", "-c", script, BINARY]);
        without_tracefs
            .env_remove("HOME")
            .env_remove("CACHE_DIRECTORY")
            .env_remove("XDG_CACHE_HOME");
        let checked = Checked::by(&mut without_tracefs, &["--live"])?;
        checked.assert_runs();
        checked.assert_missing("classic probe", false, &["tracefs is not mounted"])?;
        checked.assert_missing("cache", false, &["none of CACHE_DIRECTORY"])
    })
}

/// Makes a system call fail with EPERM in the command.
fn refuse(command: &mut Command, call: libc::c_long) -> &mut Command {
    let instruction = |code: u32, jf, k| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let filter = move || {
        [
            // The number of the call is at the start of the data.
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
            instruction(
                libc::BPF_RET | libc::BPF_K,
                0,
                libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            ),
            instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ]
    };
    // SAFETY: two system calls on the child's own behalf, which neither allocate nor lock; the filter lives until the
    // second one has copied it.
    unsafe {
        command.pre_exec(move || {
            let mut filter = filter();
            let program = libc::sock_fprog {
                len: filter.len() as u16,
                filter: filter.as_mut_ptr(),
            };
            let mode = libc::SECCOMP_MODE_FILTER;
            let results = [
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            ];
            match results {
                [0, 0] => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        })
    }
}

#[test]
fn root_a_filter_that_refuses_bpf_is_told_from_missing_capabilities() -> Result<()> {
    root_test(|_| {
        let words = ["bpf(2) is refused", "seccomp", "SystemCallFilter=bpf"];
        let mut host = Command::new(BINARY);
        let checked = Checked::by(refuse(&mut host, libc::SYS_bpf), &[])?;
        checked.assert_met("capabilities", "")?;
        checked.assert_refused_for("bpf(2)", &words)?;
        let mut host = Command::new(BINARY);
        assert_refused(refuse(&mut host, libc::SYS_bpf), FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_the_text_has_a_line_for_each_check() -> Result<()> {
    root_test(|_| {
        let output = Command::new(BINARY).arg("check").output()?;
        let text = String::from_utf8(output.stdout)?;
        assert!(output.status.success(), "{text}");
        assert!(
            text.starts_with("yes  user namespace   the machine's own\n"),
            "{text}"
        );
        assert!(text.ends_with("\nThe host can run here.\n"), "{text}");
        assert!(!text.contains("\nyes  live"), "{text}");

        let output = setpriv(&["--bounding-set=-all"]).arg("check").output()?;
        let text = String::from_utf8(output.stdout)?;
        assert_eq!(output.status.code(), Some(FAILURE));
        assert!(
            text.contains("\nno   capabilities     no permission"),
            "{text}"
        );
        assert!(!text.contains("can run here"), "{text}");
        Ok(())
    })
}
