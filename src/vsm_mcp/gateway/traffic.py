"""The way of a call where there is more to it than its route: replicas, breakers, kept results, and what may follow.

The plain case never comes here: a server with nothing special about it is asked by :class:`Calls` at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Final, Protocol

from msgspec import Raw

from vsm_mcp.errors import VsmError
from vsm_mcp.events import Emit, FailedOver, ignore
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.asking import Asking
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.keeping import Keeping
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.seal import RESPONSES, STATE
from vsm_mcp.gateway.sides import Sides
from vsm_mcp.gateway.upstream import Upstream
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.model.routing_settings import RoutingSettings
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing import failover, rewrite
from vsm_mcp.routing.breaker import BreakerOpen, Rules
from vsm_mcp.routing.breakers import Failed, Probe
from vsm_mcp.routing.cache import Key
from vsm_mcp.routing.router import Router
from vsm_mcp.routing.table import Route
from vsm_mcp.routing.traits import Traits, Words
from vsm_mcp.wire import era

_STAND_INS: Final = 2
"""So many other tools are asked in place of one."""
_READING: Final = Traits(read_only=True, idempotent=True, destructive=False)
_TOLD_SECONDS: Final = 60.0
_NAMED: Final = 3


class StandIns(Protocol):
    """Knows which tools of other servers can do the work of one."""

    def stand_ins(self, server: str, tool: str) -> Sequence[StandIn]:
        """Return them, the surest first; none for a tool that nobody can stand in for."""
        ...


class NoStandIns:
    """Knows of none."""

    def stand_ins(self, _server: str, _tool: str) -> Sequence[StandIn]:
        """Return none."""
        return ()


class Job:
    """One call of a client, however often it is made. ``tried`` are the servers that failed it.

    ``sent`` says that one of them may have done what was asked.
    """

    __slots__ = ("again", "asked", "began", "caller", "request", "route", "sent", "stood_in", "tried")

    def __init__(self, route: Route, request: Request, caller: Caller, began: float) -> None:
        self.route = Route(route.asked, route.name) if route.origin else route
        self.request = request
        self.caller = caller
        self.began = began
        self.asked: Asked | None = None
        self.again = 0
        self.sent = False
        self.tried: set[str] = set()
        self.stood_in: set[tuple[str, str]] = set()

    @property
    def tool(self) -> str:
        """What breakers and accounts call it."""
        return self.route.name if self.request.method == "tools/call" else self.request.method

    @property
    def fresh(self) -> bool:
        """Whether its client heard nothing of it yet, and waits for a plain answer."""
        params, asked = self.request.params, self.asked
        if STATE in params or RESPONSES in params or "task" in params:
            return False
        return asked is None or (asked.way == "plain" and not asked.talk.touched)


class Traffic:
    """Sees calls through. ``stand_ins`` knows who could answer in place of whom, ``emit`` hears what happened."""

    def __init__(self, asking: Asking, router: Router, upstream: Upstream) -> None:
        self.router = router
        self.words = Words()
        self.keeping = Keeping(upstream, self.words)
        self.settings = RoutingSettings()
        self.stand_ins: StandIns = NoStandIns()
        self.emit: Emit = ignore
        self.draw: Callable[[], float] = random.random
        self._asking = asking
        self._sides = Sides(router)
        self._told: dict[tuple[str, str, str, str], tuple[float, int]] = {}

    def configure(self, settings: RoutingSettings) -> None:
        """Have other settings count from now on."""
        self.settings = settings
        self.router.sticky = settings.affinity
        self.router.breakers.configure(rules_of(settings) if settings.breakers else None)
        self.keeping.configure(settings)
        self.router.watch(self.keeping.servers)

    def show(self, offers: Mapping[str, Offer]) -> None:
        """Take in what is served now."""
        self.words.show(offers)
        self.keeping.show(offers)
        self.router.watch(self.keeping.servers)

    # --- a call -------------------------------------------------------------------------------------------------------

    def begin(self, route: Route, request: Request, caller: Caller) -> Asked | None:
        """Ask a server about which something is special, without waiting; ``None`` when that takes more."""
        now = monotonic()
        if self.keeping.may_have(route, request) or self.router.weights.get(route.server) == 0.0:
            return None
        directed = self.router.directed(route, caller.owner, now)
        target, request = self._sides.settled(route, directed, request, "")
        if self._sides.looks_on(target):
            return None
        try:
            probe = self._admitted(target, request, now)
        except BreakerOpen:
            return None
        asked = None
        try:
            asked = self._asking.begin(target, request, caller)
        finally:
            if asked is None and probe is not None:
                probe.ended(Ending.GIVEN_UP, now)
        if asked is not None:
            self._follow(asked, probe)
            self.keeping.follow(asked, None)
        return asked

    async def ask(self, route: Route, request: Request, caller: Caller) -> bytes | Raw:
        """Ask, whatever it takes. Raises :class:`Fault`, and the :class:`VsmError` that says why there is no result."""
        job = Job(route, request, caller, monotonic())
        if route.server not in self.router.special:
            return await self._through(job)
        key = self.keeping.key(route, request, caller)
        kept = None if key is None else self.keeping.found(key, caller)
        if kept is not None:
            return kept
        if self.router.weights.get(route.server) == 0.0 and job.fresh:
            spared = await self._spared(job)
            if spared is not None:
                return spared
        return await self._through(job, key)

    async def finish(self, asked: Asked) -> bytes | Raw:
        """Return the result of what was begun; as :meth:`ask`."""
        try:
            return await self._asking.finish(asked)
        except Fault:
            raise
        except VsmError as error:
            job = Job(asked.route, asked.request, asked.caller, asked.began)
            job.asked = asked
            self._failed(asked.route.server, job.tool, error, asked.began)
            return await self._recovered(job, error, asked.route.server)

    async def _through(self, job: Job, key: Key | None = None) -> bytes | Raw:
        target, request = self._target(job)
        copied = self._sides.params(target, job.request)
        try:
            result = await self._made(job, target, request, key)
        except Fault:
            raise
        except VsmError as error:
            return await self._recovered(job, error, target.server)
        return self._sides.answered(target, copied, result)

    async def _recovered(self, job: Job, error: VsmError, server: str) -> bytes | Raw:
        """Do what may follow a failure, until there is an answer, or nothing may follow any more."""
        while True:
            job.tried.add(server)
            failed = self._judged(job, error)
            others, request = self._target(job)
            elsewhere = others.server not in job.tried and failover.may_go_elsewhere(failed)
            if not elsewhere and not failover.may_repeat(failed, self.settings):
                break
            if not elsewhere:
                await asyncio.sleep(failover.pause(job.again, self.draw(), failed.left))
                job.again += 1
            server = others.server
            try:
                result = await self._made(job, others, request)
            except Fault:
                raise
            except VsmError as again:
                error = again
                continue
            return self._labelled(job, result, server, job.route.name, error) if elsewhere else result
        found = await self._stood_in(job, failed)
        if found is None:
            raise self._with_others(job, error)
        return found

    async def _made(self, job: Job, target: Route, request: Request, key: Key | None = None) -> bytes | Raw:
        """Make a call once. Raises what went wrong, after the breakers have heard of it."""
        now = monotonic()
        probe = self._admitted(target, request, now) if job.fresh else None
        left = self._asking.timeout - (now - job.began)
        try:
            job.asked = asked = await self._asking.put(target, request, job.caller, left)
        except BaseException as error:
            ending = ending_of(error)
            if probe is not None:
                probe.ended(ending, monotonic())
            if isinstance(error, VsmError) and not isinstance(error, Fault):
                error.unsent = True
                self._failed(target.server, job.tool, error, now)
            raise
        self._follow(asked, probe)
        self.keeping.follow(asked, key)
        try:
            return await self._asking.finish(asked)
        except Fault:
            raise
        except VsmError as error:
            self._failed(target.server, job.tool, error, asked.began)
            raise

    def _target(self, job: Job) -> tuple[Route, Request]:
        """Return who is asked next, and what: who has begun it, where it goes on, else by share, weight and load."""
        route, request = job.route, job.request
        holder = self._asking.holder(request)
        if holder and any(each.server == holder for each in self.router.groups.get(route.server, ())):
            return (route if holder == route.server else Route(holder, route.name, route.server)), request
        if route.server not in self.router.special or (holder and route.server not in self.router.shares):
            return route, request
        directed = self.router.directed(route, job.caller.owner, monotonic(), job.tried)
        return self._sides.settled(route, directed, request, holder)

    # --- breakers -----------------------------------------------------------------------------------------------------

    def _admitted(self, target: Route, request: Request, now: float) -> Probe | None:
        tool = target.name if request.method == "tools/call" else request.method
        return self.router.breakers.admit(target.server, tool, now)

    def _follow(self, asked: Asked, probe: Probe | None) -> None:
        if probe is not None:
            asked.tell(lambda _asked, ending: probe.ended(ending, monotonic()))

    def _failed(self, server: str, tool: str, error: VsmError, began: float) -> None:
        if isinstance(error, BreakerOpen):
            return
        self.router.breakers.failed(
            Failed(
                server=server,
                tool=tool,
                ending=ending_of(error),
                began=began,
                now=monotonic(),
                after=getattr(error, "after", 0.0),
                reached=not error.unsent,
            )
        )

    # --- others in its place ------------------------------------------------------------------------------------------

    def _judged(self, job: Job, error: VsmError) -> failover.Failed:
        is_call = job.request.method == "tools/call"
        traits = self.words.of(job.route.server, job.route.name) if is_call else _READING
        left = self._asking.timeout - (monotonic() - job.began)
        failed = failover.Failed(error=error, traits=traits, fresh=job.fresh, again=job.again, left=left, sent=job.sent)
        job.sent = not failed.untouched
        return failed

    async def _spared(self, job: Job) -> bytes | Raw | None:
        """Have another server's tool answer for one that is not well, if there is one; else it has to do it itself."""
        error = BreakerOpen(f"{job.route.server} is not well, and spared", "", 0.0)
        return await self._stood_in(job, self._judged(job, error))

    async def _stood_in(self, job: Job, failed: failover.Failed) -> bytes | Raw | None:
        """Return another tool's answer, where one may give it; ``None`` where none may, or none could."""
        if job.request.method != "tools/call":
            return None
        for stand_in, request in self._standing_in(job, failed):
            if len(job.stood_in) >= _STAND_INS:
                break
            job.stood_in.add((stand_in.server, stand_in.tool))
            other = Job(Route(stand_in.server, stand_in.tool), request, job.caller, job.began)
            try:
                result = await self._made(other, other.route, request)
            except VsmError as error:
                # What it may have done there it may not do once more.
                if not failover.may_go_elsewhere(self._judged(other, error)):
                    return None
                continue
            return self._labelled(job, result, stand_in.server, stand_in.tool, failed.error)
        return None

    def _standing_in(self, job: Job, failed: failover.Failed) -> Iterator[tuple[StandIn, Request]]:
        for stand_in in self._known(job):
            traits = self.words.of(stand_in.server, stand_in.tool)
            if not failover.may_stand_in(failed, traits, self.settings):
                continue
            params = rewrite.rewritten(job.request.params, stand_in)
            if params is not None and not self.router.breakers.blocked(stand_in.server, stand_in.tool, monotonic()):
                yield stand_in, _unasking(job.request, params)

    def _known(self, job: Job) -> list[StandIn]:
        """Return who could stand in, as far as the settings allow it and the client may use it, the best first."""
        asked, weights = (job.route.server, job.route.name), self.router.weights
        found = [
            each
            for each in self.stand_ins.stand_ins(*asked)
            if not failover.denied(self.settings, (asked, (each.server, each.tool)))
        ]
        offered = self._names(job, found)
        return sorted(
            (each for each in found if (each.server, each.tool) in offered),
            key=lambda each: -each.likeness * weights.get(each.server, 1.0),
        )

    def _names(self, job: Job, found: Iterable[StandIn]) -> dict[tuple[str, str], str]:
        """Return under which names a client knows some tools; it may use no others."""
        wanted = {(each.server, each.tool) for each in found}
        tools = job.caller.view.catalogue.table.tools.items() if wanted else ()
        return {(route.server, route.name): name for name, route in tools if (route.server, route.name) in wanted}

    def _with_others(self, job: Job, error: VsmError) -> VsmError:
        """Return an error that names the tools which could do the same, where it is one of ours alone."""
        if isinstance(error, BreakerOpen) and job.request.method == "tools/call":
            names = [*self._names(job, self._known(job)).values()][:_NAMED]
            error.hint += f": {', '.join(names)}" if names else ""
        return error

    def _labelled(self, job: Job, result: bytes | Raw, server: str, tool: str, error: VsmError) -> bytes | Raw:
        """Say in a result who gave it, and publish it."""
        key = (job.route.server, job.route.name, server, tool)
        now, (last, calls) = monotonic(), self._told.get(key, (float("-inf"), 0))
        if now - last >= _TOLD_SECONDS:
            self.emit(FailedOver(*key, reason=error.message, calls=calls + 1))
            last, calls = now, -1
        self._told[key] = (last, calls + 1)
        return rewrite.served_by(result, server, tool)


def rules_of(settings: RoutingSettings) -> Rules:
    """Return the rules of breakers that the settings ask for."""
    return Rules(
        window=settings.breaker_window_seconds,
        calls=settings.breaker_calls,
        rate=settings.breaker_error_rate,
        in_a_row=settings.breaker_in_a_row,
        shortest=min(settings.breaker_open_seconds, settings.breaker_longest_seconds),
        longest=settings.breaker_longest_seconds,
    )


def _unasking(request: Request, params: dict[str, Raw]) -> Request:
    """Return a request of another tool, of which its server can ask the client nothing: it was not told of it."""
    meta = None if request.meta is None else {**request.meta}
    if meta is not None:
        meta.pop(era.META_CLIENT_CAPABILITIES, None)
    return Request(request.id, request.method, params, meta)
