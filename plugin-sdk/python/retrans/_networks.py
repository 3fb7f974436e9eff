"""Networks of IP addresses, and a quick look-up of the network that an address is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from ._codec import Cache, IPAddress

Network: TypeAlias = IPv4Network | IPv6Network

# Leading bits of an IPv4-mapped IPv6 address that are not part of the IPv4 address.
_MAPPED = 96


def parse_network(text: str) -> Network:
    """The network of ``10.0.0.0/8`` or of a single address. ``::ffff:10.0.0.0/104`` is ``10.0.0.0/8``."""
    address, slash, bits = text.partition("/")
    try:
        ip = ip_address(address)
        if slash and not (bits.isascii() and bits.isdigit() and len(bits) <= 3):
            raise ValueError
        length = int(bits) if slash else ip.max_prefixlen
    except ValueError:
        raise ValueError(f"{text!r} is not a network: expected an address, or 10.0.0.0/8, or 2001:db8::/32") from None
    if length > ip.max_prefixlen:
        raise ValueError(f"{text} has too many bits: expected at most {ip.max_prefixlen}")
    network = ip_network(f"{ip}/{length}", strict=False)
    if network.network_address != ip:
        raise ValueError(f"{text} has bits after the first {length}: expected {network}")
    if isinstance(network, IPv6Network) and length >= _MAPPED and network.network_address.ipv4_mapped is not None:
        return IPv4Network((int(network.network_address.ipv4_mapped), length - _MAPPED))
    return network


class Networks:
    """Any number of networks: ``event.peer.ip in networks``."""

    __slots__ = ("_known", "_lengths", "_networks")

    def __init__(self, networks: Iterable[Network | str] = ()) -> None:
        parsed = (parse_network(network) if isinstance(network, str) else network for network in networks)
        self._networks: tuple[Network, ...] = tuple(parsed)
        lengths: dict[tuple[int, int], set[int]] = {}
        for network in self._networks:
            # The leading bits of the address, as a number.
            shift = network.max_prefixlen - network.prefixlen
            lengths.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        self._lengths = [(version, shift, prefixes) for (version, shift), prefixes in lengths.items()]
        # Peers come again.
        self._known: Cache[IPAddress, bool] = Cache(self._find)

    def __contains__(self, address: IPAddress) -> bool:
        return self._known[address]

    def _find(self, address: IPAddress) -> bool:
        number, version = int(address), address.version
        return any(version == v and number >> shift in prefixes for v, shift, prefixes in self._lengths)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)

    def __repr__(self) -> str:
        return f"Networks({[str(network) for network in self._networks]})"
