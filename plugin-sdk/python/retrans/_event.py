"""One event as a plugin sees it: the fields of its record, and its labels."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv6Address

from ._codec import ADDRESSES, Cache, Endpoint, checked_text, put_address, put_u16, u16
from ._fields import FIELDS, RECORD_SIZE, Fields
from ._labels import FixedLabels, Labels
from ._record import CORE_SIZE

_LOCAL_ADDRESS, _PEER_ADDRESS, _LOCAL_PORT, _PEER_PORT, _IP_VERSION = 48, 64, 80, 82, 84


def _read_peer(raw: bytes) -> Endpoint:
    return Endpoint(ADDRESSES[raw[:16]], u16(raw, 18)[0])


# By the peer's address, the local port and the peer's port, which are next to each other: one slice is the key.
_PEERS: Cache[bytes, Endpoint] = Cache(_read_peer)


class Event(Fields):
    """One retransmit.

    A field that is unknown is ``None``. Times and durations are whole numbers of nanoseconds. What a plugin sets is
    what the next plugin sees; the host keeps size, CPU, sequences and times as they were.

    The object is used again for the next event: keep ``event.copy()``, or what you read from it, never the event.
    """

    __slots__ = ("_labels",)

    _labels: Labels

    def __init__(self, data: bytes, size: int, labels: Labels) -> None:
        self._data = data
        self._at = 0
        self._size = size
        self._place = 0
        self._changed = False
        self._labels = labels

    @property
    def peer(self) -> Endpoint:
        """Address and port of the peer. Setting it sets ``ip_version`` as well."""
        at = self._at
        return _PEERS[self._data[at + 64 : at + 84]]

    @peer.setter
    def peer(self, value: Endpoint) -> None:
        self._set_side(value, _PEER_ADDRESS, _PEER_PORT, _LOCAL_ADDRESS)

    @property
    def local(self) -> Endpoint:
        """Local address and port: this machine's side. Setting it sets ``ip_version`` as well."""
        return Endpoint(self.local_address, self.local_port)

    @local.setter
    def local(self, value: Endpoint) -> None:
        self._set_side(value, _LOCAL_ADDRESS, _LOCAL_PORT, _PEER_ADDRESS)

    def _set_side(self, value: Endpoint, address: int, port: int, other: int) -> None:
        """An event has one version of IP: an address of the other one becomes unspecified."""
        ip, number = value
        record = bytearray(self._bytes())
        record[address : address + 16] = put_address(ip)
        record[port : port + 2] = put_u16(number)
        record[_IP_VERSION] = ip.version
        if ADDRESSES[bytes(record[other : other + 16])].version != ip.version:
            unspecified = IPv4Address(0) if ip.version == 4 else IPv6Address(0)
            record[other : other + 16] = put_address(unspecified)
        self._replace(record)

    @property
    def is_ipv4(self) -> bool:
        """Is the connection IPv4? An IPv4 connection of a dual-stack socket counts as IPv4."""
        return self.peer_address.version == 4

    @property
    def _number(self) -> int:
        """Number of the event within the call."""
        return self._place if self._changed else self._at // self._size

    def label(self, key: str) -> str | None:
        """The label with this key, of this plugin, an earlier one or the host."""
        return self._labels.get(self._number, key)

    def labels(self) -> dict[str, str]:
        """All labels, in the order of their keys."""
        return self._labels.of(self._number)

    def set_label(self, key: str, value: object) -> None:
        """Sets a label. It replaces a label with the same key, also one of an earlier plugin."""
        self._labels.set(self._number, key, checked_text(value if type(value) is str else str(value)))

    def copy(self) -> Event:
        """A copy that stays as it is, with its labels."""
        return type(self)(self._bytes(), self._size, FixedLabels(self.labels()))

    def __repr__(self) -> str:
        return f"<Event {self.kind} {self.local} > {self.peer}>"


@cache
def event_class(size: int) -> type[Event]:
    """The class for records of this size. Fields beyond the record of an older host are absent."""
    if size < CORE_SIZE:
        raise ValueError(f"the host passed records of {size} bytes; a record has at least {CORE_SIZE}")
    if size >= RECORD_SIZE:
        return Event

    def ignore(self: Event, value: object) -> None:
        """There is no room for the field."""

    absent = property(lambda self: None, ignore)
    beyond: dict[str, object] = {"__slots__": ()}
    for name, offset, length, bit in FIELDS:
        # Presence bits are in words of 8 bytes, of which a record has the whole or nothing.
        if bit is not None and max(offset + length, (bit // 64 + 1) * 8) > size:
            beyond[name] = absent
    return type("Event", (Event,), beyond)
