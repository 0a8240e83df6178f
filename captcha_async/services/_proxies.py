"""Whether a task's proxy is one that a service can use: refused before any request is made."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from ..errors import invalid
from ..tasks._proxy import Proxy

__all__ = ["check_address", "check_credentials", "check_type"]

# Written out, because `ipaddress` counts the documentation's networks as private too.
_UNREACHABLE = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
            *("::/127", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)
# Names that are reserved for the own machine or the own network.
_OWN_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "localdomain")


def check_address(proxy: Proxy, service: str, *, private: bool, names: bool) -> None:
    """Refuse an address that a service cannot reach or does not take.

    Args:
        proxy: the task's proxy.
        service: the service's name.
        private: whether it can reach private networks.
        names: whether it takes host names.
    """
    is_name, own = _place(proxy.address)
    if is_name and not names:
        rule = f"an IP address: {service} takes no host names"
        raise invalid("proxy.address", proxy.address, rule, show=False)
    if own and not private:
        rule = f"an address that {service} can reach, not one of a private network"
        raise invalid("proxy.address", proxy.address, rule, show=False)


# A few proxies serve many tasks.
@lru_cache(maxsize=1024)
def _place(address: str) -> tuple[bool, bool]:
    """Tell whether an address is a host name, and whether no other network can reach it."""
    address = address.strip("[]").rstrip(".").lower()
    number = _number(address)
    return number is None, _is_own_name(address) if number is None else _is_unreachable(number)


def check_type(proxy: Proxy, service: str, types: frozenset[str]) -> None:
    """Refuse a kind of proxy that the service does not take."""
    if proxy.type not in types:
        raise invalid("proxy.type", proxy.type, f"one of {', '.join(sorted(types))} at {service}")


def check_credentials(proxy: Proxy, service: str, forbidden: str) -> None:
    """Refuse characters that the service does not take in login and password."""
    if not forbidden:
        return
    for name in ("login", "password"):
        value = getattr(proxy, name)
        if value and not set(forbidden).isdisjoint(value):
            rule = f"free of {' '.join(forbidden)} at {service}"
            raise invalid(f"proxy.{name}", value, rule, show=False)


def _number(address: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address in any form, `127.1` and `0x7f000001` included; None for a name."""
    try:
        return ip_address(address)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(address))
    except (OSError, ValueError):
        return None


def _is_unreachable(number: IPv4Address | IPv6Address) -> bool:
    if isinstance(number, IPv6Address):
        number = number.ipv4_mapped or number.sixtofour or number
    return any(number in network for network in _UNREACHABLE)


def _is_own_name(name: str) -> bool:
    # A name without a dot is known in the own network only.
    return name.rpartition(".")[2] in _OWN_NAMES or "." not in name
