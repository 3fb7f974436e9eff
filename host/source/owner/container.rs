//! Finds the container of a process by the path of its control group.

use std::path::Path;
use std::time::Duration;

use crate::stream::clock::Clock;
use crate::system::procfs;

/// The longest name of a machine in bytes: HOST_NAME_MAX, as in systemd. Longer names are not names of machines: a
/// user who may create control groups can give them names of up to 255 bytes.
const MAX_NAME: usize = 64;

/// A container, and the pod that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// 64 hexadecimal digits, or the name of a machine of systemd-nspawn.
    pub id: String,
    /// The uid of the pod in Kubernetes, with dashes. That of a static pod has 32 digits without dashes.
    pub pod: Option<String>,
    /// Whose records may name it.
    pub keeper: Keeper,
}

/// Who has started a container, as far as the path of its control group tells. Only the records of the same one can name
/// it: any user can give a control group below `user.slice` the id of another container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keeper {
    /// A service of the machine.
    #[default]
    Machine,
    /// A runtime of this user.
    User(u32),
    /// Another container, whose files are not those of this machine.
    Container,
}

impl Container {
    /// The first twelve characters of the id, as `docker ps` shows it.
    pub fn short(&self) -> &str {
        let end = self.id.char_indices().nth(12);
        end.map_or(&self.id, |(end, _)| &self.id[..end])
    }
}

/// The container of a process. `pid` is its number in the host's pid namespace, and `begun` the
/// time since boot at which it began.
///
/// `None` if the process is not in a container or in one of an unknown kind, if it has ended, or if its
/// number now belongs to a process that began at another time.
pub fn of_process(pid: u32, begun: Duration, clock: Clock) -> Option<Container> {
    let directory = procfs::directory(Path::new("/proc"), pid).ok()?;
    let ticks = u128::from(rustix::param::clock_ticks_per_second());
    // The kernel shows the time rounded down to ticks. Up to 5.10 it shows its own time since
    // boot in every time namespace.
    let shown = [clock.shown_in_proc(begun), begun];
    let mut shown = shown
        .map(|time| time.as_nanos() * ticks / 1_000_000_000)
        .into_iter();
    let started = u128::from(procfs::started(&directory)?);
    if !shown.any(|shown| shown == started) {
        return None;
    }
    parse(&procfs::read_to_string(&directory, "cgroup").ok()?)
}

/// The container in the text of `/proc/PID/cgroup`.
///
/// A line is `hierarchy:controllers:path`. Version 2 has one line. Version 1 has one line for each hierarchy, and
/// they may differ: a runtime leaves out controllers that it does not know, so that their paths end at the container
/// around it. The path through the most containers is used.
fn parse(cgroup_file: &str) -> Option<Container> {
    let paths = cgroup_file
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2));
    let mut deepest = paths.map(containers).max_by_key(Vec::len)?;
    // The control group of a container in a container (Docker in Docker, the nodes of kind) is below that of the outer
    // one. The result is the inner one: it was started to run this process, while the outer one acts as the machine.
    deepest.pop()
}

/// The containers along a path, the outermost first.
fn containers(path: &str) -> Vec<Container> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let mut nested: Vec<Container> = Vec::new();
    let mut pod = None;
    let mut parent = "";
    let mut keeper = Keeper::Machine;
    let mut below_machine = false;
    // If containerd uses another cgroup driver than the kubelet, one name with colons takes the place of several
    // directories: `kubepods-pod<uid>.slice:cri-containerd:<id>`.
    for component in path.split(['/', ':']) {
        let machine = machine_name(parent, component);
        let is_machine = machine.is_some();
        if let Some(id) = machine.or_else(|| runtime_id(component).map(str::to_owned)) {
            let pod = pod.clone();
            // A runtime may give a container a group within a group, both with its id.
            if nested.last().is_some_and(|outer| outer.id != id) {
                keeper = Keeper::Container;
            }
            nested.push(Container { id, pod, keeper });
        } else if let Some(uid) = pod_uid(component) {
            pod = Some(uid);
        } else if let Some(uid) = user(parent, component) {
            keeper = Keeper::User(uid);
        } else if component == "supervisor" && below_machine {
            // The group of systemd-nspawn itself. The contents of the container are beside it, in `payload`.
            nested.pop();
        }
        below_machine = is_machine;
        parent = component;
    }
    nested
}

/// The id of a container in the name of a control group: `<id>` (driver cgroupfs), `docker-<id>.scope` (driver
/// systemd), `crio-<id>`, `libpod-payload-<id>` and similar names. With every runtime, the id has 64 digits.
///
/// `<id>.service` is not a container: Podman runs health checks in it, on the host.
fn runtime_id(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    // conmon, the monitor of containers of CRI-O and Podman, runs outside of them.
    let is_monitor = runtime.ends_with("conmon");
    (id.len() == 64 && is_hex(id) && !is_monitor).then_some(id)
}

/// The uid of a pod in `pod<uid>` or `kubepods-burstable-pod<uid>.slice`. The name of a slice has `_` instead of `-`,
/// because `-` separates the levels of the hierarchy there. The uid of a static pod is a hash.
fn pod_uid(component: &str) -> Option<String> {
    let name = component.strip_suffix(".slice").unwrap_or(component);
    let (before, uid) = name.rsplit_once("pod")?;
    let uid = uid.replace('_', "-");
    let is_uid = uid.len() == 36 && uid.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_hash = uid.len() == 32;
    let is_pod = before.is_empty() || before.ends_with('-');
    (is_pod && (is_uid || is_hash) && uid.split('-').all(is_hex)).then_some(uid)
}

/// The user in `user.slice/user-<uid>.slice`, below which processes of that user are.
fn user(parent: &str, component: &str) -> Option<u32> {
    let uid = component.strip_prefix("user-")?.strip_suffix(".slice")?;
    (parent == "user.slice").then(|| uid.parse().ok())?
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of a machine in `systemd-nspawn@<name>.service` or `machine.slice/machine-<name>.scope`. systemd-machined
/// uses the second form for machines that were started from the command line.
fn machine_name(parent: &str, component: &str) -> Option<String> {
    let name = service_of_machine(component).or_else(|| {
        let scope = component.strip_prefix("machine-")?.strip_suffix(".scope")?;
        (parent == "machine.slice").then_some(scope)
    })?;
    let name = unescape(name);
    let is_name = (1..=MAX_NAME).contains(&name.len());
    (is_name && !is_virtual_machine(&name)).then_some(name)
}

/// The escaped name in `systemd-nspawn@<name>.service` or `container@<name>.service`, the unit of NixOS.
fn service_of_machine(component: &str) -> Option<&str> {
    let (unit, instance) = component.split_once('@')?;
    let name = instance.strip_suffix(".service")?;
    matches!(unit, "systemd-nspawn" | "container").then_some(name)
}

/// Returns whether the name is that of a virtual machine. These are in machine.slice too; libvirt names
/// them `qemu-<number>-<name>`.
fn is_virtual_machine(name: &str) -> bool {
    let number = name
        .strip_prefix("qemu-")
        .and_then(|rest| rest.split_once('-'));
    number.is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Undoes the escapes in the names of systemd's units, such as `\x2d` for `-`.
fn unescape(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).map(|digits| u8::from_str_radix(digits, 16));
        match byte {
            Some(Ok(byte)) => {
                plain.push(byte);
                plain.extend_from_slice(&part.as_bytes()[2..]);
            }
            _ => {
                plain.extend_from_slice(b"\\x");
                plain.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests;
