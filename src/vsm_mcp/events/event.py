"""The root of all events, and what takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Root of all events; the tag is the class name."""

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready primitives, tag included."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


Emit = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Drop an event: the ``emit`` of whoever has no listener."""
