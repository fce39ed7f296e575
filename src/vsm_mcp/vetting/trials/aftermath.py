"""Checks of what a server is like after it was called, and after it was started again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from vsm_mcp.deferred import deferred
from vsm_mcp.errors import ProtocolError
from vsm_mcp.model.counted import counted
from vsm_mcp.model.definition import Definition, ItemKind
from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.pins import digest
from vsm_mcp.vetting.trials.calls import safe_calls
from vsm_mcp.vetting.trials.interview import Answer
from vsm_mcp.vetting.trials.questions import all_pages
from vsm_mcp.vetting.trials.room import LISTS, Room, greet
from vsm_mcp.vetting.trials.verdict import BOTH, Rule, Verdict, failed, passed, unavailable

if TYPE_CHECKING:
    import jsonschema
else:
    jsonschema = deferred("jsonschema")

_KINDS: Final = {
    "tools/list": (ItemKind.TOOL, "name"),
    "prompts/list": (ItemKind.PROMPT, "name"),
    "resources/templates/list": (ItemKind.TEMPLATE, "uriTemplate"),
}
"""What is pinned. Resources come and go with the data."""
_ROUNDS: Final = 6
_CALL_SECONDS: Final = 10.0


async def calls(room: Room) -> Verdict:
    """Call what says that it changes nothing, and a tool that is not there, some times over."""
    chosen = safe_calls(room.tools)
    wrong: list[str] = []
    for turn in range(_ROUNDS if room.tools else 0):
        talk = await room.talk()
        await talk.ask("tools/call", {"name": f"vsm_mcp_no_such_tool_{turn}", "arguments": {}})
        for tool, arguments in chosen if turn < 2 else ():
            answer = await _asked(room, {"name": tool["name"], "arguments": arguments})
            wrong += [f"{tool['name']}: {why}" for why in _misshapen(tool, answer)]
    if wrong:
        return failed(wrong[0])
    if not chosen:
        return unavailable("no tool says that calling it changes nothing and needs no argument")
    return passed(f"{len(chosen)} of {counted(len(room.tools), 'tools')}, twice")


async def _asked(room: Room, params: dict[str, Any]) -> Answer:
    return await (await room.talk()).ask("tools/call", params, seconds=_CALL_SECONDS)


def _misshapen(tool: Any, answer: Answer) -> list[str]:
    """Return what is wrong with the result of a call; without network and keys, an error is no fault."""
    if answer.gone or not answer.message:
        return [answer.described]
    if answer.refused or answer.result is None or answer.result.get("resultType") == "input_required":
        return []
    content = answer.result.get("content")
    if not isinstance(content, list) or not all(isinstance(part, dict) and "type" in part for part in content):
        return ["its content is no list of typed parts"]
    schema = tool.get("outputSchema")
    return _unlike(schema, answer.result.get("structuredContent")) if isinstance(schema, dict) else []


def _unlike(schema: dict[str, Any], value: Any) -> list[str]:
    if value is None:
        return ["it has an outputSchema, but gives no structuredContent"]
    if '"$ref"' in json.dumps(schema):
        return []  # a reference may lead anywhere; nothing is fetched
    try:
        error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    except (jsonschema.SchemaError, jsonschema.exceptions.UnknownType, RecursionError):
        return []  # another check looks at the schema itself
    return [f"structuredContent is not as its outputSchema says, at {error.json_path}"] if error else []


async def after_calls(room: Room) -> Verdict:
    """List again in the process that was called."""
    return _compared(room, await _listed(room, None), "after calls")


async def after_restart(room: Room) -> Verdict:
    """List again in a process that was started anew."""
    async with room.fresh() as talk:
        await greet(talk)
        return _compared(room, await _listed(room, talk), "after a restart")


async def _listed(room: Room, talk: Any) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for method in room.lists:
        if method in _KINDS:
            found[method], _, _ = await all_pages(talk or await room.talk(), method, LISTS[method][1])
    return found


def _compared(room: Room, now: dict[str, list[dict[str, Any]]], when: str) -> Verdict:
    before, after = (_digests(lists) for lists in (room.lists, now))
    if not before:
        return unavailable("it lists nothing that is pinned")
    changed = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    new, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    said = [
        f"{len(keys)} {word} ({keys[0]!a:.80})"
        for word, keys in (("changed", changed), ("new", new), ("gone", gone))
        if keys
    ]
    return (
        failed(f"{when} its definitions differ: {', '.join(said)}")
        if said
        else passed(counted(len(before), "definitions"))
    )


def _digests(lists: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for method, (kind, field) in _KINDS.items():
        for item in lists.get(method, []):
            name = str(item.get(field))
            try:
                found[f"{kind.value}:{name}"] = digest(Definition(kind=kind, name=name, raw=json.dumps(item).encode()))
            except ProtocolError:
                found[f"{kind.value}:{name}"] = "unreadable"
    return found


AFTERMATH: Final = (
    Rule(
        name="calls",
        meaning="what its read-only tools answer has the form that they promise",
        source="2026-07-28 Tools: Calling Tools, Structured Content",
        severity=Severity.NOTE,
        eras=BOTH,
        ask=calls,
    ),
    Rule(
        name="after calls",
        meaning="after calls it lists the same definitions",
        source="2026-07-28 Key Changes, 1; Security: tools that change after they were approved",
        severity=Severity.REVIEW,
        eras=BOTH,
        ask=after_calls,
    ),
    Rule(
        name="after a restart",
        meaning="started anew it lists the same definitions",
        source="2026-07-28 Key Changes, 1; Security: tools that change after they were approved",
        severity=Severity.REVIEW,
        eras=BOTH,
        ask=after_restart,
    ),
)
