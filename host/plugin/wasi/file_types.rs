//! The types of `wasi:filesystem/types`, and conversions from the system's types.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use rustix::fs::FileType;
use rustix::fs::Stat;
use rustix::io::Errno;
use wasmtime::component::ComponentType;
use wasmtime::component::Lower;
use wasmtime::component::flags;

use super::clocks::Datetime;

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "all variants are part of the type")]
pub(super) enum ErrorCode {
    #[component(name = "access")]
    Access,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "already")]
    Already,
    #[component(name = "bad-descriptor")]
    BadDescriptor,
    #[component(name = "busy")]
    Busy,
    #[component(name = "deadlock")]
    Deadlock,
    #[component(name = "quota")]
    Quota,
    #[component(name = "exist")]
    Exist,
    #[component(name = "file-too-large")]
    FileTooLarge,
    #[component(name = "illegal-byte-sequence")]
    IllegalByteSequence,
    #[component(name = "in-progress")]
    InProgress,
    #[component(name = "interrupted")]
    Interrupted,
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "io")]
    Io,
    #[component(name = "is-directory")]
    IsDirectory,
    #[component(name = "loop")]
    Loop,
    #[component(name = "too-many-links")]
    TooManyLinks,
    #[component(name = "message-size")]
    MessageSize,
    #[component(name = "name-too-long")]
    NameTooLong,
    #[component(name = "no-device")]
    NoDevice,
    #[component(name = "no-entry")]
    NoEntry,
    #[component(name = "no-lock")]
    NoLock,
    #[component(name = "insufficient-memory")]
    InsufficientMemory,
    #[component(name = "insufficient-space")]
    InsufficientSpace,
    #[component(name = "not-directory")]
    NotDirectory,
    #[component(name = "not-empty")]
    NotEmpty,
    #[component(name = "not-recoverable")]
    NotRecoverable,
    #[component(name = "unsupported")]
    Unsupported,
    #[component(name = "no-tty")]
    NoTty,
    #[component(name = "no-such-device")]
    NoSuchDevice,
    #[component(name = "overflow")]
    Overflow,
    #[component(name = "not-permitted")]
    NotPermitted,
    #[component(name = "pipe")]
    Pipe,
    #[component(name = "read-only")]
    ReadOnly,
    #[component(name = "invalid-seek")]
    InvalidSeek,
    #[component(name = "text-file-busy")]
    TextFileBusy,
    #[component(name = "cross-device")]
    CrossDevice,
}

impl From<Errno> for ErrorCode {
    fn from(errno: Errno) -> ErrorCode {
        match errno {
            Errno::ACCESS => ErrorCode::Access,
            Errno::AGAIN => ErrorCode::WouldBlock,
            Errno::BUSY => ErrorCode::Busy,
            Errno::DQUOT | Errno::MFILE | Errno::NFILE => ErrorCode::Quota,
            Errno::ILSEQ => ErrorCode::IllegalByteSequence,
            Errno::INTR => ErrorCode::Interrupted,
            Errno::INVAL => ErrorCode::Invalid,
            Errno::ISDIR => ErrorCode::IsDirectory,
            Errno::LOOP => ErrorCode::Loop,
            Errno::NAMETOOLONG => ErrorCode::NameTooLong,
            Errno::NODEV => ErrorCode::NoDevice,
            Errno::NOENT => ErrorCode::NoEntry,
            Errno::NOMEM => ErrorCode::InsufficientMemory,
            Errno::NOTDIR => ErrorCode::NotDirectory,
            Errno::NXIO => ErrorCode::NoSuchDevice,
            Errno::OPNOTSUPP => ErrorCode::Unsupported,
            Errno::OVERFLOW => ErrorCode::Overflow,
            Errno::PERM => ErrorCode::NotPermitted,
            Errno::ROFS => ErrorCode::ReadOnly,
            // Reading returns other errors only if the file system itself fails.
            _ => ErrorCode::Io,
        }
    }
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum DescriptorType {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "block-device")]
    BlockDevice,
    #[component(name = "character-device")]
    CharacterDevice,
    #[component(name = "directory")]
    Directory,
    #[component(name = "fifo")]
    Fifo,
    #[component(name = "symbolic-link")]
    SymbolicLink,
    #[component(name = "regular-file")]
    RegularFile,
    #[component(name = "socket")]
    Socket,
}

impl From<FileType> for DescriptorType {
    fn from(kind: FileType) -> DescriptorType {
        match kind {
            FileType::BlockDevice => DescriptorType::BlockDevice,
            FileType::CharacterDevice => DescriptorType::CharacterDevice,
            FileType::Directory => DescriptorType::Directory,
            FileType::Fifo => DescriptorType::Fifo,
            FileType::Symlink => DescriptorType::SymbolicLink,
            FileType::RegularFile => DescriptorType::RegularFile,
            FileType::Socket => DescriptorType::Socket,
            FileType::Unknown => DescriptorType::Unknown,
        }
    }
}

flags! {
    DescriptorFlags {
        #[component(name = "read")]
        const READ;
        #[component(name = "write")]
        const WRITE;
        #[component(name = "file-integrity-sync")]
        const FILE_INTEGRITY_SYNC;
        #[component(name = "data-integrity-sync")]
        const DATA_INTEGRITY_SYNC;
        #[component(name = "requested-write-sync")]
        const REQUESTED_WRITE_SYNC;
        #[component(name = "mutate-directory")]
        const MUTATE_DIRECTORY;
    }
}

flags! {
    PathFlags {
        #[component(name = "symlink-follow")]
        const SYMLINK_FOLLOW;
    }
}

flags! {
    OpenFlags {
        #[component(name = "create")]
        const CREATE;
        #[component(name = "directory")]
        const DIRECTORY;
        #[component(name = "exclusive")]
        const EXCLUSIVE;
        #[component(name = "truncate")]
        const TRUNCATE;
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct DescriptorStat {
    #[component(name = "type")]
    kind: DescriptorType,
    #[component(name = "link-count")]
    link_count: u64,
    size: u64,
    #[component(name = "data-access-timestamp")]
    accessed: Option<Datetime>,
    #[component(name = "data-modification-timestamp")]
    modified: Option<Datetime>,
    #[component(name = "status-change-timestamp")]
    changed: Option<Datetime>,
}

impl From<Stat> for DescriptorStat {
    fn from(stat: Stat) -> DescriptorStat {
        DescriptorStat {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            link_count: links(&stat),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            accessed: datetime(stat.st_atime, stat.st_atime_nsec),
            modified: datetime(stat.st_mtime, stat.st_mtime_nsec),
            changed: datetime(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

#[allow(
    clippy::useless_conversion,
    reason = "it has 32 bits on other architectures"
)]
fn links(stat: &Stat) -> u64 {
    stat.st_nlink.into()
}

/// Returns `None` for a time before 1970, which WASI cannot represent.
fn datetime(seconds: i64, nanoseconds: u64) -> Option<Datetime> {
    Some(Datetime {
        seconds: seconds.try_into().ok()?,
        nanoseconds: nanoseconds.try_into().ok()?,
    })
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct DirectoryEntry {
    #[component(name = "type")]
    pub(super) kind: DescriptorType,
    pub(super) name: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct MetadataHash {
    lower: u64,
    upper: u64,
}

/// The hash differs between files, and changes when the file is written to. It does not reveal the numbers of devices
/// and inodes.
impl From<Stat> for MetadataHash {
    fn from(stat: Stat) -> MetadataHash {
        let mut hasher = DefaultHasher::new();
        (stat.st_dev, stat.st_ino, stat.st_size).hash(&mut hasher);
        (stat.st_mtime, stat.st_mtime_nsec).hash(&mut hasher);
        (stat.st_ctime, stat.st_ctime_nsec).hash(&mut hasher);
        let lower = hasher.finish();
        lower.hash(&mut hasher);
        MetadataHash {
            lower,
            upper: hasher.finish(),
        }
    }
}
