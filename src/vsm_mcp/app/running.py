"""Starting, stopping and asking servers: what people and agents may do to what runs, each server by the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.server import Server
from vsm_mcp.runtime import bulk as together
from vsm_mcp.runtime import order, validation
from vsm_mcp.runtime.supervisor import Bulk, Runtime

_KINDS: Final[dict[Bulk, ActionKind]] = {
    "start": ActionKind.START,
    "stop": ActionKind.STOP,
    "restart": ActionKind.RESTART,
}
RUNNING: Final = frozenset({"start", "stop", "restart", "bulk"})
"""The operations of the control API that are :class:`Running`'s."""


def _nobody(_name: str) -> None:
    """Tell nobody."""


class Running:
    """The operations on what runs. ``action`` names one for the policy, ``state`` shows a server afterwards.

    ``begun`` is told of a server that somebody starts or restarts.
    """

    def __init__(
        self,
        fleet: Fleet,
        runtime: Runtime,
        performer: Performer,
        action: Callable[[ActionKind, Server], Action],
        state: Callable[[str], dict[str, Any]],
    ) -> None:
        self._fleet = fleet
        self._runtime = runtime
        self._performer = performer
        self._action = action
        self._state = state
        self.begun: Callable[[str], None] = _nobody

    def check(self, settings: Settings, name: str, ref: Ref | None = None) -> None:
        """Raise :class:`BadArgument`, naming the field, unless a server can be run with these settings.

        ``name`` may be empty: then it is that of the server there is of ``ref``, or a new one.
        """
        validation.check(settings, remote=ref is not None and ref.kind is RefKind.REMOTE)
        servers = self._fleet.servers
        for other in settings.after:
            if other not in servers:
                raise BadArgument(f"after: no server is called {other!r}", "add that one first")
        self._check_replica(settings, name)
        same = [
            known
            for known, server in servers.items()
            if ref and (server.ref.kind, server.ref.name) == (ref.kind, ref.name)
        ]
        whose = name or (same[0] if same else "")
        order.waits((), {known: server.settings.after for known, server in servers.items()} | {whose: settings.after})

    def _check_replica(self, settings: Settings, name: str) -> None:
        of, servers = settings.replica_of, self._fleet.servers
        if not of:
            return
        if of not in servers:
            raise BadArgument(f"replica_of: no server is called {of!r}", "add that one first")
        if of == name or servers[of].settings.replica_of:
            other = servers[of].settings.replica_of or "another one"
            raise BadArgument(f"replica_of: {of} cannot have replicas", f"name the first of its kind: {other}")
        theirs = [known for known, server in servers.items() if name and server.settings.replica_of == name]
        if theirs:
            raise BadArgument(f"replica_of: {name} has replicas itself: {', '.join(theirs)}", "name it as theirs")

    async def start(self, name: str) -> dict[str, Any]:
        """Start a server and wait until it is ready."""
        return await self._run("start", name)

    async def stop(self, name: str) -> dict[str, Any]:
        """Stop a server; a call starts it again."""
        return await self._run("stop", name)

    async def restart(self, name: str) -> dict[str, Any]:
        """Stop a server and start it."""
        return await self._run("restart", name)

    async def bulk(
        self, what: Bulk, names: Iterable[str] = (), everything: bool = False, at_once: int = 0
    ) -> dict[str, Any]:
        """Start, stop, restart or ask several servers (or ``everything``), some at a time; a result for each.

        Raises :class:`BadArgument` when nothing is named, and when their order goes round in a circle.
        """
        chosen = tuple(names)
        if not chosen and not everything:
            raise BadArgument("no server is named", "name some, or say --all")
        before = self._runtime.before(None if everything else chosen, reverse=what == "stop")

        async def act(name: str) -> str:
            return await self._performed(what, name)

        results = await together.each(before, act, at_once or together.AT_ONCE)
        failed = sum(not result.ok for result in results)
        return {"action": what, "results": [msgspec.to_builtins(result) for result in results], "failed": failed}

    async def _run(self, what: Bulk, name: str) -> dict[str, Any]:
        await self._performed(what, name)
        return self._state(name)

    async def _performed(self, what: Bulk, name: str) -> str:
        """Do it to one server, if the policy allows; looking at one asks nobody."""
        server, deed = self._fleet.get(name), self._runtime.deeds[what]
        kind = _KINDS.get(what)
        if kind is None:
            return await deed(name)

        async def doing() -> str:
            if kind is not ActionKind.STOP:
                self.begun(name)
            return await deed(name)

        return await self._performer.perform(self._action(kind, server), doing)
