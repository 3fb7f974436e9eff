//! A small disk that one server alone sees: a tmpfs in a mount namespace of its own. Needs root.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use super::Process;
use super::eventually;
use super::server;
use super::server::Options;

/// Mounts a tmpfs of the size $0 on $1/disk, says so, and holds the namespace.
const HOLD: &str = "mount -t tmpfs -o size=\"$0\" tmpfs \"$1/disk\" && : > \"$1/is-mounted\" && exec sleep infinity";

/// A tmpfs, which ends with this and outlives the server.
pub struct Disk {
    holder: Process,
    directory: tempfile::TempDir,
}

/// Runs a test with a disk of this size, such as `4m`. Without root it returns, and reports on standard error that the
/// test was skipped and why; with `CI=true` that is a failure instead.
pub fn disk_test(size: &str, test: impl FnOnce(Disk)) {
    // Not whether this is user 0: a container may have that user without the right to mount.
    let output = Command::new("unshare").args(["--mount", "true"]).output();
    let reason = match output {
        Ok(output) if output.status.success() => return test(Disk::of(size)),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test without a name");
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{name} must run where CI=true: {reason}"
    );
    // Not `eprintln!`: the test harness captures that, and drops it when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "skipped: {name}: {reason}; run it as root"
    );
}

impl Disk {
    fn of(size: &str) -> Disk {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("disk")).expect("a directory");
        // Mounts in a new namespace are private: no other process sees them.
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", HOLD, size])
            .arg(directory.path())
            .stdin(Stdio::null());
        let holder = Process(command.spawn().expect("unshare"));
        eventually("a disk", || {
            directory.path().join("is-mounted").exists().then_some(())
        });
        Disk { holder, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// A server that has its store on the disk.
    pub fn options(&self) -> Options {
        let program = self.directory.path().join("nats-server");
        let real = std::fs::canonicalize(server::program()).expect("a program");
        // The process that a test kills is the server: nsenter becomes it.
        let text = format!(
            "#!/bin/sh\nexec nsenter --mount --target {} {} \"$@\"\n",
            self.holder.0.id(),
            real.display()
        );
        std::fs::write(&program, text).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&program, mode).expect("a file");
        Options {
            program: Some(program),
            configuration: Some(format!(
                "listen: \"127.0.0.1:PORT\"\njetstream {{ store_dir: \"{}\", sync_interval: always, max_file: 1G }}\n",
                self.path().display()
            )),
            ..Options::default()
        }
    }

    /// Gives it another size.
    pub fn resize(&self, size: &str) {
        self.run(&["mount", "-o", &format!("remount,size={size}")]);
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let words = self.run(&["stat", "--file-system", "--format", "%a %S"]);
        let numbers = words.split_whitespace().map(str::parse::<u64>);
        numbers.map(|number| number.expect("a number")).product()
    }

    /// Runs a command on the disk's path in its namespace.
    fn run(&self, command: &[&str]) -> String {
        let output = Command::new("nsenter")
            .args(["--mount", "--target", &self.holder.0.id().to_string()])
            .args(command)
            .arg(self.path())
            .output()
            .expect("nsenter");
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}
