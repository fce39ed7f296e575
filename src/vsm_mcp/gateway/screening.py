"""The text of a prompt, as a server makes it for one request: it cannot be pinned, but it can be looked at."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import encode
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

METHOD: Final = "prompts/get"


def screened(result: bytes | Raw, server: str) -> bytes | Raw:
    """Return the result of ``prompts/get`` as it is. Raises :class:`Fault` where its texts hide characters.

    Hidden are zero-width, bidi, tag, ANSI and control characters, as vetting's ``text.hidden_characters`` has it.
    """
    data = bytes(result)
    if data.isascii() and b"\\u" not in data and b"\\b" not in data:
        return result  # JSON has to escape control characters: there are none
    try:
        value = msgspec.json.decode(data)
    except UNREADABLE:
        return result  # what is no JSON is refused elsewhere
    found: Counter[str] = Counter()
    _count(value, found)
    if not found:
        return result
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    hint = '[gateway] hidden_prompts = "pass" lets such prompts through'
    raise Fault(
        era.INTERNAL_ERROR,
        f"the prompt of {server} is refused: its text hides {said} characters; {hint}",
        encode({"server": server, "class": "policy", "retryable": False, "hint": hint}),
    )


def _count(value: Any, found: Counter[str]) -> None:
    if isinstance(value, str):
        from vsm_mcp.vetting.folding import hidden_characters  # noqa: PLC0415 - for the few that are not plain

        found.update(hidden_characters(value))
    elif isinstance(value, list):
        for each in value:
            _count(each, found)
    elif isinstance(value, dict):
        for name, each in value.items():
            _count(name, found)
            _count(each, found)
