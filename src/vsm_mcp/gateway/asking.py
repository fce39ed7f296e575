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

from vsm_mcp.errors import MissingValue, Overloaded, ProtocolError, RequestTimeout, RpcError, VsmError
from vsm_mcp.gateway import capabilities, faults, hop, lacking, results, rounds, seal
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.leases import Lease, Leases
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.observing import Observer
from vsm_mcp.gateway.parking import SECONDS, Parking
from vsm_mcp.gateway.rounds import Ask, InputRequired
from vsm_mcp.gateway.seal import RESPONSES, STATE, Kind, Seal, State
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks import task
from vsm_mcp.gateway.tasks.extension import ExtensionTask
from vsm_mcp.gateway.tasks.handshake import HandshakeTask
from vsm_mcp.gateway.tasks.making import Making
from vsm_mcp.gateway.tasks.passing import Tasks
from vsm_mcp.gateway.tasks.support import Way, extends, way_of, with_extension
from vsm_mcp.gateway.upstream import Channel, Upstream
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.routing.ledger import Account, Ledger
from vsm_mcp.routing.table import Route
from vsm_mcp.wire import era

_CLIENT: Final = "give what it asks for as an argument, or use a client that can be asked"

_MAX_ROUNDS: Final = 16
"""How often one call of a handshake client may be asked for input by a modern server."""


class Asking:
    """The one who asks. ``timeout`` (seconds) is for one call; progress puts it off until ``limit`` at most.

    What becomes of each request is written into ``ledger``, and told to ``observer``, if there is one.
    """

    def __init__(self, upstream: Upstream, timeout: float, limit: float, tasks: Tasks, ledger: Ledger) -> None:
        self.observer: Observer | None = None
        self._ledger = ledger
        self._upstream = upstream
        self._timeout = timeout
        self._limit = limit
        self._tasks = tasks
        self._seal = Seal()
        self._parking = Parking()
        self._leases = Leases()

    @property
    def timeout(self) -> float:
        """Seconds that one call has."""
        return self._timeout

    def wait(self, timeout: float, limit: float) -> None:
        """Have other times count for calls from now on."""
        self._timeout, self._limit = timeout, limit

    def seal_with(self, key: bytes) -> None:
        """Seal with ``key`` (32 bytes) from now on."""
        self._seal = Seal(key)

    def holder(self, request: Request) -> str:
        """Return the server that a round of a call has to return to; empty where it is free."""
        return self._seal.holder(request) if STATE in request.params else ""

    def begin(self, route: Route, request: Request, caller: Caller) -> Asked | None:
        """Ask a server that is ready, without waiting; ``None`` when that takes more: then :meth:`ask` does it.

        Raises :class:`Fault`.
        """
        if STATE in request.params or RESPONSES in request.params:
            return None
        if caller.view.catalogue.tasking and _way(route, request, caller) != "plain":
            return None
        lease, asked = self._lease(route.server, caller), None
        try:
            channel = self._upstream.ready(route.server, caller.who if lease is None else lease.session)
            if channel is not None:
                asked = self._put(Asked(route, request, caller, channel, lease), None, self._timeout)
                asked.account = self._account(route, request)
        finally:
            if asked is None and lease is not None:
                lease.give_back()
        return asked

    async def ask(self, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        """Return the server's result in the client's era. ``request`` names things as the server does already.

        Raises :class:`Fault`, and any :class:`VsmError` but :class:`RpcError` that says why the server gave none.
        """
        return await self.finish(await self.put(route, request, caller))

    async def put(self, route: Route, request: Request, caller: Caller, seconds: float | None = None) -> Asked:
        """Ask, within ``seconds`` in all (default: the time for one call); :meth:`finish` waits for the answer.

        Raises :class:`Fault`, and any :class:`VsmError` that says why nothing was sent.
        """
        state = self._state(route, request, caller)
        if state is not None and state.kind == "parked":
            return self._resumed(state, route, request, caller)
        began, whole = time.monotonic(), self._timeout if seconds is None else seconds
        try:
            asked = await self._reached(route, request, caller, whole)
        except BaseException as error:
            self._account(route, request).note(ending_of(error), 0.0)
            if self.observer is not None:
                self.observer.unreached(route, request, caller, began, error)
            raise
        asked.since = began
        left = whole - (time.monotonic() - began)
        asked.way = _way(route, request, caller)
        try:
            if left <= 0:
                raise RequestTimeout(f"{route.server} was not ready within {whole:g} s")
            return self._put(asked, state, left)
        except VsmError as error:
            asked.end(ending_of(error), error)
            if asked.lease is not None:
                asked.lease.give_back()
            raise

    async def finish(self, asked: Asked) -> bytes | Raw:
        """Await what was begun; as :meth:`ask`."""
        try:
            return await self._rounds(asked)
        except BaseException as error:
            asked.end(ending_of(error), error)
            if isinstance(error, RpcError):
                return self._elsewhere(error, asked)
            raise

    def _account(self, route: Route, request: Request) -> Account:
        return self._ledger.of(route.server, route.name if request.method == "tools/call" else request.method)

    def _lease(self, server: str, caller: Caller) -> Lease | None:
        """Return a place for a caller without a session at a stateful server; ``None`` for any other."""
        return self._leases.take(server, caller.owner) if not caller.who and self._upstream.stateful(server) else None

    async def _reached(self, route: Route, request: Request, caller: Caller, seconds: float) -> Asked:
        """Return what is asked, with a conversation that is open; waits for the server to start."""
        for attempt in (1, 2):
            lease = self._lease(route.server, caller)
            session = caller.who if lease is None else lease.session
            try:
                channel = await self._upstream.connection(route.server, seconds, session)
                return Asked(route, request, caller, channel, lease, self._account(route, request))
            except BaseException as error:
                if lease is not None:
                    lease.give_back()
                abandoned = isinstance(error, Overloaded) and attempt == 1 and self._parking.abandon(route.server)
                if not abandoned:
                    raise
        raise AssertionError("unreachable")

    async def _rounds(self, asked: Asked) -> bytes | Raw:
        for _ in range(_MAX_ROUNDS):
            raw = await self._outcome(asked)
            if isinstance(raw, bytes):
                asked.end(Ending.ANSWERED)  # with a question: how long a person takes is not the server's time
                return raw
            question = rounds.asked(raw) if asked.modern else None
            if question is None:
                asked.end(results.ending(raw))
                return self._complete(raw, asked)
            asked.end(Ending.ANSWERED)
            if asked.caller.modern:
                return self._restated(question, asked)
            asked.params = {**asked.params, **await _asked_live(question, asked.talk)}
            self._call(asked, self._timeout)
        raise ProtocolError(f"the server asked for input {_MAX_ROUNDS} times and did not come to an end")

    def _put(self, asked: Asked, state: State | None, left: float) -> Asked:
        if asked.talk.log_level:
            asked.channel.want_logs(asked.talk.log_level)
        asked.params = hop.params(asked.request)
        if state is not None or STATE in asked.params or RESPONSES in asked.params:
            _say_again(asked.params, asked.channel, state)
        if asked.modern and "extensions" in asked.channel.capabilities:
            _declare_tasks(asked)
        if asked.way != "passed":
            asked.params.pop("task", None)
        if self.observer is not None:
            asked.watch = self.observer.begun(asked)
        self._call(asked, left)
        return asked

    def _call(self, asked: Asked, left: float) -> None:
        talk, request = asked.talk, asked.request
        if asked.way == "driven" and not asked.modern:
            asked.call = talk.call = HandshakeTask(asked.channel, talk, asked.params, left, self._limit)
            return
        call = asked.channel.begin(request.method, asked.params, timeout=left, limit=self._limit, dialogue=talk)
        asked.begun = asked.call = talk.call = call
        if asked.way == "passed":
            asked.call = talk.call = Making(call, lambda made, raw: self._tasks.adopt(asked, made, raw))

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _drives(self, raw: Raw, asked: Asked) -> bool:
        """Begin to look after the task that a modern server made of a call, for a client that knows none."""
        made = task.made(raw, modern=True) if asked.modern and asked.call is asked.begun else None
        if made is None:
            return False
        asked.call = asked.talk.call = ExtensionTask(asked.channel, asked.talk, made, self._limit)
        return True

    def _complete(self, raw: Raw, asked: Asked) -> bytes | Raw:
        """Return a result in the client's era; where it is a task, under the id that the client gets to know."""
        if asked.caller.modern:
            lacking.check(raw, asked.talk.lacking, asked.route.server)
        return asked.bridged(self._tasks.shown(asked, raw) if asked.way == "passed" else raw)

    def close(self) -> None:
        """Give up every call that waits for its client."""
        self._parking.close()

    async def _outcome(self, asked: Asked) -> bytes | Raw:
        """Await the server's answer; or bytes of our own that ask a modern client, while the call waits for it."""
        goes_on = False
        try:
            raw = await asked.call.answer()
            if raw is None:
                goes_on = True
                return self._parked(asked)
            goes_on = asked.way == "driven" and self._drives(raw, asked)
        finally:
            if not goes_on:
                asked.close()
        return await self._outcome(asked) if goes_on else raw

    def _parked(self, asked: Asked) -> bytes:
        ticket = self._parking.put(asked)
        state = self._new_state("parked", asked, ticket)
        return rounds.required(asked.talk.open, self._seal.close(state))

    # --- requests that come back ---------------------------------------------------------------------------------

    def _state(self, route: Route, request: Request, caller: Caller) -> State | None:
        if not caller.modern or request.method not in rounds.METHODS or STATE not in request.params:
            return None
        state = self._seal.open(request, caller.owner, route.server, time.time())
        if state is not None and state.kind == "again" and _declined(request):
            raise Fault(era.INVALID_REQUEST, "a person declined what the server asked for: nothing was done")
        return state

    def _new_state(self, kind: Kind, asked: Asked, inner: str = "") -> State:
        until, bound = time.time() + SECONDS, seal.digest(asked.request)
        server, client = asked.route.server, asked.caller.owner
        return State(kind=kind, server=server, client=client, digest=bound, until=until, inner=inner)

    def _resumed(self, state: State, route: Route, request: Request, caller: Caller) -> Asked:
        """Go on with a call that waits at a server of the handshake versions."""
        asked = self._parking.take(state.inner)
        if asked is None:
            raise Fault(era.INVALID_PARAMS, "the call that asked for this is no longer there: make the request again")
        asked.resume(request, caller)
        asked.call.put_off(self._timeout)
        return asked

    def _restated(self, question: InputRequired, asked: Asked) -> bytes:
        """Pass a modern server's question on to a modern client, its state sealed."""
        if question.state is None:
            return encode(question.members)
        return rounds.restated(question, self._seal.close(self._new_state("inner", asked, question.state)))

    def _elsewhere(self, error: RpcError, asked: Asked) -> bytes:
        """Turn a handshake server's wish for a visit to a URL into a question to a modern client, if it can open one.

        Specification 2025-11-25, "URL Mode Elicitation": error -32042 lists them, and the request is made again after.
        """
        modern, visits = asked.caller.modern, faults.url_elicitations(error)
        if not modern or not visits or "url" not in asked.talk.capabilities.get("elicitation", {}):
            raise faults.passed_on(error, asked.route.server, asked.request.method, modern=modern) from error
        named = {f"q{number}": Ask("elicitation/create", raw) for number, raw in enumerate(visits, 1)}
        return rounds.required(named, self._seal.close(self._new_state("again", asked)))


def _way(route: Route, request: Request, caller: Caller) -> Way:
    """Return what becomes of a request to a server of the handshake versions, as far as tasks go."""
    tasking = caller.view.catalogue.tasking.get(route.asked)
    return "plain" if tasking is None else way_of(tasking, route.name, request, modern=caller.modern)


def _say_again(params: dict[str, object], channel: Channel, state: State | None) -> None:
    """Have the params of a request that comes back say what its server knows of the one before."""
    if channel.era == "legacy" or (state is not None and state.kind == "again"):
        params.pop(STATE, None)
        params.pop(RESPONSES, None)
    elif state is not None:
        params[STATE] = state.inner


def _declare_tasks(asked: Asked) -> None:
    """Declare the extension to a server that has it: the gateway knows what to do with a task, if its client does not.

    SEP-2663, "Capability Negotiation": a server makes tasks for clients that declare it, of calls of tools alone.
    """
    if asked.request.method == "tools/call" and extends(asked.channel.capabilities):
        asked.way = "passed" if asked.caller.modern and extends(asked.talk.capabilities) else "driven"
        asked.talk.capabilities = with_extension(asked.talk.capabilities)


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
