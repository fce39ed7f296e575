"""Whether a running server is well: it is asked for a sign of life."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from vsm_mcp.errors import RpcError, VsmError
from vsm_mcp.runtime.process import Instance
from vsm_mcp.wire.connection import Connection

SECONDS: Final = 5.0
"""How long a server may take to answer where nobody says otherwise."""

_QUESTION: Final = {"modern": "server/discover", "legacy": "ping"}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at one process found: ``detail`` says what is wrong, or what was asked."""

    ok: bool
    detail: str
    seconds: float = 0.0


async def examine(instance: Instance, seconds: float = SECONDS) -> Health:
    """Ask what the instance has beside MCP (an HTTP child its health path), then the shortest question of MCP.

    An error is an answer: whoever refuses a question is alive. Within ``seconds`` for each.
    """
    began = time.monotonic()
    try:
        asked = await instance.probe(seconds)
        await _ask(instance.connection, seconds)
    except VsmError as error:
        return Health(ok=False, detail=error.message, seconds=_since(began))
    question = _QUESTION[instance.connection.era]
    return Health(
        ok=True, detail=f"answers {asked} and {question}" if asked else f"answers {question}", seconds=_since(began)
    )


async def _ask(connection: Connection, seconds: float) -> None:
    try:
        await connection.request(_QUESTION[connection.era], timeout=seconds)
    except RpcError:
        return


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)
