"""Where spans and metrics go."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The base URL of a collector, headers to send along, and what everything is labelled with.

    URL and headers may hold a secret. ``named`` says that the settings name it, not only the environment.
    """

    endpoint: str
    headers: Mapping[str, str] = {}
    resource: Mapping[str, str] = {}
    named: bool = False

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"

    @property
    def shown(self) -> str:
        """The endpoint without what may be a secret in it."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
