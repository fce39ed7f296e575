"""Which kit a server came with, and servers written down for other programs."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.model.kit import entry_of
from vsm_mcp.model.server import Server
from vsm_mcp.store.secrets import Secrets

_MARK: Final = "kit "


def mark(kit: str) -> str:
    """Return the origin of a server that comes with a kit; empty for none."""
    return f"{_MARK}{kit}" if kit else ""


def kit_of(server: Server) -> str:
    """Return the kit that a server came with; empty for none."""
    return server.origin.removeprefix(_MARK) if server.origin.startswith(_MARK) else ""


class Exporter:
    """Answers ``export``."""

    def __init__(self, fleet: Fleet, secrets: Secrets) -> None:
        self._fleet = fleet
        self._secrets = secrets

    async def export(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return servers (all where none is named) as entries of a kit, without their secrets.

        Raises :class:`UnknownServer`.
        """
        servers = [self._fleet.get(name) for name in names or sorted(self._fleet.servers)]
        return {"servers": {each.name: entry_of(each, sorted(self._secrets.of(each.acquisition))) for each in servers}}
