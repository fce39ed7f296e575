"""From a name to its addresses, outside of the sandbox."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, Protocol

from vsm_mcp.sandbox.egress.rules import Address

_AT_ONCE: Final = 8


class Resolve(Protocol):
    """Finds the addresses of a name."""

    async def __call__(self, name: str, /) -> list[Address]:
        """Return them, the one to try first at the beginning. Raises :class:`OSError`."""
        ...


async def system(name: str) -> list[Address]:
    """Ask this machine's own resolver, on threads of its own: a slow answer may delay nobody but another question."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_threads(), _ask, name)
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return [ipaddress.ip_address(text) for text in texts]


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="resolve")


def _ask(name: str) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))


def own(address: Address) -> bool:
    """Whether an address belongs to this machine: it can be bound, then."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
