"""The registry's own word on the best-looking candidates, fetched when it is needed.

All are asked at once under one deadline. What does not come in time stays as it was, and the report says so; a
package that its registry does not know is dropped, because nobody could install it; where the same server is known
under another reference, that takes its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from vsm_mcp.discovery.merge import join
from vsm_mcp.discovery.packument import npm_facts, pypi_facts
from vsm_mcp.discovery.screen import clean, screen
from vsm_mcp.errors import NotFound, VsmError
from vsm_mcp.events import Emit, SourceAnswered, ignore
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import RefKind

SOURCE = "registry"


class Registries(Protocol):
    """What is needed of the registries: metadata of one package; any :class:`VsmError` when it cannot be had."""

    async def npm_package(self, name: str) -> Mapping[str, Any]:
        """Return a packument (npm registry API)."""

    async def pypi_project(self, name: str) -> Mapping[str, Any]:
        """Return a project's metadata (PyPI JSON API)."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates, described as far as the registry answered, in the order they came; what did not work.

    ``state`` is ok (all answered), stale (some), unavailable (none) or off (nothing to ask).
    """

    candidates: tuple[Candidate, ...]
    state: str
    asked: int
    answered: int
    unknown: tuple[str, ...] = ()
    detail: str = ""


async def describe(
    candidates: Sequence[Candidate], registries: Registries, *, best: int, deadline: float, emit: Emit = ignore
) -> Described:
    """Describe the first ``best`` candidates within ``deadline`` seconds. Never raises for what a registry does."""
    began = time.perf_counter()
    asked = [each for each in candidates[:best] if each.ref.kind in (RefKind.NPM, RefKind.PYPI)]
    tasks = {each.ref.identity: asyncio.ensure_future(_one(each, registries)) for each in asked}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=deadline)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    outcomes = {identity: _outcome(task) for identity, task in tasks.items()}
    described = _result(candidates, outcomes)
    emit(
        SourceAnswered(
            source=SOURCE,
            state=described.state,
            count=described.answered,
            seconds=time.perf_counter() - began,
            detail=described.detail,
        )
    )
    return described


def _outcome(task: asyncio.Task[Candidate | None]) -> Candidate | str | None:
    """Return the described candidate, ``None`` for one its registry does not know, or why there is no answer."""
    if task.cancelled():
        return "no answer in time"
    error = task.exception()
    if isinstance(error, VsmError):
        return clean(error.message, 200)
    return f"{type(error).__name__}" if error is not None else task.result()


def _result(candidates: Sequence[Candidate], outcomes: Mapping[str, Candidate | str | None]) -> Described:
    kept: list[Candidate] = []
    for each in candidates:
        outcome = outcomes.get(each.ref.identity, "")
        if isinstance(outcome, Candidate):
            kept.append(outcome)
        elif outcome is not None or each.installed:
            kept.append(each)
        elif each.others:
            kept.append(_next(each))
    unknown = tuple(sorted(identity for identity, outcome in outcomes.items() if outcome is None))
    failed = sorted({outcome for outcome in outcomes.values() if isinstance(outcome, str)})
    answered = sum(not isinstance(outcome, str) for outcome in outcomes.values())
    state = "off" if not outcomes else "ok" if answered == len(outcomes) else "stale" if answered else "unavailable"
    return Described(
        candidates=tuple(kept),
        state=state,
        asked=len(outcomes),
        answered=answered,
        unknown=unknown,
        detail="; ".join(failed[:2]),
    )


def _next(candidate: Candidate) -> Candidate:
    """The same server under its next reference: its registry does not know the first one."""
    first, *others = candidate.others
    return msgspec.structs.replace(first, others=tuple(others), relevance=candidate.relevance)


async def _one(candidate: Candidate, registries: Registries) -> Candidate | None:
    """Return the candidate joined with its registry's word; ``None`` when the registry does not know it."""
    try:
        if candidate.ref.kind is RefKind.NPM:
            told = npm_facts(candidate.ref, await registries.npm_package(candidate.ref.name))
        else:
            told = pypi_facts(candidate.ref, await registries.pypi_project(candidate.ref.name))
    except NotFound:
        return None
    screened = screen(told, SOURCE)
    if screened is None:
        return candidate
    joined = join(candidate, screened)
    return msgspec.structs.replace(joined, ref=candidate.ref, relevance=candidate.relevance, others=candidate.others)
