"""Tasks that clients hold themselves: made for them, and asked about by them, under ids of the gateway's own."""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple

from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RpcError
from vsm_mcp.gateway import faults, hop
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks import related
from vsm_mcp.gateway.tasks.idents import Named, TaskIds, owner_of
from vsm_mcp.gateway.tasks.ledger import Entry, Held, Ledger
from vsm_mcp.gateway.tasks.pages import Pages
from vsm_mcp.gateway.tasks.support import extends
from vsm_mcp.gateway.tasks.task import Task, made, read
from vsm_mcp.gateway.tasks.voice import Voice
from vsm_mcp.gateway.upstream import Call, Channel, Upstream, result_of
from vsm_mcp.wire import era

LIST: Final = "tasks/list"
_LIST_SECONDS: Final = 10.0
METHODS: Final = {
    True: frozenset({"tasks/get", "tasks/update", "tasks/cancel"}),
    False: frozenset({"tasks/get", "tasks/result", "tasks/cancel", LIST}),
}
"""Era of the client (whether it is modern) → what it may ask about tasks."""

_HINT: Final = encode({"class": "not_found", "retryable": False, "hint": "call the tool again"})
_LACKING: Final = encode({"requiredCapabilities": {"extensions": {era.TASKS: {}}}})


class Target(NamedTuple):
    """The task that a request is about: ``shown`` is the id that the client knows."""

    named: Named
    shown: str


class Tasks:
    """Gives out tasks, and answers what their holders ask.

    ``timeout`` (seconds) is for one request; one that waits for a result may take ``limit``.
    """

    def __init__(self, upstream: Upstream, timeout: float, limit: float) -> None:
        self._upstream = upstream
        self._timeout = timeout
        self._limit = limit
        self._ids = TaskIds()
        self.ledger = Ledger()
        self._pages = Pages(upstream, self.ledger, min(timeout, _LIST_SECONDS))

    def wait(self, timeout: float, limit: float) -> None:
        """Have other times count for requests from now on."""
        self._timeout, self._limit = timeout, limit

    def seal_with(self, key: bytes) -> None:
        """Give out ids that another process with the same ``key`` (32 bytes) can open."""
        self._ids = TaskIds(key)

    # --- making ------------------------------------------------------------------------------------------------------

    def adopt(self, asked: Asked, call: Call, result: Raw) -> None:
        """Take note of the task that a call has made, if it made one, before anything else is heard of it."""
        with contextlib.suppress(ProtocolError):  # whoever reads the answer says so
            task = made(result, modern=asked.modern)
            if task is not None:
                self._enter(asked, call, task)

    def shown(self, asked: Asked, result: Raw) -> Raw:
        """Return the answer to a call that asked for a task, with the id that the client gets to know.

        Raises :class:`ProtocolError` for junk.
        """
        task = made(result, modern=asked.modern)
        if task is None:
            return result
        ident = self._ids.close(Named(asked.route.server, task.ident), owner_of(asked.caller))
        return related.named(result, ident) if asked.modern else related.made(result, ident)

    def _enter(self, asked: Asked, call: Call, task: Task) -> None:
        server, caller = asked.route.server, asked.caller
        owner, held = owner_of(caller), Held(asked.channel, task.ident)
        lease, asked.lease = asked.lease, None  # the process stays its own for as long as the task lasts
        voice: Voice | None = None
        if caller.session is not None and not asked.modern:
            shown = self._ids.close(Named(server, task.ident), owner)
            later = caller.through(caller.session)
            voice = Voice(asked.request, later, task.ident, shown, lambda: self.ledger.settle(held))

        def let_go() -> None:
            call.give_up()
            if voice is not None:
                voice.close()
            if lease is not None:
                lease.give_back()

        self.ledger.enter(held, Entry(server, owner, None if lease is None else lease.session, let_go), task)
        if task.ended:
            self.ledger.settle(held)
        else:
            call.about(task.ident, voice)

    # --- asking about them -------------------------------------------------------------------------------------------

    def check(self, request: Request, caller: Caller) -> None:
        """Refuse a method that is not of the client's era or that nobody here serves. Raises :class:`Fault`."""
        supports = [tasking.support for tasking in caller.view.catalogue.tasking.values()]
        served = any(each.extension if caller.modern else each.calls for each in supports)
        if not served or request.method not in METHODS[caller.modern]:
            raise Fault(era.METHOD_NOT_FOUND, f"unknown method: {request.method[:200]}")
        if caller.modern:
            check_declared(request)

    def target(self, request: Request, caller: Caller) -> Target:
        """Return the task that a request names. Raises :class:`Fault` (-32602) for one that is not the client's."""
        shown = request.text("taskId")
        named = self._ids.open(shown, owner_of(caller))
        if named is None or named.server not in caller.view.catalogue.shelves:
            raise _unknown()
        return Target(named, shown)

    async def ask(self, target: Target, request: Request, caller: Caller) -> Raw:
        """Return what the server says about a task. Raises :class:`Fault` and what a call raises, but RpcError."""
        (server, ident), shown = target
        channel = await self._upstream.connection(server, self._timeout, self._session(target.named, caller))
        self._check_held(Held(channel, ident), caller)
        waits = request.method == "tasks/result"
        talk = Voice(request, caller, ident, shown, lambda: None) if waits else Talk(request, caller)
        params = {**hop.params(request), "taskId": ident}
        seconds = self._limit if waits else self._timeout
        call = channel.begin(request.method, params, timeout=seconds, dialogue=talk)
        if waits:
            call.about(ident, talk)
        try:
            raw = await result_of(call)
        except RpcError as error:
            raise faults.passed_on(error, server, request.method, modern=caller.modern) from error
        finally:
            talk.close()
        self._noted(target, Held(channel, ident), request.method, caller, raw)
        return related.related(raw, shown) if waits else related.named(raw, shown)

    async def list(self, request: Request, caller: Caller) -> bytes:
        """Return a page of the tasks that a handshake client holds. Raises :class:`Fault`."""
        return await self._pages.answer(request, caller, self._ids)

    def held_now(self, shown: str, caller: Caller) -> Held | None:
        """Return the task that an id of the client's stands for, if its server is ready."""
        named = self._ids.open(shown, owner_of(caller))
        if named is None or named.server not in caller.view.catalogue.shelves:
            return None
        channel = self._upstream.ready(named.server, self._session(named, caller))
        held = None if channel is None else Held(channel, named.ident)
        return held if held is not None and self._may(held, caller) else None

    def settle(self, channel: Channel, ident: str) -> None:
        """Take note that a task has ended."""
        self.ledger.settle(Held(channel, ident))

    def forget(self, owner: str) -> None:
        """Take note that a client is gone for good."""
        self.ledger.forget(owner)

    def close(self) -> None:
        """Forget everything."""
        self.ledger.close()

    def _check_held(self, held: Held, caller: Caller) -> None:
        """Refuse what is of the other era, and an id that its server has given to another client's task since."""
        if (held.channel.era == "modern") is not caller.modern or not self._may(held, caller):
            raise _unknown()

    def _session(self, named: Named, caller: Caller) -> str:
        """Return the key of the process that is asked about a task, where its server has one for each session."""
        place = self.ledger.place(named.server, named.ident, owner_of(caller))
        return caller.who if place is None else place

    def _may(self, held: Held, caller: Caller) -> bool:
        return self.ledger.owner(held) in {None, owner_of(caller)}

    def _noted(self, target: Target, held: Held, method: str, caller: Caller, raw: Raw) -> None:
        """Take note of what an answer says: that a task has ended, or is there in a conversation which is new."""
        if method == "tasks/result":
            self.ledger.settle(held)
        elif method == "tasks/get":
            with contextlib.suppress(ProtocolError):
                task = read(raw)
                if self.ledger.owner(held) is None:
                    self.ledger.enter(held, Entry(target.named.server, owner_of(caller)), task)
                if task.ended:
                    self.ledger.settle(held)


def check_declared(request: Request) -> None:
    """Raise :class:`Fault` (-32021) where a modern client does not declare the extension (SEP-2663)."""
    if not extends(request.capabilities):
        raise Fault(era.MISSING_CLIENT_CAPABILITY, f"{request.method} needs the extension {era.TASKS}", _LACKING)


def _unknown() -> Fault:
    return Fault(era.INVALID_PARAMS, "there is no such task: it was forgotten, or it is not yours", _HINT)
