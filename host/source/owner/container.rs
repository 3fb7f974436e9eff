//! Which container a process lives in, as its control group tells.

use std::path::Path;
use std::time::Duration;

use crate::source::clock::Clock;
use crate::system::procfs;

/// Bytes of a machine's name, as systemd has it: HOST_NAME_MAX. What else is called so is none: where a
/// user may make control groups, their names have up to 255 bytes.
const MAX_NAME: usize = 64;

/// A container, and the pod that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// 64 hexadecimal digits, or the name of a machine of systemd-nspawn's.
    pub id: String,
    /// Kubernetes' uid of the pod: with dashes, but the 32 digits of a static pod as they are.
    pub pod: Option<String>,
}

impl Container {
    /// The first twelve characters of the id, as `docker ps` shows it.
    pub fn short(&self) -> &str {
        let end = self.id.char_indices().nth(12);
        end.map_or(&self.id, |(end, _)| &self.id[..end])
    }
}

/// The container of the process with this number, in the host's pid namespace, that began then, since
/// boot.
///
/// `None`: it lives in none, or in one of a kind that is not known here, or has ended.
pub fn of_process(pid: u32, begun: Duration, clock: Clock) -> Option<Container> {
    let directory = procfs::directory(Path::new("/proc"), pid).ok()?;
    let ticks = u128::from(rustix::param::clock_ticks_per_second());
    // As the kernel rounds it. Up to 5.10 it shows its own times in every time namespace.
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

/// The container that `/proc/PID/cgroup` tells of.
///
/// A line is `hierarchy:controllers:path`. In version 2 there is one line. In version 1 there is
/// one for each hierarchy, and they need not agree: a runtime leaves out the controllers that it does
/// not know, so that their lines stop at the container around it. The line that goes deepest knows
/// most.
fn parse(cgroup_file: &str) -> Option<Container> {
    let paths = cgroup_file
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2));
    let mut deepest = paths.map(containers).max_by_key(Vec::len)?;
    // A container in a container (Docker in Docker, the nodes of kind) is within the outer one's
    // group. The inner one is the answer: it is what was started to run this process, while
    // the outer one is the machine that it was started on.
    deepest.pop()
}

/// The containers that a path goes through, the outermost first.
fn containers(path: &str) -> Vec<Container> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let mut nested = Vec::new();
    let mut pod = None;
    let mut parent = "";
    let mut below_machine = false;
    // Where containerd's driver is not the kubelet's, what should have been directories is one
    // name with colons: `kubepods-pod<uid>.slice:cri-containerd:<id>`.
    for component in path.split(['/', ':']) {
        let machine = machine_name(parent, component);
        let is_machine = machine.is_some();
        if let Some(id) = machine.or_else(|| runtime_id(component).map(str::to_owned)) {
            let pod = pod.clone();
            nested.push(Container { id, pod });
        } else if let Some(uid) = pod_uid(component) {
            pod = Some(uid);
        } else if component == "supervisor" && below_machine {
            // systemd-nspawn itself; what it contains is beside it, in `payload`.
            nested.pop();
        }
        below_machine = is_machine;
        parent = component;
    }
    nested
}

/// The id in `<id>` (driver cgroupfs), `docker-<id>.scope` (driver systemd), `crio-<id>`,
/// `libpod-payload-<id>` and their like: whatever the runtime is called, the id is 64 digits.
///
/// Not in `<id>.service`, which is how Podman runs health checks, and these on the host.
fn runtime_id(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    // The monitor of CRI-O's and Podman's containers runs outside of them.
    let is_monitor = runtime.ends_with("conmon");
    (id.len() == 64 && is_hex(id) && !is_monitor).then_some(id)
}

/// The uid in `pod<uid>` and `kubepods-burstable-pod<uid>.slice`. The name of a slice has `_` for
/// `-`, which stands for a level of the hierarchy there. A static pod has a hash for a uid.
fn pod_uid(component: &str) -> Option<String> {
    let name = component.strip_suffix(".slice").unwrap_or(component);
    let (before, uid) = name.rsplit_once("pod")?;
    let uid = uid.replace('_', "-");
    let is_uid = uid.len() == 36 && uid.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_hash = uid.len() == 32;
    let is_pod = before.is_empty() || before.ends_with('-');
    (is_pod && (is_uid || is_hash) && uid.split('-').all(is_hex)).then_some(uid)
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The machine's name in `systemd-nspawn@<name>.service`, and in `machine.slice/machine-<name>.scope`,
/// which is how systemd-machined names what was started from the command line.
fn machine_name(parent: &str, component: &str) -> Option<String> {
    let name = service_of_machine(component).or_else(|| {
        let scope = component.strip_prefix("machine-")?.strip_suffix(".scope")?;
        (parent == "machine.slice").then_some(scope)
    })?;
    let name = unescape(name);
    let is_name = (1..=MAX_NAME).contains(&name.len());
    (is_name && !is_virtual_machine(&name)).then_some(name)
}

/// Also `container@<name>.service`, the unit of NixOS.
fn service_of_machine(component: &str) -> Option<&str> {
    let (unit, instance) = component.split_once('@')?;
    let name = instance.strip_suffix(".service")?;
    matches!(unit, "systemd-nspawn" | "container").then_some(name)
}

/// Virtual machines are in machine.slice too: libvirt calls them `qemu-<number>-<name>`.
fn is_virtual_machine(name: &str) -> bool {
    let number = name
        .strip_prefix("qemu-")
        .and_then(|rest| rest.split_once('-'));
    number.is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Undoes systemd's `\x2d` for `-` in the names of units.
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
