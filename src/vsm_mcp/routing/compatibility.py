"""Which tool of another server can stand in for one, and why others cannot.

The relation is not symmetric: what answers in place of a tool must take every call that it takes, give what it
promises, and change no more than it does. Rather none than a wrong one: a false stand-in sends a user's data to a tool
that the user did not mean.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from vsm_mcp.matching.tokens import weight_of
from vsm_mcp.model.capability import Effects, Known
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.arguments import Plan, plan
from vsm_mcp.routing.schemas import accepts
from vsm_mcp.routing.shapes import Shape, Worlds

LEAST_LIKENESS: Final = 0.7
"""Below it a tool stands in for no other. Chosen by ``benchmarks/stand_ins.py``: the least that gave no wrong one."""

NEAR: Final = 0.5
"""Above it a tool is near enough to another that a person may ask why it does not stand in."""

MOST_COMPARED: Final = 200
"""With so many tools of one kind a tool is compared in full: those that share most of its words."""

_WEIGHTS: Final = (0.45, 0.3, 0.25)  # of names, purposes, parameters

_IN_PURPOSE: Final = 0.7

Block = tuple[str, str]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of comparing one tool with another: it can stand in where ``reasons`` is empty.

    ``unmapped`` are parameters that need not be given; a call that uses one cannot be handed on.
    """

    stand_in: StandIn
    reasons: tuple[str, ...]
    unmapped: tuple[str, ...] = ()


def judge(own: Shape, other: Shape, worlds: Worlds, *, least: float = LEAST_LIKENESS) -> Verdict:
    """Say whether ``other`` can stand in for ``own``; they have to be alike by ``least``."""
    mapped = plan(own.parameters or (), other.parameters or ())
    likeness = alike(own, other, mapped)
    reasons = [
        *_different(own, other, worlds),
        *_worse(own, other),
        *mapped.missing,
        *_careless(own, mapped),
        *_answers_otherwise(own, other),
    ]
    if likeness < least:
        reasons.append(f"what both say of themselves is not alike enough ({likeness:.2f} < {least:.2f})")
    stand_in = StandIn(
        server=other.server,
        tool=other.tool,
        arguments=mapped.arguments,
        fixed={name: msgspec.Raw(value) for name, value in mapped.fixed.items()},
        absolute=mapped.absolute,
        likeness=round(likeness, 3),
    )
    return Verdict(stand_in=stand_in, reasons=tuple(reasons), unmapped=mapped.unmapped)


def alike(own: Shape, other: Shape, mapped: Plan) -> float:
    """Return how alike two tools are (0…1): by their names, the beginnings of their descriptions, their parameters."""
    mine, theirs = own.parameters or (), other.parameters or ()
    weights = {True: 1.0, False: 0.25}
    taken = set(mapped.arguments.values()) | set(mapped.fixed)
    all_ = sum(weights[one.required] for one in (*mine, *theirs))
    both = sum(weights[one.required] for one in mine if one.name in mapped.arguments)
    both += sum(weights[one.required] for one in theirs if one.name in taken)
    parameters = both / all_ if all_ else 1.0
    return _said_alike(own, other) + _WEIGHTS[2] * parameters


class Compatibility:
    """The tools of all servers, and which can stand in for which: worked out when asked, kept while nothing changes.

    A change of one server's offer touches only the blocks (a tag and an action) that its tools are in.
    """

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self._shapes: dict[str, dict[str, Shape]] = {}
        self._blocks: dict[Block, dict[tuple[str, str], Shape]] = {}
        self._changes: dict[Block, int] = {}
        self._kept: dict[tuple[str, str], tuple[tuple[int, ...], tuple[Verdict, ...]]] = {}

    def put(self, server: str, shapes: Iterable[Shape]) -> None:
        """Take in the tools of a server, in place of those that it had."""
        self.drop(server)
        self._shapes[server] = {shape.tool: shape for shape in shapes}
        for shape in self._shapes[server].values():
            for block in self._blocks_of(shape):
                self._blocks.setdefault(block, {})[shape.key] = shape
                self._changes[block] = self._changes.get(block, 0) + 1

    def drop(self, server: str) -> None:
        """Forget a server."""
        for shape in self._shapes.pop(server, {}).values():
            self._kept.pop(shape.key, None)
            for block in self._blocks_of(shape):
                self._blocks[block].pop(shape.key, None)
                self._changes[block] += 1
                if not self._blocks[block]:
                    del self._blocks[block]

    def tools(self, server: str) -> tuple[str, ...]:
        """Return the names of a server's tools."""
        return tuple(self._shapes.get(server, ()))

    def stand_ins(self, server: str, tool: str) -> tuple[StandIn, ...]:
        """Return who can stand in for a tool, the most alike first; nobody for a tool that is not known."""
        return tuple(verdict.stand_in for verdict in self.compared(server, tool) if not verdict.reasons)

    def compared(self, server: str, tool: str) -> tuple[Verdict, ...]:
        """Return what came of comparing a tool with all of its kind: first who can stand in, then the nearest."""
        own = self._shapes.get(server, {}).get(tool)
        if own is None:
            return ()
        at = tuple(self._changes.get(block, 0) for block in self._blocks_of(own))
        kept = self._kept.get(own.key)
        if kept is None or kept[0] != at:
            close = (other for other in self._candidates(own) if _said_alike(own, other) >= NEAR - _WEIGHTS[2])
            verdicts = [judge(own, other, self.worlds) for other in close]
            near = [one for one in verdicts if one.stand_in.likeness >= NEAR]
            kept = self._kept[own.key] = (at, tuple(sorted(near, key=_order)))
        return kept[1]

    def _candidates(self, own: Shape) -> Collection[Shape]:
        found = {
            key: other
            for block in self._blocks_of(own)
            for key, other in self._blocks.get(block, {}).items()
            if other.server != own.server
        }
        if len(found) <= MOST_COMPARED:
            return found.values()
        return heapq.nlargest(MOST_COMPARED, found.values(), key=lambda other: _shared_words(own, other))

    def _blocks_of(self, shape: Shape) -> list[Block]:
        return [(tag, shape.action) for tag in shape.tags]


def _order(verdict: Verdict) -> tuple[bool, float, str, str]:
    stand_in = verdict.stand_in
    return bool(verdict.reasons), -stand_in.likeness, stand_in.server, stand_in.tool


def _shared_words(own: Shape, other: Shape) -> tuple[float, tuple[str, str]]:
    return 2.0 * len(own.objects & other.objects) + len(own.purpose & other.purpose), other.key


def _different(own: Shape, other: Shape, worlds: Worlds) -> Iterator[str]:
    """Yield why two tools do not do the same."""
    both = own.tags.keys() & other.tags.keys()
    if not both:
        yield "they have no capability in common"
    elif not all(_best(side.tags) in worlds.shared for side in (own, other)) or not both & worlds.shared:
        yield "it works on something of its own server"
    elif own.parameters == () and not both & worlds.asked_nothing:
        yield "it is asked nothing, so it tells of its own server"
    if own.action != other.action:
        yield f"the one is to {own.action or 'do something'}, the other to {other.action or 'do something'}"
    if own.parameters is None or other.parameters is None:
        yield "the schema of its arguments cannot be compared"
    for one, another in ((own, other), (other, own)):
        foreign = sorted(one.objects - another.told)
        if foreign:
            yield f"{one.tool} is about {', '.join(foreign)}, of which {another.tool} says nothing"


def _worse(own: Shape, other: Shape) -> Iterator[str]:
    """Yield what the other may do that this one may not."""
    mine, theirs = own.effects, other.effects
    if mine.read_only.value and not theirs.read_only.value:
        yield _said("may change something", theirs, "read_only")
    if not mine.destructive.value and theirs.destructive.value and not mine.read_only.value:
        yield _said("may destroy something", theirs, "destructive")
    if mine.idempotent.value and not theirs.idempotent.value and not mine.read_only.value:
        yield _said("may do it twice where it is asked twice", theirs, "idempotent")
    if not mine.open_world.value and theirs.open_world.value:
        yield _said("may reach the outside", theirs, "open_world")


def _careless(own: Shape, mapped: Plan) -> Iterator[str]:
    """Yield the switches of a tool that writes (``overwrite``, ``dry_run``) that the other has not.

    Left out they stand for caution, of which the other knows nothing.
    """
    for parameter in own.parameters or ():
        switch = any(part.get("type") == "boolean" for part in parameter.schema)
        if own.writes and switch and parameter.name in mapped.unmapped:
            yield f"it writes without the choice that {parameter.name} gives"


def _said(what: str, effects: Effects, name: str) -> str:
    known = getattr(effects, name).known
    return f"it {what} ({'nobody says otherwise' if known is Known.NOTHING else f'by its {known}'})"


def _answers_otherwise(own: Shape, other: Shape) -> Iterator[str]:
    if own.output is None:
        return
    if other.output is None:
        yield "it does not promise the structure that this one's answers have"
    elif not accepts(other.output, own.output):
        yield "its answers have another structure"


def _said_of(one: Shape, other: Shape) -> float:
    """Return how much of what the name of one tool holds the other is about (0…1): in its name, or in its purpose."""
    shares = [1.0 if stem in other.objects else _IN_PURPOSE * (stem in other.purpose) for stem in one.objects]
    return sum(shares) / len(shares) if shares else 1.0


def _said_alike(own: Shape, other: Shape) -> float:
    """Return how alike the words of two tools are: their part of :func:`alike`."""
    names = (_said_of(own, other) + _said_of(other, own)) / 2.0
    return _WEIGHTS[0] * names + _WEIGHTS[1] * _overlap(own.purpose, other.purpose)


def _best(tags: Mapping[str, float]) -> str:
    return next(iter(tags), "")


def _overlap(one: Collection[str], other: Collection[str]) -> float:
    """Return how much of the words of both is in both; words that say little weigh less."""
    mine, theirs = frozenset(one), frozenset(other)
    every = sum(map(weight_of, mine | theirs))
    return sum(map(weight_of, mine & theirs)) / every if every else 1.0
