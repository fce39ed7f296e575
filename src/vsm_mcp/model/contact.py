"""What a server reached for over the network, and whether it got it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One destination of one server, as often as it was tried.

    ``host`` is the name it asked for, or an address where it used none; ``port`` is 0 where only a name was looked up.
    ``reason`` says why it was not allowed or, if it was, why nobody answered; ``grant`` is the value of
    ``--allow-host`` that would allow it, where one would. ``first`` and ``last`` are Unix times.
    """

    host: str
    port: int
    allowed: bool
    reason: str = ""
    grant: str = ""
    count: int = 1
    first: float = 0.0
    last: float = 0.0


def merged(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """Return each destination once, with all its tries."""
    found: dict[tuple[str, int, bool, str], Contact] = {}
    for contact in contacts:
        key = (contact.host, contact.port, contact.allowed, contact.reason)
        known = found.get(key, contact)
        found[key] = msgspec.structs.replace(
            contact,
            count=contact.count + (known.count if key in found else 0),
            first=min(known.first, contact.first),
            last=max(known.last, contact.last),
        )
    return tuple(found.values())
