//! Lists the processes with their network namespaces, by a BPF iterator.

use std::io;
use std::mem::MaybeUninit;
use std::mem::offset_of;
use std::time::Duration;

use libbpf_rs::Link;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;

use crate::source::bpf::iterator;
use crate::source::bpf::iterator::LoadError;
use crate::source::bpf::libbpf;
use crate::source::bpf::namespaces::NamespacesSkelBuilder;
use crate::source::bpf::namespaces::types::retrans_member;
use crate::stats::reconcile::Member;
use crate::stats::reconcile::Members;
use crate::stats::reconcile::Process;
use crate::system::procfs;

/// Size of `struct retrans_member` in bytes.
const MEMBER_SIZE: usize = size_of::<retrans_member>();

/// Why the processes cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// The kernel refused the program.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The numbers in `/proc` are not those of the list.
    #[error(
        "/proc shows another PID namespace than that of this process, so that it has the counters of \
         other processes; mount the right one: mount -t proc proc /proc"
    )]
    OtherProc,
}

/// The iterator, loaded and attached.
pub struct MemberList {
    /// The kernel keeps the program as long as the link exists.
    link: Link,
}

impl MemberList {
    /// Loads the program into the kernel.
    ///
    /// # Errors
    ///
    /// [`MembersError`] if the kernel refuses the program, or if `/proc` is that of another PID namespace.
    pub fn load() -> Result<MemberList, MembersError> {
        // The numbers of this process in the namespace of /proc and in all those below it. It is in the lowest.
        let numbers = procfs::own_status("NSpid");
        if numbers.is_some_and(|numbers| numbers.split_ascii_whitespace().count() != 1) {
            return Err(MembersError::OtherProc);
        }
        libbpf::log();
        let failed = |doing| LoadError::at(doing, "the list of network namespaces");
        let mut storage = MaybeUninit::uninit();
        let open = NamespacesSkelBuilder::default()
            .open_opts(libbpf::options(), &mut storage)
            .map_err(failed("open"))?;
        let skel = open.load().map_err(failed("load"))?;
        let link = skel.progs.namespace_members.attach();
        let link = link.map_err(failed("attach"))?;
        Ok(MemberList { link })
    }
}

impl Members for MemberList {
    fn visit(&mut self, take: &mut dyn FnMut(Member)) -> io::Result<()> {
        iterator::read(&self.link, |members| {
            for member in members {
                take(parse(member));
            }
        })
    }
}

/// Parses `struct retrans_member`, in the byte order of this machine.
fn parse(bytes: &[u8; MEMBER_SIZE]) -> Member {
    let read_u32 = |offset: usize| {
        let mut number = [0; 4];
        number.copy_from_slice(&bytes[offset..offset + 4]);
        u32::from_ne_bytes(number)
    };
    let read_u64 = |offset: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[offset..offset + 8]);
        u64::from_ne_bytes(number)
    };
    let cookie = read_u64(offset_of!(retrans_member, netns_cookie));
    Member {
        process: Process {
            pid: read_u32(offset_of!(retrans_member, pid)),
            begun: Duration::from_nanos(read_u64(offset_of!(retrans_member, begun_ns))),
        },
        inode: read_u32(offset_of!(retrans_member, netns_inode)),
        cookie: (cookie != 0).then_some(cookie),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_the_kernel_wrote_it() {
        let mut bytes = [0; MEMBER_SIZE];
        let mut put = |offset: usize, value: &[u8]| {
            bytes[offset..offset + value.len()].copy_from_slice(value);
        };
        put(offset_of!(retrans_member, pid), &12u32.to_ne_bytes());
        put(
            offset_of!(retrans_member, begun_ns),
            &5_000_000_001u64.to_ne_bytes(),
        );
        put(
            offset_of!(retrans_member, netns_inode),
            &4_026_531_840u32.to_ne_bytes(),
        );
        let mut member = Member {
            process: Process {
                pid: 12,
                begun: Duration::new(5, 1),
            },
            inode: 4_026_531_840,
            cookie: None,
        };
        assert_eq!(parse(&bytes), member);
        bytes[offset_of!(retrans_member, netns_cookie)..][..8]
            .copy_from_slice(&(1u64 << 40).to_ne_bytes());
        member.cookie = Some(1 << 40);
        assert_eq!(parse(&bytes), member);
    }
}
