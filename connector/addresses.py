"""Which IP addresses are of the public internet: where a stranger's URL leads must be one, or allowed by name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that has been given out (RFC 4291 section 2.4, IANA)
# Not of the internet although `is_global` may say otherwise in a Python we run on: 6to4 and its relays, Teredo and
# other assignments to protocols, examples.
_NEVER_IPV6 = tuple(IPv6Network(block) for block in ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20"))
_NEVER_IPV4 = tuple(IPv4Network(block) for block in ("192.0.0.0/24", "192.88.99.0/24"))
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address as IPv6-only networks spell it (RFC 6052)


def is_public(address: str) -> bool:
    """Whether a literal IP address is one of the public internet: global unicast, and nothing that leads elsewhere.

    An IPv4 address inside an IPv6 one is judged for itself where the way to it is a translation. Tunnels lead nowhere:
    nobody's calendar is behind one. What has a zone index belongs to a link.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return _is_public_ipv4(ip)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped:
        return _is_public_ipv4(ip.ipv4_mapped)
    if ip in _NAT64:
        return _is_public_ipv4(IPv4Address(int(ip) & 0xFFFF_FFFF))
    return ip in _GLOBAL_UNICAST and ip.is_global and not any(ip in block for block in _NEVER_IPV6)


def _is_public_ipv4(ip: IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in _NEVER_IPV4)
