"""The servers that ``$VSM_MCP_HOME/mcp_servers.json`` asks for: admitted like any other, gone with their entry."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.outcome import Outcome
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config
from vsm_mcp.errors import ConfigError, VsmError
from vsm_mcp.events import ConfigRejected, Emit
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.client_file import Unusable, Wanted, read
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Server
from vsm_mcp.store.secrets import Secrets

FILE: Final = "mcp_servers.json"
ACTOR: Final = "file"
_AT_A_TIME: Final = 2
_OF_THE_ENTRY: Final = ("args", "env", "secrets", "cwd")


class Add(Protocol):
    """Admits a server: :meth:`vsm_mcp.app.application.App.add`."""

    def __call__(self, ref: str, settings: Settings, *, name: str, yes: bool, origin: str) -> Awaitable[Outcome]: ...  # noqa: D102


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be done: names to ``admit``, to ``retire``, and those that somebody else ``taken``."""

    admit: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


def plan(
    wanted: Mapping[str, str], have: Mapping[str, str], tried: Mapping[str, str], unclear: Collection[str] = ()
) -> Plan:
    """Return what follows from what is wanted (name → mark of its entry) and the servers there are (name → origin).

    An origin is empty for a server that no file asked for. What was ``tried`` (name → mark) in vain is not tried again
    until its entry is another. ``unclear`` are servers whose entry cannot be used: they stay as they are.
    """
    return Plan(
        admit=tuple(
            name for name, mark in wanted.items() if have.get(name, "-") not in ("", mark) and tried.get(name) != mark
        ),
        retire=tuple(name for name, origin in have.items() if origin and name not in {*wanted, *unclear}),
        taken=tuple(name for name in wanted if have.get(name) == ""),
    )


class Declared:
    """Keeps the catalogue as the file has it. ``add`` admits, ``remove`` retires in the name of the file."""

    def __init__(
        self,
        config: Callable[[], Config],
        parts: tuple[Fleet, Performer, Secrets],
        add: Add,
        remove: Callable[[str, str], Awaitable[Any]],
        emit: Emit,
    ) -> None:
        self.outcomes: dict[str, dict[str, str]] = {}
        self._config = config
        self._fleet, self._performer, self._secrets = parts
        self._add = add
        self._remove = remove
        self._emit = emit
        self._tried: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def sync(self, *, afresh: bool = False) -> list[dict[str, str]]:
        """Admit what is new in the file, retire what is no more in it; return what became of each entry.

        ``afresh`` tries again what failed. A file that cannot be read changes nothing: :class:`ConfigError`.
        """
        async with self._lock:
            try:
                wanted, unusable = self._read()
            except ConfigError as error:
                action = Action(kind=ActionKind.RELOAD, subject=FILE, actor=ACTOR)
                await self._performer.refused(action, "settings", error.message)
                self._emit(ConfigRejected(file=FILE, reason=error.message))
                raise
            if afresh:
                self._tried.clear()
            await self._follow({each.name: each for each in wanted}, unusable)
            return self.report()

    def report(self) -> list[dict[str, str]]:
        """Return what became of each entry when the file was read last; of those that are there, what they are now."""
        return [self._now(row) for row in self.outcomes.values()]

    def _now(self, row: dict[str, str]) -> dict[str, str]:
        server = self._fleet.servers.get(row["name"])
        if row["outcome"] not in ("served", "quarantined") or server is None:
            return row
        return row if server.quarantined else {**row, "outcome": "served", "reason": ""}

    def _read(self) -> tuple[tuple[Wanted, ...], tuple[Unusable, ...]]:
        config = self._config()
        try:
            text = (config.home / FILE).read_text("utf-8")
        except FileNotFoundError:
            return (), ()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{FILE} cannot be read: {error}", "mend the file or move it away") from error
        return read(text, config.environ, FILE)

    async def _follow(self, wanted: Mapping[str, Wanted], unusable: tuple[Unusable, ...]) -> None:
        marks = {name: self._mark(each) for name, each in wanted.items()}
        have = {name: _origin(server) for name, server in self._fleet.servers.items()}
        todo = plan(marks, have, self._tried, {bad.name for bad in unusable})
        before, self.outcomes = self.outcomes, {}
        for name in todo.retire:
            await self._retired(name)
        for name, each in wanted.items():
            self.outcomes[name] = before.get(name) or self._found(each)
        for name in todo.taken:
            self.outcomes[name] = _row(
                wanted[name].title, name, "unusable", "a server that was added by hand has this name"
            )
        for bad in unusable:
            self.outcomes[f"{bad.title!r}"] = _row(bad.title, "", "unusable", bad.reason)
        gate = asyncio.Semaphore(_AT_A_TIME)
        await asyncio.gather(*(self._admitted(wanted[name], marks[name], gate) for name in todo.admit))

    def _found(self, wanted: Wanted) -> dict[str, str]:
        server = self._fleet.servers.get(wanted.name)
        held = server is not None and server.quarantined
        return _row(wanted.title, wanted.name, "quarantined" if held else "served")

    async def _admitted(self, wanted: Wanted, mark: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            self.outcomes[wanted.name] = _row(wanted.title, wanted.name, "pending")
            old = self._fleet.servers.get(wanted.name)
            same = old is not None and old.ref.identity == parse_ref(wanted.ref).identity
            settings = _kept(old, wanted.settings) if old is not None and same else wanted.settings
            try:
                outcome = await self._add(wanted.ref, settings, name=wanted.name, yes=True, origin=mark)
            except VsmError as error:
                self._tried[wanted.name] = mark
                self.outcomes[wanted.name] = _row(wanted.title, wanted.name, "failed", error.message)
                return
            if outcome.outcome not in ("served", "quarantined"):
                self._tried[wanted.name] = mark
            reason = outcome.reason.message if outcome.reason else ""
            self.outcomes[wanted.name] = _row(wanted.title, wanted.name, outcome.outcome, reason)

    async def _retired(self, name: str) -> None:
        try:
            await self._remove(name, ACTOR)
        except VsmError as error:
            self.outcomes[name] = _row(name, name, "failed", f"it could not be removed: {error.message}")

    def _mark(self, wanted: Wanted) -> str:
        """Return what tells one entry from another: keyed, for its secrets are in it."""
        text = msgspec.json.encode(wanted, order="deterministic")
        return f"{FILE} {hmac.new(self._secrets.own_key(), text, hashlib.sha256).hexdigest()[:32]}"


def _kept(old: Server, settings: Settings) -> Settings:
    """Return the settings of an entry with what a person gave the server besides: the form knows no permissions."""
    return msgspec.structs.replace(old.settings, **{field: getattr(settings, field) for field in _OF_THE_ENTRY})


def _origin(server: Server) -> str:
    """Return the mark of the entry that asked for a server; what came with a kit counts as added by hand."""
    return server.origin if server.origin.startswith(FILE) else ""


def _row(title: str, name: str, outcome: str, reason: str = "") -> dict[str, str]:
    return {"title": title, "name": name, "outcome": outcome, "reason": reason}


class Rereading:
    """``vsm-mcp reload``: the settings, then the servers that are asked for."""

    def __init__(self, reload: Callable[[], Awaitable[dict[str, Any]]], declared: Declared) -> None:
        self._reload = reload
        self._declared = declared

    async def reload(self) -> dict[str, Any]:
        """Read both files again. Raises :class:`ConfigError`; what is in that file stays in force as it was then."""
        document = await self._reload()
        return {**document, "mcp_servers": await self._declared.sync(afresh=True)}
