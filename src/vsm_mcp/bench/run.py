"""One whole measurement, from nothing to its document and back to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from vsm_mcp.bench import own
from vsm_mcp.bench.conversation import Connect, Conversation
from vsm_mcp.bench.document import Observed, document, machine
from vsm_mcp.bench.figures import judge, summarize
from vsm_mcp.bench.http_line import HttpLine, Place
from vsm_mcp.bench.measure import measure, rest
from vsm_mcp.bench.meter import listening_on
from vsm_mcp.bench.plan import Plan
from vsm_mcp.bench.programs import ECHO_HTTP
from vsm_mcp.bench.question import EchoQuestion, Question, echo_among
from vsm_mcp.bench.stage import Stage
from vsm_mcp.bench.subject import Subject
from vsm_mcp.bench.tally import Tally
from vsm_mcp.errors import UnknownTool

_MOST_LAUNCHES: Final = 5


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that runs already; without a ``tool`` its echo tool is found. ``local``: it is on this machine."""

    place: Place
    tool: str = ""
    arguments: bytes = b""
    local: bool = True


async def measure_own(plan: Plan, environ: Mapping[str, str], tell: own.Tell) -> dict[str, Any]:
    """Measure the gateway of this installation on this machine, five ways. Raises :class:`VsmError`."""
    here = machine()
    async with Stage(environ) as stage:
        web = await own.admit(stage, tell)
        launches = await own.launches(stage, min(plan.rounds, _MOST_LAUNCHES), tell)
        subjects = await own.subjects(stage, web)
        return await _measured(subjects, plan, tell, here, launches=launches, tier=stage.tier)


async def measure_elsewhere(
    plan: Plan, elsewhere: Elsewhere, environ: Mapping[str, str], tell: own.Tell
) -> dict[str, Any]:
    """Measure an endpoint that runs; beside it, if it is on this machine, our echo server. Raises :class:`VsmError`."""
    here = machine()
    place = elsewhere.place
    connect: Connect = partial(HttpLine.to, place)
    ask = await _asking(connect, elsewhere)
    plan = msgspec.structs.replace(plan, sizes=()) if elsewhere.arguments else plan
    async with contextlib.AsyncExitStack() as stack:
        subjects = []
        if elsewhere.local and not elsewhere.arguments:
            stage = await stack.enter_async_context(Stage(environ))
            subjects.append(own.direct_http(await stage.start(ECHO_HTTP)))
        pid = listening_on(place.port) if elsewhere.local else None
        baseline = subjects[0].key if subjects else ""
        subjects.append(Subject("url", place.url, ask, baseline=baseline, pid=pid).connecting(connect))
        return await _measured(subjects, plan, tell, here)


async def _asking(connect: Connect, elsewhere: Elsewhere) -> Any:
    """Return what makes the question. Raises :class:`UnknownTool` when the endpoint has not got the tool."""
    conversation = await Conversation.over(connect, Tally())
    tools = await conversation.tools()
    conversation.line.close()
    named = [tool for tool in tools if tool.get("name") == elsewhere.tool] if elsewhere.tool else tools
    if elsewhere.tool and not named:
        raise UnknownTool(f"the endpoint lists no tool {elsewhere.tool!r}", "vsm-mcp tools shows those of this home")
    if elsewhere.arguments:
        question = Question(elsewhere.tool, elsewhere.arguments)
        return lambda _size: question
    found = echo_among(named)
    if found is None:
        what = f"{elsewhere.tool} sends no text back" if elsewhere.tool else "no tool of the endpoint sends a text back"
        raise UnknownTool(what, "give what to call it with: --tool NAME --args JSON")
    return partial(EchoQuestion, *found)


async def _measured(
    subjects: Sequence[Subject],
    plan: Plan,
    tell: own.Tell,
    here: dict[str, Any],
    **observed: Any,
) -> dict[str, Any]:
    try:
        idle = await rest(subjects)
        samples = await measure(subjects, plan, tell)
        after = await rest(subjects)
    finally:
        for subject in subjects:
            subject.close()
    figures = summarize(samples, {subject.key: subject.baseline for subject in subjects})
    noise = judge(figures, own.DIRECT, here["load"] / here["cpus"], plan.rounds)
    seen = Observed(figures=figures, noise=noise, idle=idle, after=after, **({"launches": {}, "tier": ""} | observed))
    return document(plan, subjects, seen, here)
