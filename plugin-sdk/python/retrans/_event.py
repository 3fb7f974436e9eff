"""One event as a plugin sees it: the fields of its record, and its labels."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv6Address

from ._codec import CACHE_SIZE, Endpoint, get_address, put_address, put_u16, u16
from ._fields import FIELDS, RECORD_SIZE, Fields
from ._labels import FixedLabels, Labels
from ._record import CORE_SIZE

_LOCAL_ADDRESS, _PEER_ADDRESS, _LOCAL_PORT, _PEER_PORT, _IP_VERSION = 48, 64, 80, 82, 84

_peers: dict[bytes, Endpoint] = {}


class Event(Fields):
    """One retransmit.

    A field that is unknown is ``None``. Times and durations are whole numbers of nanoseconds. What a plugin sets is
    what the next plugin sees; the host keeps size, CPU, sequences and times as they were.

    The object is used again for the next event: keep ``event.copy()``, or what you read from it, never the event.
    """

    __slots__ = ("_labels", "_number")

    _labels: Labels
    # Number of the event within the call.
    _number: int

    def __init__(self, data: bytes, size: int, labels: Labels) -> None:
        self._data = data
        self._at = 0
        self._size = size
        self._number = 0
        self._changed = False
        self._labels = labels

    @property
    def peer(self) -> Endpoint:
        """Address and port of the peer. Setting it sets ``ip_version`` as well."""
        at = self._at
        # With the local port between them: one slice is the key for both.
        raw = self._data[at + 64 : at + 84]
        peer = _peers.get(raw)
        if peer is None:
            peer = Endpoint(get_address(raw[:16]), u16(raw, 18)[0])
            if len(_peers) >= CACHE_SIZE:
                _peers.clear()
            _peers[raw] = peer
        return peer

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
        if get_address(bytes(record[other : other + 16])).version != ip.version:
            unspecified = IPv4Address(0) if ip.version == 4 else IPv6Address(0)
            record[other : other + 16] = put_address(unspecified)
        self._replace(record)

    @property
    def is_ipv4(self) -> bool:
        """Is the connection IPv4? An IPv4 connection of a dual-stack socket counts as IPv4."""
        return self.peer_address.version == 4

    def label(self, key: str) -> str | None:
        """The label with this key, of this plugin, an earlier one or the host."""
        return self._labels.get(self._number, key)

    def labels(self) -> dict[str, str]:
        """All labels, in the order of their keys."""
        return self._labels.of(self._number)

    def set_label(self, key: str, value: object) -> None:
        """Sets a label. It replaces a label with the same key, also one of an earlier plugin."""
        self._labels.set(self._number, key, value if type(value) is str else str(value))

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
