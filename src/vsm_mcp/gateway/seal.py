"""``requestState`` as the gateway gives it out: readable by anybody, forgeable by nobody.

Specification 2026-07-28, "Multi Round-Trip Requests": the state comes back from the client and is input of an
attacker. It is bound to who asked, to what was asked and to a time (server requirements 4 and 5).
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec
from msgspec import Raw

from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, text_or_none
from vsm_mcp.gateway.stamp import Stamp
from vsm_mcp.model.newcomer import server_of
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

STATE: Final = "requestState"
RESPONSES: Final = "inputResponses"

Kind = Literal["inner", "parked", "again", "consent"]


class State(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed.

    ``kind`` says what goes on: ``inner`` a modern server's own state, ``parked`` a call that waits here under the
    ticket ``inner``, ``again`` a call to be made anew, ``consent`` an acquisition of ``inner`` that somebody has to
    agree to. ``until`` is in seconds since the epoch.
    """

    kind: Kind
    server: str
    client: str
    digest: str
    until: float
    inner: str = ""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(State).decode


class Seal:
    """Closes and opens states with one ``key`` (default: one of this process)."""

    def __init__(self, key: bytes = b"") -> None:
        self._stamp = Stamp(key)

    def close(self, state: State) -> str:
        """Return what a client carries back."""
        return self._stamp.close(_encode(state))

    def open(self, request: Request, client: str, server: str, now: float) -> State | None:
        """Return the state that a request brings back, or ``None`` when it brings none.

        Raises :class:`Fault` (-32602) for one that is not ours, not this client's, not of this request, or too old.
        """
        given = request.params.get(STATE)
        if given is None:
            return None
        state = self._opened(text_or_none(given) or "")
        # what a newcomer gave out is good for the server whose place it has taken since
        ours = state is not None and server in (state.server, server_of(state.server))
        if state is None or not ours or state.client != client or state.digest != digest(request):
            raise Fault(era.INVALID_PARAMS, "requestState is not what this gateway gave out for this request")
        if state.until < now:
            raise Fault(era.INVALID_PARAMS, "requestState is too old: make the request again without it")
        return state

    def holder(self, request: Request) -> str:
        """Return who gave out the state that a request brings back; empty where it brings none of ours."""
        given = request.params.get(STATE)
        state = None if given is None else self._opened(text_or_none(given) or "")
        return "" if state is None else state.server

    def _opened(self, text: str) -> State | None:
        body = self._stamp.open(text)
        try:
            return None if body is None else _decode(body)
        except UNREADABLE:
            return None


def digest(request: Request) -> str:
    """Return what tells one request from another: its method and its params but for those of the retry itself."""
    params = {member: value for member, value in request.params.items() if member not in {STATE, RESPONSES}}
    return hashlib.sha256(_canonical(request.method, params)).hexdigest()[:32]


def _canonical(method: str, params: dict[str, Raw]) -> bytes:
    """Return the same bytes for the same values, however the client spells them."""
    try:
        values = {member: msgspec.json.decode(value) for member, value in params.items()}
        return msgspec.json.encode([method, values], order="sorted")
    except UNREADABLE:
        return msgspec.json.encode([method, params], order="deterministic")
