"""How a call of one server's tool becomes a call of another's."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that can do the work of another one.

    ``arguments`` maps the parameters of the tool that was asked for to those of this one, ``fixed`` holds what this one
    needs beside them (raw JSON by parameter). ``likeness`` (0 to 1) says how surely both do the same.
    """

    server: str
    tool: str
    arguments: Mapping[str, str] = {}
    fixed: Mapping[str, Raw] = {}
    likeness: float = 0.0

    def rewritten(self, given: Mapping[str, Raw]) -> dict[str, Raw] | None:
        """Return the arguments for this tool; ``None`` where one of those ``given`` has no place in it."""
        if not given.keys() <= self.arguments.keys():
            return None
        return {**self.fixed, **{self.arguments[name]: value for name, value in given.items()}}
