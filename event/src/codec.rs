//! Codecs: read a field's bytes as a value, and write a value as bytes. Each kind of field has one.

use core::net::IpAddr;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::name::Name;
use crate::numbers::CaState;
use crate::numbers::Kind;
use crate::numbers::OwnerStatus;
use crate::numbers::TcpState;
use crate::numbers::Timer;
use crate::numbers::Tracepoint;
use crate::send_error::SendError;
use crate::tcp_flags::TcpFlags;

/// Reads and writes one kind of field, little-endian, at any alignment.
pub(crate) trait Codec {
    type Value: Copy;
    const SIZE: usize;

    /// `bytes` has [`Codec::SIZE`] bytes.
    fn read(bytes: &[u8]) -> Self::Value;

    /// `bytes` has [`Codec::SIZE`] bytes.
    fn write(value: Self::Value, bytes: &mut [u8]);
}

/// Copies a slice of `N` bytes; panics for any other length.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

macro_rules! integers {
    ($($name:ident $type:ty,)+) => {$(
        pub(crate) struct $name;

        impl Codec for $name {
            type Value = $type;
            const SIZE: usize = size_of::<$type>();

            #[inline]
            fn read(bytes: &[u8]) -> $type {
                <$type>::from_le_bytes(array(bytes))
            }

            #[inline]
            fn write(value: $type, bytes: &mut [u8]) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
        }
    )+};
}

integers! {
    U8 u8,
    U16 u16,
    U32 u32,
    U64 u64,
    I32 i32,
}

/// Codecs of values that the record has as a number.
macro_rules! numbered {
    ($($name:ident $number:ident $value:ty, $from:expr, $to:expr;)+) => {$(
        pub(crate) struct $name;

        impl Codec for $name {
            type Value = $value;
            const SIZE: usize = $number::SIZE;

            #[inline]
            fn read(bytes: &[u8]) -> $value {
                $from($number::read(bytes))
            }

            #[inline]
            fn write(value: $value, bytes: &mut [u8]) {
                $number::write($to(value), bytes);
            }
        }
    )+};
}

numbered! {
    KindCodec U8 Kind, Kind::from_number, Kind::number;
    TracepointCodec U8 Tracepoint, Tracepoint::from_number, Tracepoint::number;
    TcpStateCodec U8 TcpState, TcpState::from_number, TcpState::number;
    CaStateCodec U8 CaState, CaState::from_number, CaState::number;
    TimerCodec U8 Timer, Timer::from_number, Timer::number;
    FlagsCodec U16 TcpFlags, TcpFlags, |flags: TcpFlags| flags.0;
    OwnerCodec U8 OwnerStatus, OwnerStatus::from_number, OwnerStatus::number;
    Bool U8 bool, |byte: u8| byte != 0, u8::from;
    ErrorCodec I32 SendError, SendError, |error: SendError| error.0;
    Nanos U64 Duration, Duration::from_nanos, nanos;
    Micros U32 Duration, |micros: u32| Duration::from_micros(micros.into()), micros;
}

/// A time in nanoseconds; saturates after 584 years.
///
/// `Duration::as_nanos` multiplies in 128 bits, which is a function call in WebAssembly: too slow for
/// something that runs for every event.
#[inline]
pub fn nanos(time: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    if time.as_secs() > u64::MAX / SECOND {
        return u64::MAX;
    }
    (time.as_secs() * SECOND).saturating_add(time.subsec_nanos().into())
}

/// A time in microseconds; saturates after 71 minutes.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// An address in sixteen bytes, IPv4 as `::ffff:a.b.c.d`: one form, so that nothing has to be
/// normalised.
pub(crate) struct Address;

impl Codec for Address {
    type Value = IpAddr;
    const SIZE: usize = 16;

    #[inline]
    fn read(bytes: &[u8]) -> IpAddr {
        Ipv6Addr::from(array::<16>(bytes)).to_canonical()
    }

    #[inline]
    fn write(address: IpAddr, bytes: &mut [u8]) {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        bytes.copy_from_slice(&address.octets());
    }
}

pub(crate) struct Text;

impl Codec for Text {
    type Value = Name;
    const SIZE: usize = Name::MAX;

    fn read(bytes: &[u8]) -> Name {
        Name::from_bytes(array(bytes))
    }

    fn write(name: Name, bytes: &mut [u8]) {
        bytes.copy_from_slice(&name.to_bytes());
    }
}
