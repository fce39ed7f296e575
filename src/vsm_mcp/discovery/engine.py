"""All sources asked at once; what they say screened, merged, compared with the need.

A source that fails, hangs, lies or answers late costs the others nothing: it is given up at its deadline, its answer
is screened item by item, and its state is published and returned.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from vsm_mcp.discovery.merge import merge
from vsm_mcp.discovery.screen import clean, screen
from vsm_mcp.discovery.source import Knowing, Source, SourceOff, SourceState
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, SourceAnswered, ignore
from vsm_mcp.matching.relevance import THRESHOLD, Matcher, Thing
from vsm_mcp.matching.wording import ToolText, of_tool
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import Ref

_DETAIL_LENGTH: Final = 200
_MOST_TOOLS: Final = 32  # of one candidate are read for what they say they do
_NEAREST, _NEAR = 3, 0.2  # so many of what does not meet the need are named, if they are at least so relevant
_ABANDONED: Final[set[asyncio.Task[list[Candidate]]]] = set()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to discover.

    ``per_source`` candidates are asked of each source, and ``limit`` returned: more than are shown, because the most
    relevant are not yet the best (evaluation says which are). ``timeout`` (seconds) is for each source, ``deadline``
    for all that is asked of them. Candidates below ``threshold`` (relevance, 0…1) are dropped. With ``offline`` sources
    that say they are ``remote`` are not asked.
    """

    limit: int = 100
    per_source: int = 48
    timeout: float = 5.0
    deadline: float = 8.0
    threshold: float = THRESHOLD
    offline: bool = False


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one source answered: how many usable candidates, how many it gave that were refused, after how long."""

    source: str
    state: SourceState
    count: int
    refused: int
    seconds: float
    detail: str = ""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """Candidates that could meet the need, most relevant first; how each source answered; how many fell below.

    ``nearest`` are the best of those below the threshold that have something to do with the need.
    """

    candidates: tuple[Candidate, ...]
    reports: tuple[SourceReport, ...]
    below: int = 0
    nearest: tuple[Candidate, ...] = ()


async def discover(
    need: str, sources: Sequence[Source], matcher: Matcher, options: Options | None = None, emit: Emit = ignore
) -> Discovered:
    """Ask all ``sources`` for a ``need``. Never raises for what a source does, and waits until the deadline at most."""
    options = options or Options()
    until = time.perf_counter() + options.deadline
    options = msgspec.structs.replace(options, timeout=min(options.timeout, options.deadline))
    answers = await asyncio.gather(*(_ask(source, need, options, emit) for source in sources))
    found = merge(candidate for candidates, _ in answers for candidate in candidates)
    left = max(0.0, min(options.timeout, until - time.perf_counter()))
    found = await _complete(found, sources, msgspec.structs.replace(options, timeout=left))
    rated = rate(need, found, matcher)
    fit = [candidate for candidate in rated if candidate.relevance >= options.threshold]
    below = rated[len(fit) :]
    return Discovered(
        candidates=tuple(fit[: options.limit]),
        reports=tuple(report for _, report in answers),
        below=len(below),
        nearest=tuple(candidate for candidate in below[:_NEAREST] if candidate.relevance >= _NEAR),
    )


def rate(need: str, candidates: Iterable[Candidate], matcher: Matcher) -> list[Candidate]:
    """Return the candidates with their ``relevance`` for the need, most relevant first."""
    read = matcher.need(need)
    found = list(candidates)
    matches = matcher.rate(read, [thing(each) for each in found])
    rated = [
        msgspec.structs.replace(each, relevance=match.score, capabilities=dict(match.capabilities), answers=match.tags)
        for each, match in zip(found, matches, strict=True)
    ]
    return sorted(rated, key=lambda each: (-each.relevance, not each.curated, each.ref.identity))


def thing(candidate: Candidate) -> Thing:
    """Return what the matcher compares with a need: where a reference says little, what its others say counts."""
    description, text = candidate.description, candidate.text
    for other in candidate.others:
        description, text = description or other.description, text or other.text
    name, terms, key = candidate.ref.name, f"{candidate.name} {candidate.terms}", candidate.ref.identity
    tools = tuple([called for called, _ in candidate.known_tools])
    does = tuple([of_tool(ToolText("", *tool)) for tool in candidate.known_tools[:_MOST_TOOLS] if tool[1]])
    return Thing(name, description, candidate.tags, terms, text, key, tools, does=does)


async def _ask(source: Source, need: str, options: Options, emit: Emit) -> tuple[list[Candidate], SourceReport]:
    began = time.perf_counter()
    name = clean(str(source.name), 60)
    candidates: list[Candidate] = []
    refused, detail, state = 0, "", SourceState.UNAVAILABLE
    try:
        if options.offline and getattr(source, "remote", False):
            raise SourceOff("not asked: the search stays offline")
        answer = await _within(options, source, need)
        candidates, refused = _usable(answer, name, options.per_source)
        state = SourceState(source.state)
        said = clean(str(getattr(source, "detail", "")), _DETAIL_LENGTH)
        detail = "; ".join(filter(None, (said, f"{refused} unusable" if refused else "")))
    except SourceOff as off:
        state, detail = SourceState.OFF, off.message
    except TimeoutError:
        detail = f"no answer within {options.timeout:g} s"
    except VsmError as error:
        detail = error.message
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; it stays with it
        detail = f"{type(error).__name__}: {error}"
    seconds, detail = time.perf_counter() - began, clean(detail, _DETAIL_LENGTH)
    emit(SourceAnswered(source=name, state=state, count=len(candidates), seconds=seconds, detail=detail))
    report = SourceReport(
        source=name, state=state, count=len(candidates), refused=refused, seconds=seconds, detail=detail
    )
    return candidates, report


async def _within(options: Options, source: Source, need: str) -> list[Candidate]:
    """Await a source's answer; at the deadline it is cancelled but not waited for: it may not heed that."""
    task = asyncio.ensure_future(source.search(need, options.per_source))
    try:
        done, _ = await asyncio.wait({task}, timeout=options.timeout)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise TimeoutError
    if task.cancelled():
        raise TimeoutError
    return task.result()


def _abandon(task: asyncio.Task[list[Candidate]]) -> None:
    task.cancel()
    _ABANDONED.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[list[Candidate]]) -> None:
    _ABANDONED.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody is warned of an error that has no reader any more


def _usable(answer: object, source: str, limit: int) -> tuple[list[Candidate], int]:
    if not isinstance(answer, (list, tuple)):
        raise TypeError(f"answered with {type(answer).__name__}, not with a list")
    screened = [screen(item, source) for item in answer[:limit]]
    usable = [candidate for candidate in screened if candidate is not None]
    return usable, len(answer) - len(usable)


async def _complete(found: list[Candidate], sources: Sequence[Source], options: Options) -> list[Candidate]:
    """Ask the sources that can tell about what only others found: a curated server's downloads are in the index."""
    every = [member for each in found for member in (each, *each.others)]
    knowing = [
        source
        for source in sources
        if isinstance(source, Knowing) and not (options.offline and getattr(source, "remote", False))
    ]
    lacking = {source.name: [each.ref for each in every if source.name not in each.sources] for source in knowing}
    more = await asyncio.gather(*(_about(source, lacking[source.name], options) for source in knowing))
    known = {each.ref.identity for each in every}
    return merge([*found, *(each for some in more for each in some if each.ref.identity in known)])


async def _about(source: Knowing, refs: list[Ref], options: Options) -> list[Candidate]:
    if not refs:
        return []
    try:
        answer = await asyncio.wait_for(source.about(refs), options.timeout)
        return _usable(answer, source.name, len(refs))[0]
    except Exception:  # noqa: BLE001 - an extra that fails leaves the candidates as they are
        return []
