//! Containers as the host recognises them: control groups with such names.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process;
use std::process::Child;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::Root;
use super::netns::command;
use super::processes::Process;

/// Mounts the hierarchy of version 2 in a private mount namespace and makes a group there with a
/// process in it. Removes it when standard input ends, also when the test was killed, and the process
/// has ended.
const HOLDER: &str = r#"
set -e
trap '' INT
mount -t cgroup2 none "$2"
mkdir -p "$2/$0"
trap 'while test -s "$2/$0/cgroup.procs"; do sleep 0.1; done; cd "$2" && rmdir -p "$0"' EXIT
echo "$1" >"$2/$0/cgroup.procs"
echo ready
cat >/dev/null
"#;

/// A container with one process. Dropping it waits for the process to end, and removes it.
pub struct Container {
    id: String,
    group: String,
    holder: Child,
}

impl Container {
    /// Moves a process into a new container. `directory` must be empty.
    pub fn around(root: &Root, process: &Process, directory: &Path) -> Result<Container> {
        Container::named(root, process, directory, |id| format!("docker-{id}.scope"))
    }

    /// The same in a pod, as containerd names it without systemd.
    pub fn in_pod(
        root: &Root,
        process: &Process,
        directory: &Path,
        pod: &str,
    ) -> Result<Container> {
        Container::named(root, process, directory, |id| {
            let pod = pod.replace('-', "_");
            format!("kubepods-burstable-pod{pod}.slice:cri-containerd:{id}")
        })
    }

    /// The same of Podman of a user, as systemd names it.
    pub fn of_user(
        root: &Root,
        process: &Process,
        directory: &Path,
        uid: u32,
    ) -> Result<Container> {
        Container::named(root, process, directory, |id| {
            format!("retrans-host-test-{id}/user.slice/user-{uid}.slice/libpod-{id}.scope")
        })
    }

    fn named(
        _: &Root,
        process: &Process,
        directory: &Path,
        name: impl FnOnce(&str) -> String,
    ) -> Result<Container> {
        let id = format!("{:032x}{:032x}", process.pid(), process::id());
        let name = name(&id);
        let mut holder = command("unshare")
            .args(["--mount", "sh", "-c", HOLDER])
            .arg(&name)
            .arg(process.pid().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare")?;
        let stdout = holder.stdout.take().context("standard output is a pipe")?;
        // The holder's mounts are private.
        let root = format!("/proc/{}/root", holder.id());
        let group = format!("{root}{}/{name}", directory.display());
        let container = Container { id, group, holder };
        let mut answer = String::new();
        BufReader::new(stdout).read_line(&mut answer)?;
        ensure!(answer == "ready\n", "cannot make a control group");
        Ok(container)
    }

    /// The directory of its control group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
