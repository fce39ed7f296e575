"""The parts of the store, opened together."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from vsm_mcp.errors import HomeError
from vsm_mcp.store.cache import Cache, Demand
from vsm_mcp.store.database import Database
from vsm_mcp.store.experience import Experiences
from vsm_mcp.store.health import Remembered
from vsm_mcp.store.journal import Evidence, Journal
from vsm_mcp.store.keys import Keys
from vsm_mcp.store.previous import Previous
from vsm_mcp.store.sagas import Sagas
from vsm_mcp.store.secrets import Secrets
from vsm_mcp.store.servers import Servers
from vsm_mcp.store.tool_experience import ToolExperiences


class Store:
    """Everything a home remembers. ``async with Store(home) as store``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "state.db"
        self._database = Database(self.path)
        self.servers = Servers(self._database)
        self.previous = Previous(self._database)
        self.sagas = Sagas(self._database)
        self.journal = Journal(self._database)
        self.evidence = Evidence(self._database)
        self.cache = Cache(self._database)
        self.demand = Demand(self._database)
        self.experience = Experiences(self._database)
        self.tool_experience = ToolExperiences(self._database)
        self.health = Remembered(self._database)
        self.keys = Keys(self._database)
        self.secrets = Secrets(home)

    async def __aenter__(self) -> Self:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"{self.home} cannot be made: {error.strerror}", "set VSM_MCP_HOME to a folder you may write to"
            ) from error
        await self._database.open()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._database.close()
