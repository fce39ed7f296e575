"""The capability map: what every served server can do, and who can stand in for whom; kept current with the offers.

Nothing of it is on the way of a call. It is made when somebody asks, and of a server whose offer changed only that
server's part is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.config import Config
from vsm_mcp.discovery.wiring import taxonomy
from vsm_mcp.errors import VsmError
from vsm_mcp.events import BreakerOpened, Event, GaveUp, ServerCrashed
from vsm_mcp.matching.tokens import need_stems, stems
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.capability import Capability
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing import actions, arguments, places
from vsm_mcp.routing.capabilities import Classifier, Known
from vsm_mcp.routing.compatibility import Compatibility, Verdict
from vsm_mcp.routing.effects import Seen, seen_of
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.shapes import Reader, Shape, parse_worlds
from vsm_mcp.routing.table import Choice
from vsm_mcp.store import Store

_TABLES: Final = files("vsm_mcp.routing") / "data"
_CALLED: Final = 3  # tags that a query in words is taken for
_AT_ONCE: Final = 20  # tools compared before others have their turn


@cache
def reader() -> Reader:
    """Return what makes capabilities of offers, with the shipped tables. Raises :class:`ConfigError`."""
    return Reader(
        classifier=Classifier(taxonomy(), places.parse(_table("places")), actions.parse(_table("actions"))),
        terms=arguments.parse(_table("arguments")),
    )


def compatibility() -> Compatibility:
    """Return an empty matrix, with the shipped tables. Raises :class:`ConfigError`."""
    return Compatibility(parse_worlds(_table("worlds")))


class Capabilities:
    """Answers ``capabilities``, and says who can stand in for a tool. One loop owns it."""

    def __init__(self, config: Callable[[], Config], fleet: Fleet, store: Store, tasks: asyncio.TaskGroup) -> None:
        self._config = config
        self._fleet = fleet
        self._store = store
        self._tasks = tasks
        self._made: dict[str, tuple[Offer, str]] = {}
        self._found: dict[str, tuple[Capability, ...]] = {}
        self._matrix: Compatibility | None = None
        self._allowed: tuple[int, Mapping[str, Offer]] = (-1, {})
        self._looked = -1
        self._making = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None

    def stand_ins(self, server: str, tool: str) -> tuple[StandIn, ...]:
        """Return who can stand in for a tool of a server, the most alike first; both under their own names.

        Neither waits nor raises. Only what is served now and not denied is returned; of a server whose offer has
        changed and was not looked at yet, nothing: :meth:`warm` has that done in the background.
        """
        self.warm()
        if self._matrix is None or not self._current(server):
            return ()
        return tuple(one for one in self._matrix.stand_ins(server, tool) if self._callable(one.server, one.tool))

    def __call__(self, event: Event) -> None:
        """Be ready where somebody may soon be asked who can stand in."""
        if isinstance(event, (BreakerOpened, GaveUp, ServerCrashed)):
            self.warm()

    def warm(self) -> None:
        """Have what changed looked at in the background; costs next to nothing where nothing did."""
        idle = self._warming is None or self._warming.done()
        if idle and self._looked != self._fleet.revision:
            self._warming = self._tasks.create_task(self._warm())

    async def settle(self) -> None:
        """Look at every server whose offer has changed. Raises :class:`StoreError`."""
        async with self._making:
            if self._matrix is None:
                self._matrix = compatibility()
            for server in self._made.keys() - self._offers().keys():
                self._forget(server)
            revision = self._fleet.revision
            for server in self._due():
                await self._make(server)
            self._looked = revision

    async def capabilities(
        self, query: str = "", server: str = "", stand_ins: bool = False, limit: int = 200
    ) -> dict[str, Any]:
        """Return what the served servers can do, by tag; with a query only what fits it.

        With ``stand_ins`` also who can stand in for each of the tools, and why what is near does not. ``limit`` is how
        many items are shown in all. Raises :class:`UnknownServer`.
        """
        if server:
            self._fleet.get(server)
        await self.settle()
        fitting = list(filter(_fitting(query), self._served(server)))
        items = list(dict.fromkeys((one.server, one.kind, one.name) for one in fitting))
        shown = set(items[:limit])
        kept = [one for one in fitting if (one.server, one.kind, one.name) in shown]
        document = capability_document(kept)
        document["left_out"] = max(0, len(items) - limit)
        if stand_ins:
            document["stand_ins"] = await self._compared([(one[0], one[2]) for one in shown if one[1] is ItemKind.TOOL])
        return document

    async def _warm(self) -> None:
        with contextlib.suppress(VsmError):  # a full disk: nobody stands in until it can be read
            await self.settle()

    def _offers(self) -> Mapping[str, Offer]:
        """Return what is served and may run, by server; worked out anew only after a change."""
        if self._allowed[0] != self._fleet.revision:
            self._allowed = (self._fleet.revision, self._fleet.allowed())
        return self._allowed[1]

    def _due(self) -> list[str]:
        """Return the servers whose offer, or whose trial, is another than the one that was looked at."""
        servers = self._fleet.servers
        return [
            name
            for name, offer in self._offers().items()
            if name not in self._made
            or self._made[name][0] is not offer
            or self._made[name][1] != servers[name].acquisition
        ]

    async def _make(self, name: str) -> None:
        server, offer = self._fleet.servers.get(name), self._offers().get(name)
        if server is None or offer is None:  # gone while another one was looked at
            return
        known = Known(tags=server.tags, seen=_seen(await self._store.evidence.of(server.acquisition)))
        found, shapes = await asyncio.to_thread(_read, name, offer, known)
        self._made[name] = (offer, server.acquisition)
        self._found[name] = found
        if self._matrix is not None:
            self._matrix.put(name, shapes)

    def _forget(self, name: str) -> None:
        self._made.pop(name, None)
        self._found.pop(name, None)
        if self._matrix is not None:
            self._matrix.drop(name)

    def _current(self, name: str) -> bool:
        made = self._made.get(name)
        return made is not None and self._offers().get(name) is made[0]

    def _callable(self, server: str, tool: str) -> bool:
        return self._current(server) and not self._denied(server, tool)

    def _denied(self, server: str, tool: str) -> bool:
        return Choice(denied=self._config().policy.deny_tools).denies(exposed(server, tool))

    def _served(self, server: str) -> Iterator[Capability]:
        for name, found in self._found.items():
            if not server or name == server:
                yield from (one for one in found if one.kind is not ItemKind.TOOL or not self._denied(name, one.name))

    async def _compared(self, tools: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        matrix = self._matrix or compatibility()
        for number, (server, tool) in enumerate(sorted(tools)):
            verdicts = [
                one for one in matrix.compared(server, tool) if self._callable(one.stand_in.server, one.stand_in.tool)
            ]
            if verdicts:
                rows.append(matrix_row(server, tool, verdicts))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return rows


def capability_document(found: Sequence[Capability]) -> dict[str, Any]:
    """Return capabilities by tag, the tags in the order of their names, under each the surest first. Pure."""
    by_tag: dict[str, list[Capability]] = {}
    for one in found:
        by_tag.setdefault(one.tag, []).append(one)
    known, meaning = taxonomy().tags, reader().classifier.places.meaning
    return {
        "capabilities": [
            {
                "tag": tag,
                "definition": known[tag].definition if tag in known else "",
                "items": [_item(one) for one in sorted(by_tag[tag], key=_surest)],
            }
            for tag in sorted(by_tag, key=lambda tag: (not tag, tag))
        ],
        "systems": {system.value: text for system, text in meaning.items()},
    }


def matrix_row(server: str, tool: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return who can stand in for one tool, with the arguments, and why what is near does not. Pure."""
    return {
        "server": server,
        "tool": tool,
        "stand_ins": [
            {
                "server": one.stand_in.server,
                "tool": one.stand_in.tool,
                "likeness": one.stand_in.likeness,
                "arguments": one.stand_in.arguments,
                "absolute": sorted(one.stand_in.absolute),
                "fixed": {name: json.loads(bytes(value)) for name, value in one.stand_in.fixed.items()},
                "unmapped": list(one.unmapped),
            }
            for one in verdicts
            if not one.reasons
        ],
        "near": [
            {
                "server": one.stand_in.server,
                "tool": one.stand_in.tool,
                "likeness": one.stand_in.likeness,
                "reasons": list(one.reasons),
            }
            for one in verdicts
            if one.reasons
        ],
    }


def _item(found: Capability) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(found)
    del shown["tag"]
    named = found.kind in (ItemKind.TOOL, ItemKind.PROMPT)
    return {**shown, "exposed": exposed(found.server, found.name) if named else found.name}


def _surest(found: Capability) -> tuple[float, str, str, str]:
    return -found.confidence, found.server, found.kind, found.name


def _fitting(query: str) -> Callable[[Capability], bool]:
    """Return what says whether a capability is meant: by a tag or an area, or by words.

    Words mean the tags that a need of these words calls for, and the items whose names hold them.
    """
    asked, tags = query.strip(), taxonomy().tags
    named = {tag for tag in tags if tag == asked or tag.startswith(f"{asked}.")}
    if not asked or named:
        return lambda found: not asked or found.tag in named
    wanted = set(need_stems(asked))
    called = {match.name for match in taxonomy().of_need(tuple(wanted))[:_CALLED]}
    return lambda found: found.tag in called or (bool(wanted) and wanted <= set(stems(f"{found.name} {found.server}")))


def _read(name: str, offer: Offer, known: Known) -> tuple[tuple[Capability, ...], tuple[Shape, ...]]:
    made = reader()
    return made.classifier.capabilities(name, offer, known), made.shapes(name, offer, known)


def _seen(records: Sequence[dict[str, Any]]) -> Seen:
    """Return what the last trial of an acquisition saw."""
    bodies = [record["body"] for record in records if record["kind"] == "trial"]
    report = bodies[-1].get("report") if bodies and isinstance(bodies[-1], dict) else None
    if not isinstance(report, dict):
        return Seen()
    try:
        behaviour = msgspec.convert(report.get("behaviour"), type=Behaviour | None)
    except msgspec.ValidationError:  # written by another version
        behaviour = None
    return seen_of(behaviour, contacts=bool(report.get("contacts")))


def _table(name: str) -> str:
    return (_TABLES / f"{name}.toml").read_text("utf-8")
