"""Checks of what a server defines: names, schemas."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Final

from vsm_mcp.model.counted import counted
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.schemas import check_schemas, duplicates
from vsm_mcp.vetting.trials.room import Room
from vsm_mcp.vetting.trials.verdict import BOTH, Rule, Verdict, failed, passed, unavailable

_SCHEMA_SECONDS: Final = 20.0
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")


async def schemas(room: Room) -> Verdict:
    """Compare every input and output schema with the metaschema."""
    offer = _offer(room)
    report = await asyncio.to_thread(check_schemas, offer, budget_seconds=_SCHEMA_SECONDS)
    if not report.total:
        return unavailable("it has no tools")
    looked = f"{report.checked} of {counted(report.total, 'tools')}"
    if report.wrong:
        tool, problem = report.wrong[0]
        return failed(f"{len(report.wrong)} problems in {looked}; {tool!a:.80}: {problem}")
    return (
        passed(looked) if report.checked == report.total else unavailable(f"only {looked} could be looked at in time")
    )


async def names(room: Room) -> Verdict:
    """Look at the names of its tools."""
    if not room.tools:
        return unavailable("it has no tools")
    nameless = sum(not isinstance(tool.get("name"), str) or not tool["name"] for tool in room.tools)
    if nameless:
        return failed(f"{nameless} tools have no name")
    twice = duplicates(_offer(room))
    if twice:
        return failed(f"several tools are called {twice[0]!a:.80}")
    odd = [str(tool["name"]) for tool in room.tools if not _NAME.match(str(tool["name"]))]
    return failed(f"{odd[0]!a:.80} is no tool name") if odd else passed(counted(len(room.tools), "tools"))


def _offer(room: Room) -> Offer:
    items = (
        Definition(kind=ItemKind.TOOL, name=str(tool.get("name", "")), raw=json.dumps(tool).encode())
        for tool in room.tools
    )
    return Offer(items=tuple(items))


DEFINITIONS: Final = (
    Rule(
        name="schemas",
        meaning="every schema of a tool is JSON Schema, and an input schema is one of an object",
        source="2026-07-28 Tools: Tool; JSON Schema 2020-12",
        severity=Severity.REVIEW,
        eras=BOTH,
        ask=schemas,
    ),
    Rule(
        name="names",
        meaning="tools have names of their own, of A-Z, a-z, 0-9, _, . and -",
        source="2025-11-25 Tools: Tool Names; the same in 2026-07-28",
        severity=Severity.NOTE,
        eras=BOTH,
        ask=names,
    ),
)
