"""The record of what was reached for: bounded, whatever a program does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from vsm_mcp.model.contact import Contact

MOST: Final = 256
_SHOWN: Final = 253  # as long as a name may be
_SILENT_SECONDS: Final = 60.0

Note = Callable[[Contact], None]


class Contacts:
    """At most 256 destinations, each with its count; what comes after them is only counted (:attr:`more`)."""

    def __init__(self) -> None:
        self.more = 0
        self._seen: dict[tuple[str, int, bool, str], Contact] = {}
        self._told: dict[tuple[str, int, bool, str], float] = {}

    def add(self, contact: Contact, now: float) -> bool:
        """Take note; return whether it is news: seen for the first time, or not told of for a minute."""
        host, reason = _shown(contact.host), _shown(contact.reason)
        key = (host, contact.port, contact.allowed, reason)
        known = self._seen.get(key)
        if known is None and len(self._seen) >= MOST:
            self.more += 1
            return False
        count, first = (known.count + 1, known.first) if known else (1, now)
        self._seen[key] = msgspec.structs.replace(
            contact, host=host, reason=reason, grant=_shown(contact.grant), count=count, first=first, last=now
        )
        news = known is None or now - self._told[key] >= _SILENT_SECONDS
        if news:
            self._told[key] = now
        return news

    def all(self) -> tuple[Contact, ...]:
        """Return the destinations, those seen first at the beginning."""
        return tuple(self._seen.values())


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
