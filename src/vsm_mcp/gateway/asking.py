"""Asks a server in a client's name, and bridges their eras.

What differs: before 2026-07-28 a server asks its client by requests of its own in the middle of a call; since then it
answers ``input_required``, and the client makes its request again with the answers. Both kinds of client work with
both kinds of server (``docs/architecture.md``, "Eras").
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from vsm_mcp.errors import MissingValue, ProtocolError, RequestTimeout, RpcError
from vsm_mcp.gateway import capabilities, faults, results, rounds, seal
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.parking import SECONDS, Parking
from vsm_mcp.gateway.rounds import Ask, InputRequired
from vsm_mcp.gateway.seal import RESPONSES, STATE, Kind, Seal, State
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.upstream import Call, Channel, Upstream
from vsm_mcp.routing.table import Route
from vsm_mcp.wire import era

_OURS: Final = frozenset(
    {era.META_PROTOCOL, era.META_CLIENT_INFO, era.META_CLIENT_CAPABILITIES, era.META_LOG_LEVEL, "progressToken"}
)
"""Members of a client's ``_meta`` that speak about the hop between it and us, and are written anew for the next."""

_CLIENT: Final = "give what it asks for as an argument, or use a client that can be asked"

_MAX_ROUNDS: Final = 16
"""How often one call of a handshake client may be asked for input by a modern server."""


class Asking:
    """The one who asks. ``timeout`` (seconds) is for one call; progress puts it off until ``limit`` at most."""

    def __init__(self, upstream: Upstream, timeout: float, limit: float, seal_key: bytes = b"") -> None:
        self._upstream = upstream
        self._timeout = timeout
        self._limit = limit
        self._seal = Seal(seal_key)
        self._parking = Parking()

    async def ask(self, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        """Return the server's result in the client's era. ``request`` names things as the server does already.

        Raises :class:`Fault`, and any :class:`VsmError` but :class:`RpcError` that says why the server gave none.
        """
        try:
            state = self._state(route, request, caller)
            if state is not None and state.kind == "parked":
                return await self._resume(state, request, caller)
            return await self._begin(route, request, caller, state)
        except RpcError as error:
            return self._elsewhere(error, route, request, caller)

    async def _begin(self, route: Route, request: Request, caller: Caller, state: State | None) -> bytes | Raw:
        began = time.monotonic()
        channel = await self._upstream.connection(route.server, self._timeout)
        left = self._timeout - (time.monotonic() - began)
        if left <= 0:
            raise RequestTimeout(f"{route.server} was not ready within {self._timeout:g} s")
        talk = Talk(request, caller)
        if talk.log_level:
            channel.want_logs(talk.log_level)
        params = _params(request, channel, state)
        for _ in range(_MAX_ROUNDS):
            talk.call = channel.begin(request.method, params, timeout=left, limit=self._limit, dialogue=talk)
            raw = await self._outcome(talk.call, talk, route, request, caller)
            if isinstance(raw, bytes):
                return raw
            modern = channel.era == "modern"
            question = rounds.asked(raw) if modern else None
            if question is None:
                return results.bridged(raw, request.method, to_modern=caller.modern, from_modern=modern)
            if caller.modern:
                return self._restated(question, route, request, caller)
            params = {**params, **await _asked_live(question, talk)}
            left = self._timeout
        raise ProtocolError(f"the server asked for input {_MAX_ROUNDS} times and did not come to an end")

    def close(self) -> None:
        """Give up every call that waits for its client."""
        self._parking.close()

    async def _outcome(self, call: Call, talk: Talk, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        """Await the server's answer; or bytes of our own that ask a modern client, while the call waits for it."""
        parked = False
        try:
            raw = await call.answer()
            if raw is not None:
                return raw
            ticket = self._parking.put(call, talk)
            parked = True
            state = self._new_state("parked", route.server, request, caller, ticket)
            return rounds.required(talk.open, self._seal.close(state))
        finally:
            if not parked:
                call.give_up()
                talk.close()

    # --- requests that come back ---------------------------------------------------------------------------------

    def _state(self, route: Route, request: Request, caller: Caller) -> State | None:
        if not caller.modern or request.method not in rounds.METHODS or STATE not in request.params:
            return None
        state = self._seal.open(request, caller.who, route.server, time.time())
        if state is not None and state.kind == "again" and _declined(request):
            raise Fault(era.INVALID_REQUEST, "a person declined what the server asked for: nothing was done")
        return state

    def _new_state(self, kind: Kind, server: str, request: Request, caller: Caller, inner: str = "") -> State:
        until = time.time() + SECONDS
        bound = seal.digest(request)
        return State(kind=kind, server=server, client=caller.who, digest=bound, until=until, inner=inner)

    async def _resume(self, state: State, request: Request, caller: Caller) -> bytes | Raw:
        """Go on with a call that waits at a server of the handshake versions."""
        parked = self._parking.take(state.inner)
        if parked is None:
            raise Fault(era.INVALID_PARAMS, "the call that asked for this is no longer there: make the request again")
        talk, call = parked.talk, parked.call
        talk.resume(request, caller, rounds.responses(request.params))
        call.put_off(self._timeout)
        if talk.open:  # some answers are missing: ask for them again ("Error Handling")
            ticket = self._parking.put(call, talk)
            again = self._new_state("parked", state.server, request, caller, ticket)
            return rounds.required(talk.open, self._seal.close(again))
        raw = await self._outcome(call, talk, Route(state.server, ""), request, caller)
        if isinstance(raw, bytes):
            return raw
        return results.bridged(raw, request.method, to_modern=True, from_modern=False)

    def _restated(self, question: InputRequired, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        """Pass a modern server's question on to a modern client, its state sealed."""
        if question.state is None:
            return encode(question.members)
        state = self._new_state("inner", route.server, request, caller, question.state)
        return rounds.restated(question, self._seal.close(state))

    def _elsewhere(self, error: RpcError, route: Route, request: Request, caller: Caller) -> bytes:
        """Turn a handshake server's wish for a visit to a URL into a question to a modern client, if it can open one.

        Specification 2025-11-25, "URL Mode Elicitation": error -32042 lists them, and the request is made again after.
        """
        asks = faults.url_elicitations(error)
        if not caller.modern or not asks or "url" not in caller.capabilities(request).get("elicitation", {}):
            raise faults.passed_on(error, route.server, request.method, modern=caller.modern) from error
        state = self._new_state("again", route.server, request, caller)
        named = {f"q{number}": Ask("elicitation/create", raw) for number, raw in enumerate(asks, 1)}
        return rounds.required(named, self._seal.close(state))


def _params(request: Request, channel: Channel, state: State | None) -> dict[str, object]:
    """Return what is sent to the server; of ``_meta``, what the client means for it."""
    params: dict[str, object] = dict(request.params)
    if request.meta is not None:
        kept = {member: value for member, value in request.meta.items() if member not in _OURS}
        if kept:
            params["_meta"] = kept
    if channel.era == "legacy" or (state is not None and state.kind == "again"):
        params.pop(STATE, None)
        params.pop(RESPONSES, None)
    elif state is not None:
        params[STATE] = state.inner
    return params


async def _asked_live(question: InputRequired, talk: Talk) -> Mapping[str, object]:
    """Ask a client of the handshake versions what a modern server wants to know; returns the params that answer."""
    answers: dict[str, Raw] = {}
    for key, ask in question.asks.items():
        if capabilities.missing(ask.method, ask.params, talk.capabilities) is not None:
            raise MissingValue(f"it asks its client for something ({ask.method}) that this client cannot give", _CLIENT)
        try:
            answers[key] = await talk.put(ask)
        except RpcError as error:
            raise MissingValue(f"the client did not answer {ask.method}: {error.message}", _CLIENT) from error
    given: dict[str, object] = {RESPONSES: answers}
    if question.state is not None:
        given[STATE] = question.state
    return given


def _declined(request: Request) -> bool:
    """Whether a person did not agree to something that was asked."""
    return any(b'"accept"' not in bytes(answer) for answer in rounds.responses(request.params).values())
