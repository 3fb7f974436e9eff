//! Where the probe cannot run: one line that names what the machine or the user lacks, and what to do.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use object::Object;
use object::ObjectSection;

use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::support::host::Host;
use crate::support::netns::command;
use crate::support::oracle::wait_until;
use crate::support::root_test;

/// The host as root with the bounding set reduced by these capabilities.
fn without(capabilities: &str) -> Command {
    let mut setpriv = command("setpriv");
    setpriv.args([&format!("--bounding-set={capabilities}"), BINARY]);
    setpriv
}

/// The host in a mount namespace of its own, in which a shell has run `set_up`.
fn where_mounted(set_up: &str, arguments: &[&str]) -> Command {
    let mut unshare = command("unshare");
    let script = format!("{set_up} && exec \"$0\" \"$@\"");
    unshare.args(["--mount", "sh", "-c", &script, BINARY]);
    unshare.args(arguments);
    unshare
}

#[test]
fn root_the_missing_capability_is_named() -> Result<()> {
    root_test(|_| {
        for (dropped, missing) in [
            ("-sys_admin,-bpf", "CAP_BPF missing"),
            ("-sys_admin,-perfmon", "CAP_PERFMON missing"),
            ("-all", "CAP_BPF and CAP_PERFMON missing"),
        ] {
            let words = [missing, "run as root", "setcap cap_bpf,cap_perfmon+ep"];
            assert_refused(&mut without(dropped), FAILURE, &words);
        }
        Ok(())
    })
}

#[test]
fn root_a_kernel_without_btf_is_named() -> Result<()> {
    root_test(|_| {
        let mut host = where_mounted("mount -t tmpfs tmpfs /sys/kernel/btf", &[]);
        let words = ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y"];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_a_kernel_without_the_tracepoint_is_named() -> Result<()> {
    root_test(|_| {
        // The probe's own BTF: a kernel with all types that the probe reads, but without the
        // tracepoint.
        let probe = fs::read(Path::new(env!("OUT_DIR")).join("retrans.bpf.o"))?;
        let probe = object::File::parse(&*probe)?;
        let btf = probe.section_by_name(".BTF").context("the probe has BTF")?;
        let files = Files::new();
        let btf = files.write("vmlinux", btf.data()?);

        let no_tracefs = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let set_up = format!(
            "{no_tracefs} && mount --bind {} /sys/kernel/btf/vmlinux",
            btf.display()
        );
        let words = ["no tracepoint tcp:tcp_retransmit_skb", "Linux 4.15"];
        for attach in ["btf", "auto"] {
            let mut host = where_mounted(&set_up, &["--attach", attach]);
            assert_refused(&mut host, FAILURE, &words);
        }
        Ok(())
    })
}

#[test]
fn root_a_tracefs_that_is_not_mounted_is_named() -> Result<()> {
    root_test(|_| {
        let set_up = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let mut host = where_mounted(set_up, &["--attach", "tracepoint"]);
        let words = [
            "tracefs is not mounted",
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_a_tracefs_without_the_tracepoint_is_told_apart() -> Result<()> {
    root_test(|_| {
        let set_up = "mount -t tmpfs tmpfs /sys/kernel/tracing && \
        mkdir -p /sys/kernel/tracing/events/net && \
        mount -t tmpfs tmpfs /sys/kernel/debug";
        let mut host = where_mounted(set_up, &["--attach", "tracepoint"]);
        let words = ["no tracepoint tcp:tcp_retransmit_skb"];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_of_a_user_namespace_is_told_that_its_capabilities_do_not_count() -> Result<()> {
    root_test(|_| {
        let mut host = command("unshare");
        host.args(["--user", "--map-root-user", BINARY]);
        let words = ["is in a user namespace", "the machine's own user namespace"];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_without_its_capabilities_cannot_raise_a_limit_and_is_told_which() -> Result<()> {
    root_test(|_| {
        let files = Files::new();
        let capture = files.path().join("made-up.rtc").display().to_string();
        let made = Command::new(BINARY)
            .args(["generate", &capture, "--events", "10"])
            .output()?;
        anyhow::ensure!(made.status.success(), "{made:?}");
        let mut host = command("prlimit");
        host.args([
            "--data=1000000000",
            "setpriv",
            "--bounding-set=-all",
            BINARY,
        ]);
        host.args(["replay", &capture])
            .env("XDG_CACHE_HOME", files.path());
        let words = [
            "plugin json-print: cannot set RLIMIT_DATA",
            "a hard limit of 1000000000",
        ];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

/// Compiling plugins takes seconds: missing permissions are reported before that.
#[test]
fn root_what_forbids_watching_is_said_before_plugins_are_looked_at() -> Result<()> {
    root_test(|_| {
        let mut host = without("-all");
        host.args(["--plugin", "./nowhere.wasm"]);
        assert_refused(&mut host, FAILURE, &["CAP_BPF and CAP_PERFMON missing"]);
        Ok(())
    })
}

#[test]
fn root_a_tracefs_that_may_not_be_read_is_told_from_one_that_is_not_mounted() -> Result<()> {
    root_test(|_| {
        // As by default: readable for root alone.
        let set_up = "mount -t tmpfs -o mode=700 tmpfs /sys/kernel/tracing";
        let only = "-all,+bpf,+perfmon";
        let nobody = format!(
            "{set_up} && exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps={only} \
             --ambient-caps={only} \"$0\" \"$@\""
        );
        let mut host = command("unshare");
        host.args([
            "--mount",
            "sh",
            "-c",
            &nobody,
            BINARY,
            "--attach",
            "tracepoint",
        ]);
        let words = [
            "may not read tracefs at /sys/kernel/tracing",
            "--attach btf",
        ];
        assert_refused(&mut host, FAILURE, &words);
        Ok(())
    })
}

#[test]
fn root_in_a_pid_namespace_it_is_said_once_that_owners_are_unknown() -> Result<()> {
    root_test(|root| {
        let warned = |arguments: &[&str]| {
            // The host ends with unshare: --kill-child sends it SIGINT.
            let launcher = [
                "unshare",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child=INT",
            ];
            let host = Host::start_by(root, &launcher, arguments)?;
            let lines = host.said();
            anyhow::Ok(
                lines
                    .iter()
                    .filter(|line| line.contains("is in a PID namespace"))
                    .count(),
            )
        };
        assert_eq!(warned(&[])?, 1);
        assert_eq!(warned(&["--no-owners"])?, 0);
        Ok(())
    })
}

/// The value of a field of /proc/PID/status.
fn status(pid: u32, field: &str) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    Ok(value.context("there is no such field")?.trim().to_owned())
}

/// Starts the host, waits until it has given up all capabilities, and ends it.
fn assert_drops_capabilities(host: &mut Command) -> Result<()> {
    let what = host.get_args().collect::<Vec<_>>().join(OsStr::new(" "));
    let what = what.display().to_string();
    let host = host.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = host.stderr(Stdio::null()).spawn()?;
    let pid = child.id();
    let dropped = wait_until(format_args!("{what} to drop its capabilities"), || {
        // The host waits for input, or works: it must not end.
        anyhow::ensure!(child.try_wait()?.is_none(), "{what} has ended");
        let none =
            |field| Ok::<_, anyhow::Error>(u64::from_str_radix(&status(pid, field)?, 16)? == 0);
        let is_host = fs::read_link(format!("/proc/{pid}/exe"))?.ends_with("retrans-host");
        let no_new = status(pid, "NoNewPrivs:")? == "1";
        Ok(is_host && no_new && none("CapPrm:")? && none("CapEff:")? && none("CapAmb:")?)
    });
    child.kill()?;
    child.wait()?;
    dropped
}

/// As root, as a user with ambient capabilities, and with file capabilities.
#[test]
fn root_what_does_not_watch_keeps_no_capabilities() -> Result<()> {
    root_test(|_| {
        let files = Files::new();
        fs::set_permissions(files.path(), fs::Permissions::from_mode(0o777))?;
        let with_file_capabilities = files.path().join("retrans-host");
        fs::copy(BINARY, &with_file_capabilities)?;
        let set = command("setcap")
            .arg("cap_bpf,cap_perfmon+ep")
            .arg(&with_file_capabilities)
            .output()?;
        anyhow::ensure!(set.status.success(), "{set:?}");

        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let ambient = [
            "--inh-caps=-all,+bpf,+perfmon",
            "--ambient-caps=-all,+bpf,+perfmon",
        ];
        let capture = files.path().join("made-up.rtc").display().to_string();
        let replay = ["replay", "-", "--plugin", "json-print"];
        let generate = ["generate", "--force", "--events", "1G", &capture];
        let inspect = ["inspect", "-"];
        let export = ["export", "-", "--to", "csv"];
        let compile = ["compile", "100", "1000000000"];
        for arguments in [&replay[..], &generate, &inspect, &export, &compile] {
            let mut host = command("setpriv");
            host.args(nobody).args(ambient).arg(BINARY).args(arguments);
            assert_drops_capabilities(host.env("XDG_CACHE_HOME", files.path()))?;
            let mut host = command("setpriv");
            host.args(nobody)
                .arg(&with_file_capabilities)
                .args(arguments);
            assert_drops_capabilities(host.env("XDG_CACHE_HOME", files.path()))?;
        }
        assert_drops_capabilities(Command::new(BINARY).args(compile))
    })
}

#[test]
fn root_the_environment_does_not_steer_libbpf_or_threads() -> Result<()> {
    root_test(|root| {
        let environment = [
            "env",
            "LIBBPF_BPF_TOKEN_PATH=/nowhere",
            "LIBBPF_LOG_LEVEL=nonsense",
            "RUST_MIN_STACK=1000000000000000",
        ];
        let run = Host::start_by(root, &environment, &[])?.stop()?;
        assert!(run.status.success());
        let libbpf = run.stderr.iter().find(|line| line.contains("libbpf"));
        assert_eq!(libbpf, None);
        Ok(())
    })
}
