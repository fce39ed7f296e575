"""Checks of single questions: ids, cursors, errors, cancellation, what is malformed. None lets a tool do its work."""

from __future__ import annotations

import json
from typing import Any, Final

from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.trials.interview import Answer, Interview
from vsm_mcp.vetting.trials.room import LISTS, Room, greet
from vsm_mcp.vetting.trials.verdict import BOTH, Rule, Verdict, failed, passed, unavailable
from vsm_mcp.wire import era as eras

_REVIEW, _NOTE = Severity.REVIEW, Severity.NOTE
_MAX_PAGES: Final = 200
_NO_METHOD: Final = "vsm-mcp/no-such-method"
_NO_TOOL: Final = "vsm_mcp_no_such_tool"
_NO_CURSOR: Final = "vsm-mcp no such cursor"
_NO_RESOURCE: Final = "vsm-mcp-trial://no/such/resource"
_IDS: Final[tuple[Any, ...]] = (70, "70", "vsm-mcp trial é", 2**53 - 1, 0)
_SOON_SECONDS: Final = 2.0
_MALFORMED: Final = (b'{"jsonrpc": "2.0", "id": 1, "method":', b"no JSON at all", b'"a text"')


async def pagination(room: Room) -> Verdict:
    """List all that it declares, page by page."""
    pages = 0
    for method, (capability, member) in LISTS.items():
        if capability not in room.declared:
            continue
        items, count, why = await all_pages(await room.talk(), method, member)
        if count == 0 and method == "resources/templates/list":
            continue  # servers declare resources and have no templates; what that means is another check's matter
        room.lists[method] = items
        pages += count
        if why:
            return failed(f"{method}: {why}")
    return passed(counted(pages, "pages")) if pages else unavailable("it declares nothing that can be listed")


async def all_pages(talk: Interview, method: str, member: str) -> tuple[list[dict[str, Any]], int, str]:
    """Return the items, how many pages there were, and what was wrong."""
    items: list[dict[str, Any]] = []
    seen: set[str] = set()
    params: dict[str, Any] = {}
    for page in range(_MAX_PAGES):
        answer = await talk.ask(method, params)
        found = (answer.result or {}).get(member)
        if not isinstance(found, list):
            return items, page, f"{answer.described}, without {member}"
        items += [item for item in found if isinstance(item, dict)]
        cursor = (answer.result or {}).get("nextCursor")
        if cursor is None:
            return items, page + 1, ""
        if not isinstance(cursor, str):
            return items, page + 1, "nextCursor is no text"
        if cursor in seen:
            return items, page + 1, "the same cursor comes again"
        seen.add(cursor)
        params = {"cursor": cursor}
    return items, _MAX_PAGES, f"more than {_MAX_PAGES} pages"


async def ids(room: Room) -> Verdict:
    """Send requests with ids of each kind at once: each comes back as it was sent, and once."""
    talk = await room.talk()
    before = len(talk.messages)
    for ident in _IDS[2:]:
        talk.begin("tools/list" if "tools" in room.declared else _NO_METHOD, ident=ident)
    for ident in _IDS[2:]:
        await talk.answer(ident)
    for ident in _IDS[:2]:  # one after the other: they look alike as text
        await talk.ask(_NO_METHOD, ident=ident)
    await talk.alive()
    said = [message.get("id") for message in talk.messages[before:] if "method" not in message]
    for ident in _IDS:
        count = sum(type(each) is type(ident) and each == ident for each in said)
        if count != 1:
            return failed(f"a request with the id {ident!r} was answered {counted(count, 'times')}")
    return passed(f"{len(_IDS)} kinds of ids")


async def bad_cursor(room: Room) -> Verdict:
    """Ask for a page that it never spoke of."""
    method = next((method for method in room.lists if room.lists[method]), "")
    if not method:
        return unavailable("it lists nothing")
    answer = await (await room.talk()).ask(method, {"cursor": _NO_CURSOR})
    if answer.code == eras.INVALID_PARAMS:
        return passed("refused with -32602")
    return failed(f"{answer.described} to a cursor that it never gave, not -32602")


async def unknown_method(room: Room) -> Verdict:
    """Ask what no server knows."""
    answer = await (await room.talk()).ask(_NO_METHOD)
    if answer.code == eras.METHOD_NOT_FOUND:
        return passed("refused with -32601")
    return failed(f"{answer.described} to an unknown method, not -32601")


async def unknown_tool(room: Room) -> Verdict:
    """Call a tool that it has not."""
    if not room.tools:
        return unavailable("it has no tools")
    return _refused(await _call(room, {"name": _NO_TOOL, "arguments": {}}), "an unknown tool")


async def wrong_parameters(room: Room) -> Verdict:
    """Call without naming a tool, and with a name that is no text."""
    if not room.tools:
        return unavailable("it has no tools")
    wrong: tuple[dict[str, Any], ...] = ({"arguments": {}}, {"name": 4711, "arguments": {}})
    for params in wrong:
        status = _refused(await _call(room, params), f"tools/call with {json.dumps(params)}")
        if status[0].value != "pass":
            return status
    return passed("refused")


async def unknown_resource(room: Room) -> Verdict:
    """Read what it has not."""
    if "resources" not in room.declared:
        return unavailable("it has no resources")
    answer = await (await room.talk()).ask("resources/read", {"uri": _NO_RESOURCE})
    return _refused(answer, "a resource that it has not")


async def unknown_prompt(room: Room) -> Verdict:
    """Ask for a prompt that it has not."""
    if "prompts" not in room.declared:
        return unavailable("it has no prompts")
    answer = await (await room.talk()).ask("prompts/get", {"name": _NO_TOOL})
    return _refused(answer, "a prompt that it has not")


async def _call(room: Room, params: dict[str, Any]) -> Answer:
    return await (await room.talk()).ask("tools/call", params)


def _refused(answer: Answer, what: str) -> Verdict:
    return passed(answer.described) if answer.refused else failed(f"{answer.described} to {what}")


async def notification(room: Room) -> Verdict:
    """Tell it something that it does not know: a notification is never answered."""
    talk = await room.talk()
    before = len(talk.messages)
    talk.tell("notifications/vsm-mcp-trial", {"nothing": True})
    alive = await talk.alive()
    if not alive:
        return failed("it does not answer any more after a notification that it does not know")
    return failed("it answers a notification") if talk.stray(before) else passed("not answered")


async def cancellation(room: Room) -> Verdict:
    """Cancel what is not under way, and a request that is: it goes on, and answers neither note."""
    talk = await room.talk()
    before = len(talk.messages)
    talk.tell("notifications/cancelled", {"requestId": 999_999, "reason": "nobody asked"})
    sent = talk.begin(_a_list(room))
    talk.tell("notifications/cancelled", {"requestId": sent, "reason": "not needed any more"})
    await talk.answer(sent, 0.0)
    _not_awaited(talk, sent)
    if not await talk.alive():
        return failed("it does not answer any more after a cancellation")
    twice = sum(message.get("id") == sent for message in talk.messages[before:] if "method" not in message) > 1
    return failed("it answers a cancellation") if twice or talk.stray(before) else passed("it goes on")


async def time_out(room: Room) -> Verdict:
    """Give up several requests as a client does whose time is over; the next one is answered soon."""
    talk = await room.talk()
    for _ in range(3):
        sent = (
            talk.begin("tools/call", {"name": _NO_TOOL, "arguments": {}}) if room.tools else talk.begin(_a_list(room))
        )
        await talk.answer(sent, 0.0)
        _not_awaited(talk, sent)
        talk.tell("notifications/cancelled", {"requestId": sent, "reason": "timed out"})
    answer = await talk.ask(_a_list(room), seconds=_SOON_SECONDS)
    if not answer.message:
        return failed(f"{answer.described} within {_SOON_SECONDS:g} s after three requests were given up")
    return passed("it goes on")


def _not_awaited(talk: Interview, ident: Any) -> None:
    """Hold no missing answer against it: nobody waited for that one."""
    talk.unanswered[:] = [each for each in talk.unanswered if each != str(ident)]


def _a_list(room: Room) -> str:
    promised = [method for method, (capability, _) in LISTS.items() if capability in room.declared]
    return promised[0] if promised else ("server/discover" if room.era == "modern" else "ping")


async def malformed(room: Room) -> Verdict:
    """Send lines that are no message; afterwards it still answers."""
    async with room.fresh() as talk:
        await greet(talk)
        for line in _MALFORMED:
            talk.write(line)
            if not await talk.alive():
                how = "it ends" if talk.gone.is_set() else "it does not answer any more"
                return failed(f"{how} after the line {ascii(line)[2:-1]}")
        said = [message for message in talk.messages if Answer(message).code == eras.PARSE_ERROR]
    return passed("survived" + (", refused with -32700" if said else ""))


async def capabilities(room: Room) -> Verdict:
    """Ask for each list: what it declares is answered, what it does not declare is refused."""
    for method, (capability, member) in LISTS.items():
        answer = await (await room.talk()).ask(method)
        listed = isinstance((answer.result or {}).get(member), list)
        if capability in room.declared and not listed and method != "resources/templates/list":
            return failed(f"it declares {capability}, but {answer.described} to {method}")
        if capability not in room.declared and listed and (answer.result or {}).get(member):
            return failed(f"it does not declare {capability}, but lists {member}")
        if not answer.message:
            return failed(f"{answer.described} to {method}, which it does not declare")
    return passed(f"{len(room.declared)} declared")


async def same_list(room: Room) -> Verdict:
    """List the tools twice in one process: the same, in the same order."""
    if not room.tools:
        return unavailable("it has no tools")
    again, _, why = await all_pages(await room.talk(), "tools/list", "tools")
    if why:
        return failed(f"asked again: {why}")
    names = [[tool.get("name") for tool in tools] for tools in (room.tools, again)]
    if again == room.tools:
        return passed(counted(len(again), "tools"))
    return failed("their order differs" if sorted(map(str, names[0])) == sorted(map(str, names[1])) else "they differ")


_ERRORS: Final = "2026-07-28 Tools: Error handling; 2025-11-25 Tools: Error Handling"


def _rule(name: str, ask: Any, meaning: str, source: str, severity: Severity = _REVIEW) -> Rule:
    return Rule(name=name, meaning=meaning, source=source, severity=severity, eras=BOTH, ask=ask)


QUESTIONS: Final = (
    _rule("pagination", pagination, "lists end, and no cursor comes twice", "2026-07-28 Utilities: Pagination"),
    _rule("capabilities", capabilities, "what it declares is answered, what it lists is declared",
          "2025-11-25 Lifecycle: Capability Negotiation; 2026-07-28 Discovery"),
    _rule("same list", same_list, "asked twice, it lists the same tools in the same order",
          "2026-07-28 Tools: Listing Tools", _NOTE),
    _rule("ids", ids, "each id comes back as it was sent, once", "JSON-RPC 2.0, section 5; Overview: Responses"),
    _rule("cursor", bad_cursor, "a cursor that it never gave is refused with -32602",
          "2025-11-25 Pagination: Error Handling; the same in 2026-07-28", _NOTE),
    _rule("unknown method", unknown_method, "it is refused with -32601", "JSON-RPC 2.0, section 5.1", _NOTE),
    _rule("unknown tool", unknown_tool, "it is refused, by an error or an error result", _ERRORS),
    _rule("wrong parameters", wrong_parameters, "a call that names no tool is refused", _ERRORS),
    _rule("unknown resource", unknown_resource, "it is refused with an error", "2026-07-28 Resources: Error Handling",
          _NOTE),
    _rule("unknown prompt", unknown_prompt, "it is refused with an error", "2026-07-28 Prompts: Error Handling", _NOTE),
    _rule("notification", notification, "a notification is not answered", "JSON-RPC 2.0, section 4.1"),
    _rule("cancellation", cancellation, "it goes on after a cancellation, and does not answer it",
          "2025-11-25 Utilities: Cancellation; the same in 2026-07-28"),
    _rule("time-out", time_out, "it goes on when a client's time is over", "2025-11-25 Lifecycle: Timeouts"),
    _rule("malformed line", malformed, "it goes on after a line that is no message", "JSON-RPC 2.0, section 5.1",
          _NOTE),
)  # fmt: skip
