//! Refuses system calls that this process has no use for, with seccomp filters.
//!
//! The list names what would lead out of the process: other programs, other processes, sockets, mounts, namespaces,
//! keys, modules, and changes to files by their path, which Landlock does not restrict. A refused call fails with
//! EPERM. The parts of bpf(2) that a loaded probe needs are left.

use std::collections::BTreeMap;

use seccompiler::BackendError;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;
use seccompiler::TargetArch;
use seccompiler::apply_filter;

use super::Lacking;

/// What a process may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Read BPF maps and iterators, and start threads. For the host.
    ReadBpf,
    /// The same, and change the maps that it has. For a host that makes a census.
    ChangeMaps,
    /// Start threads. For a process that compiles a plugin or tries it.
    Threads,
    /// Start processes. For the process that starts those.
    Processes,
}

/// What a process may do with sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Make sockets of IPv4 and IPv6, and connect them: it delivers over the network.
    pub connects: bool,
    /// Accept connections: it listens since before it was confined.
    pub accepts: bool,
}

/// System calls that no process of the host needs once it is set up, but for [`Sockets`].
pub(super) const REFUSED: &[libc::c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // Sockets. Pairs of connected ones are left, but no pairs of datagram sockets, which can send to any address.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Memory and queues that other processes can open.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    // System calls by another way, which seccomp does not see.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    467, // open_tree_attr, since Linux 6.15
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The kernel and the machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_acct,
    libc::SYS_quotactl,
    443, // quotactl_fd, since Linux 5.14
    libc::SYS_syslog,
    libc::SYS_personality,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Users.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    // Files by handle, and mode, owner and attributes of files by path. The host changes those of files that it has
    // open (fchmod, fchown).
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_mknodat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Since Linux 6.6, 6.13 and 6.17, and not in libc for each processor yet: fchmodat2, setxattrat, removexattrat,
    // file_setattr.
    452,
    463,
    466,
    469,
];

/// Those that x86-64 alone has.
#[cfg(target_arch = "x86_64")]
pub(super) const REFUSED_HERE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_mknod,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const REFUSED_HERE: &[libc::c_long] = &[];

/// System calls that start programs or processes.
pub(super) const STARTING: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// The commands of bpf(2) that read (uapi/linux/bpf.h): BPF_MAP_LOOKUP_ELEM and BPF_MAP_GET_NEXT_KEY for counters,
/// BPF_OBJ_GET_INFO_BY_FD for the size of the ring, BPF_ITER_CREATE for scans.
const READING: &[u64] = &[1, 4, 15, 33];

/// The commands that change maps which the process has, and no others: BPF_MAP_UPDATE_ELEM,
/// BPF_MAP_LOOKUP_AND_DELETE_BATCH.
const CHANGING: &[u64] = &[2, 25];

/// The flags of clone(2) for new namespaces.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// A condition under which a call is refused: that of an argument.
struct Condition {
    argument: u8,
    length: SeccompCmpArgLen,
    is: SeccompCmpOp,
    value: u64,
}

const fn word(argument: u8, is: SeccompCmpOp, value: u64) -> Condition {
    Condition {
        argument,
        length: SeccompCmpArgLen::Dword,
        is,
        value,
    }
}

/// System calls that are refused with some arguments.
const REFUSED_WITH: &[(libc::c_long, Condition)] = &[
    // Pairs of datagram sockets: SOCK_DGRAM, and SOCK_RAW, which is the same there.
    (
        libc::SYS_socketpair,
        word(1, SeccompCmpOp::MaskedEq(0xf), 2),
    ),
    (
        libc::SYS_socketpair,
        word(1, SeccompCmpOp::MaskedEq(0xf), 3),
    ),
    // Typing into the terminal: TIOCSTI, TIOCLINUX.
    (libc::SYS_ioctl, word(1, SeccompCmpOp::Eq, 0x5412)),
    (libc::SYS_ioctl, word(1, SeccompCmpOp::Eq, 0x541c)),
    // A mode other than that of the files that the host writes.
    (libc::SYS_fchmod, word(1, SeccompCmpOp::Ne, 0o600)),
    // Times of files by path.
    (
        libc::SYS_utimensat,
        Condition {
            argument: 1,
            length: SeccompCmpArgLen::Qword,
            is: SeccompCmpOp::Ne,
            value: 0,
        },
    ),
    // Limits of other processes.
    (libc::SYS_prlimit64, word(0, SeccompCmpOp::Ne, 0)),
];

/// The system calls of the x32 ABI have this bit. No filter for x86-64 sees their numbers.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// Refuses system calls to this thread and to those that it starts. Returns what the kernel lacks.
pub(super) fn restrict(calls: Calls, sockets: Sockets) -> anyhow::Result<Option<Lacking>> {
    #[cfg(target_arch = "x86_64")]
    let x32 = Some(without_x32());
    #[cfg(not(target_arch = "x86_64"))]
    let x32 = None;
    for filter in [
        x32,
        Some(without_clone3()?),
        Some(refusing(calls, sockets)?),
    ]
    .into_iter()
    .flatten()
    {
        match apply_filter(&filter) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error))
                if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
            {
                return Ok(Some(Lacking::SystemCalls));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The filter for the calls that fail with EPERM.
fn refusing(calls: Calls, sockets: Sockets) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut refuse = |numbers: &[libc::c_long]| {
        // Without a condition: in any case.
        rules.extend(numbers.iter().map(|number| (*number, Vec::new())));
    };
    refuse(REFUSED);
    refuse(REFUSED_HERE);
    match calls {
        Calls::ReadBpf | Calls::ChangeMaps => refuse(STARTING),
        Calls::Threads => {
            refuse(STARTING);
            refuse(&[libc::SYS_bpf]);
        }
        Calls::Processes => refuse(&[libc::SYS_bpf]),
    }
    if sockets.connects {
        rules.remove(&libc::SYS_connect);
        rules.insert(libc::SYS_socket, refused_sockets()?);
    }
    if sockets.accepts {
        rules.remove(&libc::SYS_accept4);
    }
    let changing = match calls {
        Calls::ReadBpf => Some(&[][..]),
        Calls::ChangeMaps => Some(CHANGING),
        Calls::Threads | Calls::Processes => None,
    };
    if let Some(changing) = changing {
        let others = READING.iter().chain(changing).map(|command| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *command)
        });
        let others = others.collect::<Result<_, _>>()?;
        rules.insert(libc::SYS_bpf, vec![SeccompRule::new(others)?]);
    }
    rules.insert(libc::SYS_clone, refused_clones(calls)?);
    for (number, condition) in REFUSED_WITH {
        let condition = SeccompCondition::new(
            condition.argument,
            condition.length.clone(),
            condition.is.clone(),
            condition.value,
        )?;
        let rule = SeccompRule::new(vec![condition])?;
        rules.entry(*number).or_default().push(rule);
    }
    filter(rules, libc::EPERM)
}

/// Sockets of other families than IPv4 and IPv6, and raw ones.
fn refused_sockets() -> Result<Vec<SeccompRule>, BackendError> {
    let is_no = |family: libc::c_int| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family as u64)
    };
    let is_raw = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(0xf),
        libc::SOCK_RAW as u64,
    );
    Ok(vec![
        SeccompRule::new(vec![is_no(libc::AF_INET)?, is_no(libc::AF_INET6)?])?,
        SeccompRule::new(vec![is_raw?])?,
    ])
}

/// New namespaces, and other processes than the helper's.
fn refused_clones(calls: Calls) -> Result<Vec<SeccompRule>, BackendError> {
    let flags = |mask: libc::c_int, value: libc::c_int| {
        let operator = SeccompCmpOp::MaskedEq(mask as u64);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, value as u64)?;
        SeccompRule::new(vec![condition])
    };
    match calls {
        Calls::ReadBpf | Calls::ChangeMaps | Calls::Threads => {
            Ok(vec![flags(libc::CLONE_THREAD, 0)?])
        }
        Calls::Processes => NAMESPACES.iter().map(|flag| flags(*flag, *flag)).collect(),
    }
}

/// A filter cannot read the flags of clone3, which are in memory. The C library uses clone where there is no clone3.
fn without_clone3() -> Result<BpfProgram, BackendError> {
    filter([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refused = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}

/// A filter that refuses every call of the x32 ABI with ENOSYS, as kernels without it do.
#[cfg(target_arch = "x86_64")]
fn without_x32() -> BpfProgram {
    use seccompiler::sock_filter;
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        // The number of the call is the first member of seccomp_data.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
