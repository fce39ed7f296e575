"""Checks of the handshake, of versions, and of what every message carries."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.trials.interview import Answer
from vsm_mcp.vetting.trials.room import LISTS, Room, greet
from vsm_mcp.vetting.trials.verdict import BOTH, LEGACY, MODERN, Rule, Verdict, failed, passed
from vsm_mcp.wire import era as eras

_NO_VERSION: Final = "1999-12-31"
_REVIEW, _NOTE = Severity.REVIEW, Severity.NOTE


async def handshake(room: Room) -> Verdict:
    """Look at what it answered ``initialize`` or ``server/discover`` with."""
    await room.talk()
    result = room.greeting.result or {}
    wrong = _modern_greeting(result) if room.era == "modern" else _legacy_greeting(result)
    if not isinstance(result.get("capabilities"), dict):
        wrong = [*wrong, "capabilities is no object"]
    if "instructions" in result and not isinstance(result["instructions"], str):
        wrong = [*wrong, "instructions is no text"]
    return failed("; ".join(wrong)) if wrong else passed("complete")


def _legacy_greeting(result: dict[str, Any]) -> list[str]:
    info = result.get("serverInfo")
    named = isinstance(info, dict) and all(isinstance(info.get(key), str) for key in ("name", "version"))
    known = result.get("protocolVersion") in eras.HANDSHAKE
    return [
        *([] if known else [f"protocolVersion is {result.get('protocolVersion')!r:.60}"]),
        *([] if named else ["serverInfo lacks name or version"]),
    ]


def _modern_greeting(result: dict[str, Any]) -> list[str]:
    supported = result.get("supportedVersions")
    known = isinstance(supported, list) and eras.MODERN in supported
    return [] if known else [f"supportedVersions does not hold {eras.MODERN}"]


async def version(room: Room) -> Verdict:
    """Offer a version that nobody speaks: it names one that it does speak."""
    if room.era == "modern":
        talk = await room.talk()
        params = talk.dressed({})
        params["_meta"] = {**params["_meta"], eras.META_PROTOCOL: _NO_VERSION}
        message = {"jsonrpc": "2.0", "id": 9001, "method": "tools/list", "params": params}
        answer = await talk.answer(talk.begin_as(message))
        supported = _data(answer).get("supported")
        if answer.code == eras.UNSUPPORTED_VERSION and isinstance(supported, list) and eras.MODERN in supported:
            return passed("it refuses and names what it speaks")
        return failed(f"{answer.described} to version {_NO_VERSION}, not {eras.UNSUPPORTED_VERSION} naming its own")
    async with room.fresh() as talk:
        answer = await greet(talk, _NO_VERSION)
    named = (answer.result or {}).get("protocolVersion")
    if named in eras.HANDSHAKE:
        return passed(f"it answers with {named}")
    return failed(f"{answer.described} to version {_NO_VERSION}, naming {named!r:.60}")


def _data(answer: Answer) -> dict[str, Any]:
    error = answer.message.get("error")
    data = error.get("data") if isinstance(error, dict) else None
    return data if isinstance(data, dict) else {}


async def envelope(room: Room) -> Verdict:
    """Ask without saying who asks, which every modern request has to."""
    talk = await room.talk()
    message = {"jsonrpc": "2.0", "id": 9002, "method": "tools/list", "params": {}}
    answer = await talk.answer(talk.begin_as(message))
    if answer.code == eras.INVALID_PARAMS:
        return passed("refused")
    return failed(f"{answer.described} to a request without protocol version and client capabilities")


async def result_type(room: Room) -> Verdict:
    """Look whether its results say what they are."""
    answers = [room.greeting, *[await (await room.talk()).ask(method) for method in _promised(room)]]
    results = [answer.result for answer in answers if answer.result is not None]
    without = sum(result.get("resultType") != "complete" for result in results)
    return (
        failed(f"{without} of {len(results)} results lack resultType")
        if without
        else passed(counted(len(results), "results"))
    )


async def caching(room: Room) -> Verdict:
    """Look whether what may be kept says for how long, and for whom."""
    answers = [room.greeting, *[await (await room.talk()).ask(method) for method in _promised(room)]]
    results = [answer.result for answer in answers if answer.result is not None]
    good = [each for each in results if _ttl(each.get("ttlMs")) and each.get("cacheScope") in ("public", "private")]
    if len(good) < len(results):
        return failed(f"{len(results) - len(good)} of {len(results)} results lack ttlMs or cacheScope")
    return passed(counted(len(results), "results"))


def _ttl(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _promised(room: Room) -> list[str]:
    return [method for method, (capability, _) in LISTS.items() if capability in room.declared]


async def ping(room: Room) -> Verdict:
    """Ask for a sign of life."""
    answer = await (await room.talk()).ask("ping")
    return passed("answered") if answer.result is not None else failed(f"{answer.described} to ping")


async def no_ping(room: Room) -> Verdict:
    """Ask for what the modern era has not any more."""
    answer = await (await room.talk()).ask("ping")
    if answer.code == eras.METHOD_NOT_FOUND:
        return passed("refused")
    return failed(f"{answer.described} to ping, which this version does not have")


async def jsonrpc(room: Room) -> Verdict:
    """Look at every message that it sent so far."""
    talk = await room.talk()
    messages = [*room.messages, *talk.messages]
    wrong = next((why for message in messages if (why := _malformed(message))), "")
    return failed(wrong) if wrong else passed(counted(len(messages), "messages"))


def _malformed(message: dict[str, Any]) -> str:
    if message.get("jsonrpc") != "2.0":
        return 'a message does not say "jsonrpc": "2.0"'
    if "method" in message:
        return ""
    if ("result" in message) == ("error" in message):
        return "an answer has both a result and an error, or neither"
    if "result" in message:
        return "" if isinstance(message["result"], dict) else "a result is no object"
    error = message["error"]
    good = isinstance(error, dict) and type(error.get("code")) is int and isinstance(error.get("message"), str)
    return "" if good else "an error lacks its whole-number code or its message"


async def clean_stdout(room: Room) -> Verdict:
    """Look at what it wrote between its messages."""
    talk = await room.talk()
    junk = [*room.junk, *talk.junk]
    return failed(f"{len(junk)} lines are no message: {ascii(junk[0])[2:-1]:.80}") if junk else passed()


async def unasked(room: Room) -> Verdict:
    """Look whether it asked, or told, a client what that client never said it could take."""
    talk = await room.talk()
    said = [str(message["method"]) for message in [*room.messages, *talk.messages] if "method" in message]
    asked = [str(message["method"]) for message in [*room.messages, *talk.messages] if _asks(message)]
    if asked:
        return failed(f"it asks for {asked[0]:.60}, though the client declared nothing")
    if room.era == "modern" and "notifications/message" in said:
        return failed("it sends log messages that no request asked for")
    return passed(f"{counted(len(said), 'notifications')}, no question")


def _asks(message: dict[str, Any]) -> bool:
    return "method" in message and message.get("id") is not None and message["method"] != "ping"


async def answers(room: Room) -> Verdict:
    """Look whether every question so far was answered in time."""
    talk = await room.talk()
    count = room.unanswered + len(talk.unanswered)
    return failed(f"{count} questions were not answered in time") if count else passed("every question was answered")


FIRST: Final = (
    Rule(
        name="handshake",
        meaning="its first answer is complete",
        source="2025-11-25 Lifecycle: Initialization; 2026-07-28 Discovery",
        severity=_REVIEW,
        eras=BOTH,
        ask=handshake,
    ),
    Rule(
        name="version",
        meaning="asked for a version that nobody speaks, it names one that it speaks",
        source="2025-11-25 Lifecycle: Version Negotiation; 2026-07-28 Versioning and Negotiation",
        severity=_NOTE,
        eras=BOTH,
        ask=version,
    ),
    Rule(
        name="ping",
        meaning="it answers ping",
        source="2025-11-25 Utilities: Ping",
        severity=_REVIEW,
        eras=LEGACY,
        ask=ping,
    ),
    Rule(
        name="no ping",
        meaning="it refuses ping, which this version does not have, with -32601",
        source="2026-07-28 Key Changes, 5",
        severity=_NOTE,
        eras=MODERN,
        ask=no_ping,
    ),
    Rule(
        name="envelope",
        meaning="a request without protocol version and client capabilities is refused with -32602",
        source="2026-07-28 Overview: _meta",
        severity=_NOTE,
        eras=MODERN,
        ask=envelope,
    ),
    Rule(
        name="result type",
        meaning="every result carries resultType",
        source="2026-07-28 Key Changes, 8",
        severity=_NOTE,
        eras=MODERN,
        ask=result_type,
    ),
    Rule(
        name="caching",
        meaning="lists and discovery carry ttlMs and cacheScope",
        source="2026-07-28 Caching",
        severity=_NOTE,
        eras=MODERN,
        ask=caching,
    ),
)
LAST: Final = (
    Rule(
        name="answers",
        meaning="every request is answered within the time-out",
        source="JSON-RPC 2.0, section 5; 2025-11-25 Lifecycle: Timeouts",
        severity=_REVIEW,
        eras=BOTH,
        ask=answers,
    ),
    Rule(
        name="json-rpc",
        meaning="every message is JSON-RPC 2.0",
        source="JSON-RPC 2.0, sections 4 and 5; 2026-07-28 Overview: Messages",
        severity=_REVIEW,
        eras=BOTH,
        ask=jsonrpc,
    ),
    Rule(
        name="stdout",
        meaning="nothing but messages is on its standard output",
        source="2026-07-28 Transports: stdio",
        severity=_NOTE,
        eras=BOTH,
        ask=clean_stdout,
    ),
    Rule(
        name="unasked",
        meaning="it asks nothing of a client that declared nothing, and logs only when asked to",
        source="2025-11-25 Lifecycle: Capability Negotiation; 2026-07-28 Key Changes, 5 and 7",
        severity=_REVIEW,
        eras=BOTH,
        ask=unasked,
    ),
)
