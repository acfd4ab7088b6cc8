"""Which network addresses may be fetched from: everything public, and private ones only where allowed. Pure."""

import ipaddress
from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.ip_network("::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_CARRIERS = (_NAT64, _TRANSLATED, _COMPATIBLE)
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
# Private in the sense of RFC 6598, and not `is_private` in Python.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_LOCAL_METADATA = ipaddress.ip_address("fd00:ec2::254")


def refusal(address: str, *, allow_private: bool) -> str | None:
    """Why nothing is fetched from `address` (an IP address, with or without a zone), or None where it may be.

    An address that carries another one (mapped, 6to4, Teredo, NAT64) is judged by both: `is_global` calls
    `64:ff9b::7f00:1`, which is 127.0.0.1, global. Link-local, multicast and unspecified ones are never allowed: no
    blog lives there, but the keys of a cloud machine do (169.254.169.254).
    """
    try:
        outer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "is not an IP address"
    for inner in _layers(outer):
        if _is_never_allowed(inner):
            return "is an address of no public server"
        if not allow_private and not _is_public(inner):
            return "is a private address"
    return None


def _layers(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or address in _NAT64_LOCAL or address in _TRANSLATED:
        yield low
    if address in _COMPATIBLE and int(address) > 1:
        yield low


def _is_never_allowed(address: Address) -> bool:
    this_network = address.version == 4 and address in _THIS_NETWORK
    broadcast = str(address) == "255.255.255.255"
    metadata = address == _LOCAL_METADATA
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or this_network
        or broadcast
        or metadata
    )


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour or any(address in one for one in _CARRIERS):
            # Judged by what is inside: Pythons differ in what `is_global` says of these. `::1` carries nothing.
            return not address.is_loopback
        if address.is_site_local or address in _NAT64_LOCAL:
            return False
    elif address in _SHARED:
        return False
    return address.is_global and not address.is_reserved
