//! Tries from inside of the sandbox what it forbids, and what it leaves. Each test confines a thread of its own.

use std::fs;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use rustix::io::Errno;

use super::files::Files;
use super::system_calls::Calls;
use super::system_calls::REFUSED;
use super::system_calls::REFUSED_HERE;
use super::system_calls::STARTING;
use super::system_calls::Sockets;
use super::*;
use crate::system::privileges;

/// Runs `inside` in a thread without the restricted parts. Panics with it.
fn confined<T: Send + 'static>(
    files: Files,
    calls: Calls,
    inside: impl FnOnce() -> T + Send + 'static,
) -> T {
    confined_with(files, calls, Sockets::default(), inside)
}

/// The same, with these uses of sockets.
fn confined_with<T: Send + 'static>(
    files: Files,
    calls: Calls,
    sockets: Sockets,
    inside: impl FnOnce() -> T + Send + 'static,
) -> T {
    let thread = thread::spawn(move || {
        privileges::forbid_new().expect("any thread may");
        assert_eq!(files::restrict(&files, sockets).expect("Landlock"), None);
        let restricted = system_calls::restrict(calls, sockets);
        assert_eq!(restricted.expect("seccomp"), None);
        inside()
    });
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes a system call with arguments that none accepts. Returns its error.
fn try_call(number: libc::c_long) -> Option<i32> {
    // SAFETY: -1 is no address that the kernel can read or write, no descriptor, and no process.
    let result = unsafe { libc::syscall(number, -1, -1, -1, -1, -1, -1) };
    let error = io::Error::last_os_error().raw_os_error();
    error.filter(|_| result < 0)
}

#[test]
fn every_call_of_the_list_fails_and_would_do_something_else_outside() {
    // Those that the kernel refuses to any user with these arguments, and not because of rights.
    for number in [libc::SYS_socket, libc::SYS_fchmodat, libc::SYS_setxattr] {
        assert_ne!(try_call(number), Some(libc::EPERM), "{number} outside");
    }
    confined(Files::default(), Calls::ReadBpf, || {
        for number in REFUSED.iter().chain(REFUSED_HERE).chain(STARTING) {
            assert_eq!(try_call(*number), Some(libc::EPERM), "{number} inside");
        }
    });
}

#[test]
fn no_program_and_no_process_is_started_but_threads_are() {
    let run = || Command::new("true").status().map_err(|error| error.kind());
    assert!(run().is_ok());
    for calls in [Calls::ReadBpf, Calls::ChangeMaps, Calls::Threads] {
        confined(Files::default(), calls, move || {
            assert_eq!(run().expect_err("refused"), io::ErrorKind::PermissionDenied);
            // SAFETY: where it is refused, there is no child.
            assert_eq!(unsafe { libc::fork() }, -1);
            assert_eq!(thread::spawn(|| 7).join().expect("a thread"), 7);
        });
    }
}

#[test]
fn the_helper_starts_programs_and_has_no_socket() {
    let thread = thread::spawn(|| {
        privileges::forbid_new()?;
        confine_helper()?;
        let status = Command::new("true").status()?;
        let written = fs::write("/dev/null", "no").map_err(|error| error.kind());
        assert_eq!(written, Err(io::ErrorKind::PermissionDenied));
        // SAFETY: where it is refused, there is no child.
        let namespace = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER, 0, 0, 0, 0) };
        assert_eq!(namespace, -1);
        anyhow::Ok((status.success(), TcpListener::bind("127.0.0.1:0")))
    });
    let (success, listener) = thread.join().expect("no panic").expect("it runs");
    assert!(success);
    let error = listener.expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn there_is_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    assert!(TcpStream::connect(address).is_ok());
    confined(Files::default(), Calls::ReadBpf, move || {
        let connected = TcpStream::connect(address).map_err(|error| error.kind());
        assert_eq!(
            connected.expect_err("refused"),
            io::ErrorKind::PermissionDenied
        );
        // Without seccomp, Landlock refuses it.
        let duplicate = listener.try_clone();
        assert!(duplicate.is_ok(), "open sockets stay");
    });
}

#[test]
fn a_process_that_delivers_connects_and_listens_nowhere() {
    use rustix::net::AddressFamily;
    use rustix::net::SocketType;
    use rustix::net::socket;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let sockets = Sockets {
        connects: true,
        accepts: false,
    };
    confined_with(Files::default(), Calls::ReadBpf, sockets, move || {
        assert!(TcpStream::connect(address).is_ok());
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            // Those of look-ups.
            assert!(socket(family, SocketType::DGRAM, None).is_ok());
            let raw = socket(family, SocketType::RAW, None);
            assert_eq!(raw.map(drop), Err(Errno::PERM));
        }
        for family in [
            AddressFamily::UNIX,
            AddressFamily::NETLINK,
            AddressFamily::PACKET,
        ] {
            let other = socket(family, SocketType::DGRAM, None);
            assert_eq!(other.map(drop), Err(Errno::PERM), "{family:?}");
        }
        let bound = TcpListener::bind("127.0.0.1:0").map_err(|error| error.kind());
        assert_eq!(bound.map(drop), Err(io::ErrorKind::PermissionDenied));
        for number in [libc::SYS_bind, libc::SYS_listen, libc::SYS_accept4] {
            assert_eq!(try_call(number), Some(libc::EPERM), "{number}");
        }
    });
}

#[test]
fn a_process_that_listens_accepts_connections_and_makes_none() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("it listens");
    let client = client.local_addr().expect("an address");
    let inside = thread::spawn(move || {
        privileges::forbid_new().expect("any thread may");
        files::restrict(&Files::default(), Sockets::default()).expect("Landlock");
        let sockets = Sockets {
            accepts: true,
            connects: false,
        };
        system_calls::restrict(Calls::ReadBpf, sockets).expect("seccomp");
        let (_, accepted) = listener.accept().expect("allowed");
        assert_eq!(accepted, client);
        for call in [
            libc::SYS_socket,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_connect,
        ] {
            assert_eq!(try_call(call), Some(libc::EPERM), "{call}");
        }
    });
    inside
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn some_calls_are_refused_with_some_arguments() {
    use rustix::net::AddressFamily;
    use rustix::net::SocketFlags;
    use rustix::net::SocketType;
    let pair = |kind| {
        rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map(drop)
    };
    assert_eq!(pair(SocketType::DGRAM), Ok(()));
    for calls in [
        Calls::ReadBpf,
        Calls::ChangeMaps,
        Calls::Threads,
        Calls::Processes,
    ] {
        let inside = move || {
            assert_eq!(pair(SocketType::DGRAM), Err(Errno::PERM));
            assert_eq!(pair(SocketType::RAW), Err(Errno::PERM));
            assert_eq!(pair(SocketType::STREAM), Ok(()));
            assert_eq!(pair(SocketType::SEQPACKET), Ok(()));
            // No terminal: without the filter the error is another one. TIOCSTI, TIOCLINUX, TCGETS.
            for (request, expected) in [
                (0x5412, libc::EPERM),
                (0x541c, libc::EPERM),
                (0x5401, libc::EBADF),
            ] {
                // SAFETY: the descriptor is none.
                assert_eq!(unsafe { libc::ioctl(-1, request) }, -1);
                assert_eq!(
                    io::Error::last_os_error().raw_os_error(),
                    Some(expected),
                    "{request:#x}"
                );
            }
            let times = rustix::fs::Timestamps {
                last_access: rustix::fs::Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                last_modification: rustix::fs::Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
            };
            let touched = rustix::fs::utimensat(
                rustix::fs::CWD,
                "/tmp",
                &times,
                rustix::fs::AtFlags::empty(),
            );
            assert_eq!(touched, Err(Errno::PERM));
            let parent = rustix::process::getppid();
            let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
            let limited = rustix::process::prlimit(parent, rustix::process::Resource::Core, limit);
            assert!(limited.is_err());
            assert!(rustix::process::setrlimit(rustix::process::Resource::Core, limit).is_ok());
        };
        confined(Files::default(), calls, inside);
    }
}

#[test]
fn bpf_reads_and_changes_maps_for_a_census_alone() {
    /// The error of bpf(2) for a command without attributes.
    fn bpf(command: libc::c_long) -> Option<i32> {
        let none = [0u64; 16];
        // SAFETY: the kernel reads the attributes, whose descriptors are those of standard streams: no BPF objects.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, none.as_ptr(), 128) };
        let error = io::Error::last_os_error().raw_os_error();
        error.filter(|_| result < 0)
    }
    confined(Files::default(), Calls::ReadBpf, || {
        // BPF_MAP_CREATE, BPF_MAP_UPDATE_ELEM, BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_LINK_CREATE.
        for command in [0, 2, 5, 8, 28] {
            assert_eq!(bpf(command), Some(libc::EPERM), "{command}");
        }
        if rustix::process::geteuid().is_root() {
            for command in [1, 4, 15, 33] {
                assert_ne!(bpf(command), Some(libc::EPERM), "{command}");
            }
        }
    });
    confined(Files::default(), Calls::ChangeMaps, || {
        // BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_OBJ_GET, BPF_PROG_ATTACH, BPF_MAP_GET_FD_BY_ID, BPF_LINK_CREATE.
        for command in [0, 5, 7, 8, 14, 28] {
            assert_eq!(bpf(command), Some(libc::EPERM), "{command}");
        }
        if rustix::process::geteuid().is_root() {
            for command in [1, 2, 4, 15, 25, 33] {
                assert_ne!(bpf(command), Some(libc::EPERM), "{command}");
            }
        }
    });
    confined(Files::default(), Calls::Threads, || {
        assert_eq!(bpf(1), Some(libc::EPERM));
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_numbers_of_x32_lead_nowhere() {
    confined(Files::default(), Calls::ReadBpf, || {
        const X32: libc::c_long = 0x4000_0000;
        assert_eq!(try_call(X32 | libc::SYS_socket), Some(libc::ENOSYS));
        assert_eq!(try_call(X32 | libc::SYS_getpid), Some(libc::ENOSYS));
    });
}

#[test]
fn files_are_those_that_were_named() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| root.path().join(name);
    for directory in ["read", "written", "other"] {
        fs::create_dir(path(directory)).expect("a directory");
        fs::write(path(directory).join("file"), "content").expect("a file");
    }
    std::os::unix::fs::symlink(path("other/file"), path("read/link")).expect("a link");
    let mut files = Files::default();
    files.read(path("read"));
    files.write(path("written"));
    files.read(path("does not exist"));
    let root = root.path().to_owned();
    confined(files, Calls::ReadBpf, move || {
        let path = |name: &str| root.join(name);
        let kind = |result: io::Result<()>| result.map_err(|error| error.kind());
        let denied = Err(io::ErrorKind::PermissionDenied);
        let read = |name: &str| kind(fs::read(path(name)).map(drop));
        let write = |name: &str| kind(fs::write(path(name), "new"));
        assert_eq!(read("read/file"), Ok(()));
        assert_eq!(write("read/file"), denied);
        assert_eq!(write("read/new"), denied);
        assert_eq!(kind(fs::remove_file(path("read/file"))), denied);
        assert_eq!(read("read/link"), denied, "a link that leads outside");
        assert_eq!(read("written/file"), Ok(()));
        assert_eq!(write("written/file"), Ok(()));
        assert_eq!(write("written/new"), Ok(()));
        assert_eq!(
            kind(fs::rename(path("written/new"), path("written/file"))),
            Ok(())
        );
        assert_eq!(
            kind(fs::rename(path("written/file"), path("read/moved"))),
            denied
        );
        assert_eq!(kind(fs::create_dir(path("written/directory"))), denied);
        assert_eq!(read("other/file"), denied);
        assert_eq!(kind(fs::read("/etc/passwd").map(drop)), denied);
        assert_eq!(
            kind(File::create("/etc/retrans-host-test").map(drop)),
            denied
        );
        assert_eq!(kind(fs::read("/proc/self/status").map(drop)), Ok(()));
        assert_eq!(kind(fs::read("/proc/1/cgroup").map(drop)), Ok(()));
        // Landlock does not restrict modes; seccomp does.
        let mode = fs::Permissions::from_mode(0o777);
        assert_eq!(
            kind(fs::set_permissions(path("other/file"), mode.clone())),
            denied
        );
        let open = File::open(path("written/file")).expect("it may be read");
        assert_eq!(kind(open.set_permissions(mode)), denied);
        let private = fs::Permissions::from_mode(0o600);
        assert_eq!(kind(open.set_permissions(private)), Ok(()));
        assert_eq!(kind(open.set_modified(SystemTime::now())), Ok(()));
    });
}

#[test]
fn memory_with_a_descriptor_is_opened_by_its_path() {
    confined(Files::default(), Calls::ReadBpf, || {
        let memory = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC);
        let memory = File::from(memory.expect("memory"));
        let number = std::os::fd::AsRawFd::as_raw_fd(&memory);
        assert!(File::open(format!("/proc/self/fd/{number}")).is_ok());
    });
}

#[test]
fn a_process_with_other_threads_is_not_confined() {
    // The test harness has several.
    let refused = confine(&Files::default(), Calls::ReadBpf, Sockets::default())
        .expect_err("it has other threads");
    assert!(
        refused.to_string().contains("threads before the sandbox"),
        "{refused}"
    );
}

#[test]
fn other_processes_cannot_be_looked_into() {
    let own = Path::new("/proc/self/ns/net");
    assert!(fs::read_link(own).is_ok());
    confined(Files::default(), Calls::ReadBpf, || {
        let parent = rustix::process::getppid().expect("a parent");
        let parent = format!("/proc/{}/ns/net", parent.as_raw_nonzero());
        let error = fs::read_link(parent).expect_err("Landlock");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let result = rustix::process::kill_process(
            rustix::process::getppid().expect("a parent"),
            rustix::process::Signal::CONT,
        );
        assert_eq!(result, Err(Errno::PERM));
    });
}
