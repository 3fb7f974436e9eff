//! Formats of fields: how to read the bytes, and the names under which `layout()` gives them.

#[cfg(doc)]
use crate::numbers::CaState;
#[cfg(doc)]
use crate::numbers::Kind;
#[cfg(doc)]
use crate::numbers::OwnerStatus;
#[cfg(doc)]
use crate::numbers::TcpState;
#[cfg(doc)]
use crate::numbers::Timer;
#[cfg(doc)]
use crate::numbers::Tracepoint;
#[cfg(doc)]
use crate::send_error::SendError;
#[cfg(doc)]
use crate::tcp_flags::TcpFlags;

/// How to read the bytes of a field. All numbers are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Unsigned number, 8 bits.
    U8,
    /// Unsigned number, 16 bits.
    U16,
    /// Unsigned number, 32 bits.
    U32,
    /// Unsigned number, 64 bits.
    U64,
    /// Time since boot (CLOCK_BOOTTIME) in ns, 64 bits.
    BootTime,
    /// Time since 1970-01-01T00:00:00Z in ns, 64 bits.
    WallTime,
    /// Duration in µs, 32 bits.
    Micros,
    /// Sixteen bytes in network order, IPv4 as `::ffff:a.b.c.d`.
    Address,
    /// UTF-8 text of at most 16 bytes, padded with NULs.
    Text,
    /// [`Kind`], 8 bits.
    Kind,
    /// [`Tracepoint`], 8 bits.
    Tracepoint,
    /// [`TcpState`], 8 bits.
    TcpState,
    /// [`CaState`], 8 bits.
    CaState,
    /// [`Timer`], 8 bits.
    Timer,
    /// [`TcpFlags`], 16 bits.
    TcpFlags,
    /// [`SendError`], signed, 32 bits.
    SendError,
    /// [`OwnerStatus`], 8 bits.
    OwnerStatus,
    /// Boolean, 8 bits: 0 is false, any other value is true.
    Bool,
}

impl Format {
    /// The name of the format in `layout()`.
    pub const fn name(self) -> &'static str {
        match self {
            Format::U8 => "u8",
            Format::U16 => "u16",
            Format::U32 => "u32",
            Format::U64 => "u64",
            Format::BootTime => "boot-time-ns",
            Format::WallTime => "wall-time-ns",
            Format::Micros => "duration-us",
            Format::Address => "address",
            Format::Text => "text",
            Format::Kind => "kind",
            Format::Tracepoint => "origin",
            Format::TcpState => "state",
            Format::CaState => "ca-state",
            Format::Timer => "timer",
            Format::TcpFlags => "tcp-flags",
            Format::SendError => "send-error",
            Format::OwnerStatus => "owner-status",
            Format::Bool => "bool",
        }
    }
}
