"""Addresses of the network: whose a connection is, and which proxies are believed about it."""

import ipaddress
import re
import socket
from collections.abc import Iterable

from xnai.errors import PORT_TAKEN, SETTING_INVALID, XnaiError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"  # of a peer without an address, as on a Unix socket
_IPV6_SHARE = 64  # bits: what one subscriber is given, so one client can take any address of it
_HOP = re.compile(
    r"(?P<v4>[0-9.]{7,15})(:[0-9]{1,5})?|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\](:[0-9]{1,5})?"
)
_MOST_HOPS = 20  # of a chain of proxies; what stands before them is nobody's word


def network(text: str) -> Network:
    """Return the network that an address (``10.0.0.2``) or a range (``10.0.0.0/24``) names.

    Raises:
        ValueError: it is neither, or its address has bits outside the range.

    """
    try:
        return ipaddress.ip_network(text)
    except ValueError as exc:
        raise ValueError(
            f"{text[:60]!r} is neither an address like 10.0.0.2 nor a range like 10.0.0.0/24"
        ) from exc


def client_address(peer: str | None, forwarded_for: str, trusted: Iterable[Network]) -> str:
    """Return the address of whoever is at the other end, as far as it can be believed.

    Each proxy appends the address it was spoken to from, so the chain is read from its end for as
    long as the one who wrote the entry is a trusted proxy; what stands further in front may be
    forged. Without a trusted proxy at the other end this is the peer itself. Asking again with the
    result as the peer gives the same result.

    Args:
        peer: address of the other end of the connection.
        forwarded_for: value of ``X-Forwarded-For``, several headers joined by commas in order.
        trusted: networks whose word is believed (``Settings.trusted_proxies``).

    """
    current = _address(peer or "")
    if current is None:
        return peer or UNKNOWN
    networks = tuple(trusted)
    hops = forwarded_for.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:] if networks else []
    while hops and _is_in(current, networks):
        hop = _address(hops.pop().strip())
        if hop is None:
            break
        current = hop
    return str(current)


def share_key(address: str) -> str:
    """Return what shares are counted by: an IPv4 address, or the /64 that an IPv6 one is in."""
    parsed = _address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_SHARE), strict=False))
    return address if parsed is None else str(parsed)


def is_trusted(peer: str | None, trusted: Iterable[Network]) -> bool:
    """Tell whether the other end of a connection is a trusted proxy."""
    address = _address(peer or "")
    return address is not None and _is_in(address, tuple(trusted))


def is_loopback(address: str) -> bool:
    """Tell whether an address is of this machine itself."""
    parsed = _address(address)
    return parsed is not None and parsed.is_loopback


def holders(person: str, address: str) -> list[str]:
    """Return whose shares something counts against: a person's, and those of an address.

    Loopback has none: everybody is behind it if an unnamed proxy is, one person if none is.
    """
    named = [f"person {person}"]
    if address and not is_loopback(address):
        named.append(f"address {share_key(address)}")
    return named


def _address(text: str) -> Address | None:
    """An address with or without a port; IPv4 written as IPv6 is IPv4."""
    match = _HOP.fullmatch(text)
    bare = (match["v4"] or match["v6"]) if match else text.partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def check_port(host: str, port: int) -> None:
    """Listen for a moment, as the server will.

    Raises:
        XnaiError: PORT_TAKEN, or SETTING_INVALID if the host is no address of this machine.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as exc:
            raise XnaiError(
                SETTING_INVALID,
                name="XNAI_HOST",
                value=host,
                problem="it is no address of this machine",
            ) from exc
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise XnaiError(
                PORT_TAKEN, host=host, port=port, reason=reason, other=port + 1
            ) from exc
