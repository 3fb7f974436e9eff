"""Reads and writes the bytes of fields. All numbers are little-endian."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Generic, NamedTuple, TypeAlias, TypeVar

IPAddress: TypeAlias = IPv4Address | IPv6Address
_K = TypeVar("_K")
_V = TypeVar("_V")

# Of as many values a cache is emptied: remote hosts choose addresses, and a plugin's memory is limited.
CACHE_SIZE = 8_192

# The first 12 bytes of an IPv4 address.
_MAPPED = bytes(10) + b"\xff\xff"

U8_MAX, U16_MAX, U32_MAX, U64_MAX = 2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1

_U16, _U32, _I32, _U64 = Struct("<H"), Struct("<I"), Struct("<i"), Struct("<Q")
_Unpack: TypeAlias = Callable[[bytes, int], tuple[int]]
u16: _Unpack = _U16.unpack_from
u32: _Unpack = _U32.unpack_from
i32: _Unpack = _I32.unpack_from
u64: _Unpack = _U64.unpack_from


class Endpoint(NamedTuple):
    """An address with a port."""

    ip: IPAddress
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Reads ``192.0.2.1:443`` or ``[2001:db8::1]:443``."""
        ip, colon, port = text.rpartition(":")
        if ip.startswith("[") and ip.endswith("]"):
            ip = ip[1:-1]
        elif ":" in ip:
            colon = ""
        try:
            if not colon or not port.isdigit() or int(port) > U16_MAX:
                raise ValueError
            return cls(canonical(ip_address(ip)), int(port))
        except ValueError:
            message = f"{text!r}: expected address and port: 192.0.2.1:443 or [2001:db8::1]:443"
            raise ValueError(message) from None

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"


def canonical(address: IPAddress) -> IPAddress:
    """The IPv4 address of an IPv4-mapped one; other addresses as they are."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def address_bytes(address: IPAddress) -> bytes:
    """The address as 16 bytes, IPv4 as ``::ffff:a.b.c.d``: the order of addresses in the host."""
    packed = address.packed
    return packed if len(packed) == 16 else _MAPPED + packed


class Cache(dict[_K, _V], Generic[_K, _V]):
    """What was found for a key, such as the address of 16 bytes: peers and names come again."""

    def __init__(self, find: Callable[[_K], _V]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: _K) -> _V:
        value = self._find(key)
        if len(self) >= CACHE_SIZE:
            self.clear()
        self[key] = value
        return value


class _Address4(IPv4Address):
    """An address that remembers its hash and its text, which take long and which plugins ask for again and again."""

    __slots__ = ("_hash", "_text")

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._hash = super().__hash__()
        self._text = super().__str__()

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self._text


class _Address6(IPv6Address):
    """As above."""

    __slots__ = ("_hash", "_text")

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._hash = super().__hash__()
        self._text = super().__str__()

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self._text


_Address4.__name__, _Address6.__name__ = "IPv4Address", "IPv6Address"


def _read_address(raw: bytes) -> IPAddress:
    return _Address4(raw[12:]) if raw.startswith(_MAPPED) else _Address6(raw)


def _read_text(raw: bytes) -> str:
    """The text up to the first NUL."""
    return _decode(raw.split(b"\0", 1)[0])


ADDRESSES: Cache[bytes, IPAddress] = Cache(_read_address)
TEXTS: Cache[bytes, str] = Cache(_read_text)


def _decode(raw: bytes) -> str:
    """A process may give itself any name. A character that is cut off at the end is left out."""
    text = ""
    while True:
        try:
            return text + raw.decode()
        except UnicodeDecodeError as error:
            text += raw[: error.start].decode()
            if error.reason == "unexpected end of data":
                return text
            text += "?" * (error.end - error.start)
            raw = raw[error.end :]


def _whole(value: object, low: int, high: int) -> int:
    # A bool is an int in Python, and as a port or a time it is a mistake.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"expected a whole number from {low} to {high}, not {value!r}")
    return value


def checked_text(text: str) -> str:
    """The text, which must be one that UTF-8 can say. Bindings of the host stop the plugin for any other value."""
    if not isinstance(text, str):
        raise TypeError(f"expected text, not {text!r}")
    if not text.isascii():
        text.encode()
    return text


def put_u8(value: int) -> bytes:
    return _whole(value, 0, U8_MAX).to_bytes(1, "little")


def put_u16(value: int) -> bytes:
    return _U16.pack(_whole(value, 0, U16_MAX))


def put_u32(value: int) -> bytes:
    return _U32.pack(_whole(value, 0, U32_MAX))


def put_i32(value: int) -> bytes:
    return _I32.pack(_whole(value, -(2**31), 2**31 - 1))


def put_u64(value: int) -> bytes:
    return _U64.pack(_whole(value, 0, U64_MAX))


def put_micros(nanoseconds: int) -> bytes:
    """A duration as whole microseconds; the longest that fits for a longer one."""
    return _U32.pack(min(_whole(nanoseconds, 0, U64_MAX) // 1_000, U32_MAX))


def put_bool(value: bool) -> bytes:
    if not isinstance(value, bool):
        raise ValueError(f"expected True or False, not {value!r}")
    return b"\1" if value else b"\0"


def put_address(address: IPAddress) -> bytes:
    if not isinstance(address, (IPv4Address, IPv6Address)):
        raise ValueError(f"expected an IPv4Address or IPv6Address, not {address!r}")
    return address_bytes(address)


def put_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 16 or b"\0" in raw:
        raise ValueError(f"expected text of at most 16 bytes without NUL, not {text!r}")
    return raw.ljust(16, b"\0")
