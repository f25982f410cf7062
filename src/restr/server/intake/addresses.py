"""Which network addresses are public: all others belong to this machine, its network or its provider."""

from __future__ import annotations

import ipaddress

_V6 = ipaddress.ip_network("2000::/3")  # all public IPv6
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not public, but missing from the tables of some Python version. The last looks public, but is an Azure machine's host.
_SPECIAL_V4 = [
    ipaddress.ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "168.63.129.16/32")
]


def is_public(text: str) -> bool:
    """Whether a stranger may make this server connect to an address that a resolver has given.

    An IPv6 address that carries an IPv4 address (mapped, 6to4, Teredo, NAT64) is public if the IPv4 address is.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return _public_v4(address)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return _public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _public_v4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    carried = [each for each in (address.sixtofour, *(address.teredo or ())) if each is not None]
    return address in _V6 and address.is_global and not address.is_multicast and all(map(_public_v4, carried))


def _public_v4(address: ipaddress.IPv4Address) -> bool:
    special = address.is_multicast or address.is_reserved or any(address in each for each in _SPECIAL_V4)
    return address.is_global and not special
