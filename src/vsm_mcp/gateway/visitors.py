"""Principals as they are here now: how much each asks, within its grant. Everything is bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from vsm_mcp.gateway.refusals import Refusal, overloaded, too_many
from vsm_mcp.model.principal import Grant, Principal
from vsm_mcp.policy import bucket
from vsm_mcp.policy.bucket import Rate

_REMEMBERED: Final = 8192
_AT_ONCE_SECONDS: Final = 1.0


class Visitor:
    """One principal: what is left in its bucket, its requests that are open, and its streams."""

    __slots__ = ("_bucket", "requests", "streams")

    def __init__(self) -> None:
        self._bucket: bucket.Bucket | None = None
        self.requests: set[Visit] = set()
        self.streams: set[Visit] = set()

    @property
    def busy(self) -> bool:
        """Whether anything of it is open."""
        return bool(self.requests or self.streams)

    def wait(self, grant: Grant, now: float) -> float:
        """Count one request; 0, or the seconds until there may be one."""
        rate = Rate(grant.rate, grant.burst or max(1, round(grant.rate)))
        self._bucket, seconds = bucket.take(self._bucket or bucket.full(rate, now), rate, now)
        return seconds


class Visit:
    """One request that is open. ``cut`` ends it from outside; whoever answers it says how."""

    __slots__ = ("_visitor", "cut", "principal")

    def __init__(self, principal: Principal, visitor: Visitor) -> None:
        self.principal = principal
        self.cut: Callable[[], object] = _nothing
        self._visitor = visitor
        visitor.requests.add(self)

    def stay(self) -> None:
        """Take note that the request has become a stream: it holds one of as many places for those instead.

        Raises :class:`Refusal` (429) for one too many.
        """
        most, visitor = self.principal.grant.concurrency, self._visitor
        if most and len(visitor.streams) >= most:
            raise _at_once(self.principal, "streams")
        visitor.requests.discard(self)
        visitor.streams.add(self)

    def leave(self) -> None:
        """Give its place back. Idempotent."""
        self._visitor.requests.discard(self)
        self._visitor.streams.discard(self)


class Visitors:
    """All principals that were here lately but :data:`~vsm_mcp.model.principal.LOCAL`, which nothing is counted of."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()

    def enter(self, principal: Principal) -> Visit:
        """Take the place of one request; :meth:`Visit.leave` gives it back.

        Raises :class:`Refusal`: 429 for one too many in a while or at a time, 503 when too many principals are busy.
        """
        grant, visitor = principal.grant, self._of(principal.name)
        if grant.concurrency and len(visitor.requests) >= grant.concurrency:
            raise _at_once(principal, "requests")
        if grant.rate and (seconds := visitor.wait(grant, monotonic())):
            raise too_many(f"{principal.name} may make {grant.rate:g} requests a minute", seconds)
        return Visit(principal, visitor)

    def expel(self, name: str) -> None:
        """Cut off whatever a principal has open, and forget it."""
        visitor = self._visitors.pop(name, None)
        if visitor is not None:
            for visit in (*visitor.requests, *visitor.streams):
                visit.cut()

    def _of(self, name: str) -> Visitor:
        visitor = self._visitors.get(name)
        if visitor is None:
            if len(self._visitors) >= self._remembered:
                self._forget_one()
            visitor = self._visitors[name] = Visitor()
        else:
            self._visitors.move_to_end(name)
        return visitor

    def _forget_one(self) -> None:
        for name, visitor in self._visitors.items():
            if not visitor.busy:
                del self._visitors[name]
                return
        raise overloaded("too many clients are here")


def _at_once(principal: Principal, what: str) -> Refusal:
    most = principal.grant.concurrency
    return too_many(f"{principal.name} may have {most} {what} open at a time", _AT_ONCE_SECONDS)


def _nothing() -> None:
    """Do nothing: nobody has begun to answer."""
