"""What may be reached: ``HOST[:PORT]`` → a rule; a name or an address with a port → yes or no. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument

DEFAULT_PORTS: Final = (80, 443)
EVERYTHING: Final = "*"
"""Instead of a host: the network of the machine itself."""
MOST_PORTS: Final = 64

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_SELF: Final = ("localhost", "127.0.0.1", "::1")
_HINT: Final = "write HOST, HOST:PORT, *.DOMAIN, an address, [ADDRESS]:PORT or ADDRESS/BITS, no URL"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One host, as it was meant: a name, all names below one (``*.example.com``), or a ``block`` of addresses.

    ``anywhere`` is for a name that may lead to a private address, too: one that this machine's own settings name.
    """

    host: str
    ports: tuple[int, ...] = DEFAULT_PORTS
    block: Block | None = None
    anywhere: bool = False

    def __str__(self) -> str:
        return ",".join(written(self.host, port) for port in self.ports)

    def admits_name(self, name: str) -> bool:
        """Whether a name (lower case, no dot at its end) is meant, at some port."""
        if self.host.startswith("*."):
            return name.endswith(self.host[1:]) and name != self.host[1:]
        return self.block is None and name == self.host

    def admits_address(self, address: Address) -> bool:
        """Whether an address is meant, at some port; ``localhost`` and its two addresses stand for each other."""
        if str(address) in _SELF and self.host in _SELF:
            return True
        return self.block is not None and address in self.block


class AllowList(msgspec.Struct, frozen=True):
    """All that may be reached; empty: nothing, but what is tried is seen."""

    rules: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules)

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports that some rule names."""
        return tuple(sorted({port for rule in self.rules for port in rule.ports}))

    def knows(self, name: str) -> bool:
        """Whether a name may be looked up."""
        return any(rule.admits_name(name) for rule in self.rules)

    def name(self, name: str, port: int) -> bool:
        """Whether a name may be reached at a port."""
        return any(port in rule.ports and rule.admits_name(name) for rule in self.rules)

    def anywhere(self, name: str, port: int) -> bool:
        """Whether a name may lead to any address at a port."""
        return any(rule.anywhere and port in rule.ports and rule.admits_name(name) for rule in self.rules)

    def address(self, address: Address, port: int) -> bool:
        """Whether an address was allowed itself, at a port."""
        return any(port in rule.ports and rule.admits_address(address) for rule in self.rules)


def allow_list(hosts: Iterable[str]) -> AllowList:
    """Read all hosts of one server. Raises :class:`BadArgument` naming the first that cannot be read."""
    found = AllowList(tuple(parse(text) for text in dict.fromkeys(hosts)))
    if len(found.ports) > MOST_PORTS:
        raise BadArgument(f"--allow-host names {len(found.ports)} ports", f"at most {MOST_PORTS} different ones")
    return found


def parse(text: str) -> Rule:
    """Read ``HOST[:PORT]``; without a port 80 and 443 are meant. Raises :class:`BadArgument`."""
    host, port = _split(text)
    if host == EVERYTHING:
        raise BadArgument(f"--allow-host {text!r}: {EVERYTHING} stands alone", "it opens the machine's whole network")
    ports = DEFAULT_PORTS if port is None else (_port(text, port),)
    block = _block(host)
    if block is not None:
        if block.is_multicast or block.is_unspecified:
            raise BadArgument(f"--allow-host {text!r} is no address that can be connected to", _HINT)
        single = block.num_addresses == 1
        return Rule(host=str(block.network_address) if single else str(block), ports=ports, block=block)
    stars, domain = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    name = canonical(domain)
    if not name:
        raise BadArgument(f"--allow-host {text!r} is not HOST or HOST:PORT", _HINT)
    return Rule(host=stars + name, ports=ports)


def canonical(name: str) -> str:
    """Return a host name as DNS carries it: ASCII, lower case, no dot at its end; "" if it is none."""
    name = name.removesuffix(".")
    try:
        plain = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    plain = plain.lower()
    labels = plain.split(".")
    numeric = labels[-1].isdigit()  # what ends in a number is an address, or somebody's idea of one
    good = len(plain) <= 253 and not numeric and all(_LABEL.fullmatch(label) for label in labels)
    return plain if good else ""


def written(host: str, port: int) -> str:
    """Return what to give ``--allow-host`` for a name or an address; port 0 is one that nobody knows."""
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadArgument(f"--allow-host {text!r}: the bracket is not closed", _HINT)
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None  # with more colons it is an IPv6 address


def _port(text: str, port: str) -> int:
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if not 0 < number < 65536:
        raise BadArgument(f"--allow-host {text!r}: {port!r} is no port", "a port is a number from 1 to 65535")
    return number


def _block(host: str) -> Block | None:
    try:
        return None if "%" in host else ipaddress.ip_network(host)
    except ValueError:
        return None
