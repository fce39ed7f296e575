"""How a call of one server's tool becomes a call of another's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*://")


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that can do the work of another one.

    ``arguments`` maps the parameters of the tool that was asked for to those of this one, ``fixed`` holds what this one
    is given where a call does not say it (raw JSON by parameter). ``absolute`` are parameters that name files: a
    relative path is another file to another server. ``likeness`` (0 to 1) says how surely both do the same.
    """

    server: str
    tool: str
    arguments: Mapping[str, str] = {}
    fixed: Mapping[str, Raw] = {}
    absolute: frozenset[str] = frozenset()
    likeness: float = 0.0

    def rewritten(self, given: Mapping[str, Raw]) -> dict[str, Raw] | None:
        """Return the arguments for this tool; ``None`` where one of those ``given`` has no place in it."""
        if not given.keys() <= self.arguments.keys():
            return None
        if not all(_absolute(given[name]) for name in self.absolute & given.keys()):
            return None
        return {**self.fixed, **{self.arguments[name]: value for name, value in given.items()}}


def _absolute(raw: Raw) -> bool:
    """Return whether a value names a place by itself: an absolute path, an address, a list of such."""
    value = msgspec.json.decode(raw)
    values = value if isinstance(value, list) else [value]
    return all(isinstance(one, str) and _ABSOLUTE.match(one) for one in values)
