"""What a client lacks: said when a call failed after its server asked for something that the client cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.lookup import one_line
from vsm_mcp.gateway.messages import encode
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

_MOST_SAID: Final = 300
"""Characters of the server's own words that are passed on."""


class _Result(msgspec.Struct):
    isError: bool = False  # noqa: N815 - the protocol's name
    content: Raw = Raw(b"[]")


class _Text(msgspec.Struct):
    text: str = ""


_result: Final = msgspec.json.Decoder(_Result).decode
_texts: Final = msgspec.json.Decoder(list[_Text]).decode


def check(raw: Raw, lacking: Mapping[str, object], server: str) -> None:
    """Raise what a modern client lacks (specification 2026-07-28: error -32021), if the result ``raw`` is a failure.

    The server may have failed for another reason as well, so its own words are passed on.
    """
    if not lacking or (said := _complaint(raw)) is None:
        return
    message = f"server {server} needs a client that can do what it asks: {', '.join(lacking)}"
    said = f"; it said: {said}" if said else ""
    raise Fault(era.MISSING_CLIENT_CAPABILITY, message + said, encode({"requiredCapabilities": lacking}))


def _complaint(raw: Raw) -> str | None:
    """Return the text of a result that is a failure, in one line; nothing for one that is none."""
    try:
        result = _result(raw)
        if not result.isError:
            return None
        return one_line(" ".join(part.text for part in _texts(result.content)), _MOST_SAID)
    except UNREADABLE:
        return None
