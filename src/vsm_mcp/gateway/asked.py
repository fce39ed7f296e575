"""One request of a client that a server was asked."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway import results, rounds
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.leases import Lease
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.observing import Watch
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.gateway.tasks import task
from vsm_mcp.gateway.tasks.support import Way
from vsm_mcp.gateway.upstream import Awaited, Call, Channel
from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.ledger import Account
from vsm_mcp.routing.table import Route

After = Callable[["Asked", Ending], None]
"""Hears how a call ended."""


class Asked:
    """Who was asked what, in whose name. ``params`` is what was sent, ``way`` what becomes of a task.

    ``begun`` is the call that was made, and ``call`` what is awaited now: the same, or the task that was made of it.
    ``lease`` is the place of a caller without a session at a stateful server, until :meth:`close`. How it ends is
    written into ``account``, once, and told to ``watch``, who looks at it since it was made (``since``), and to
    ``after``, where somebody waits for that.
    """

    __slots__ = (
        "account", "after", "began", "begun", "call", "caller", "channel", "lease", "modern", "params", "request",
        "route", "since", "talk", "watch", "way",
    )  # fmt: skip

    def __init__(
        self,
        route: Route,
        request: Request,
        caller: Caller,
        channel: Channel,
        lease: Lease | None = None,
        account: Account | None = None,
    ) -> None:
        self.account = account
        self.after: After | None = None
        self.began = self.since = monotonic()
        self.watch: Watch | None = None
        self.route = route
        self.request = request
        self.caller = caller
        self.channel = channel
        self.modern = channel.era == "modern"
        self.lease = lease
        self.talk = Talk(request, caller)
        self.params: dict[str, object] = {}
        self.way: Way = "plain"
        self.begun: Call
        self.call: Awaited

    def plain(self) -> bytes | Raw | None:
        """Return the result that has arrived, in the client's era; ``None`` for anything but a complete one."""
        raw = self.begun.result
        if raw is None or self.talk.lacking or (self.modern and rounds.marked(raw)):
            return None
        if self.way != "plain" and task.marked(raw):
            return None
        try:
            result = self.bridged(raw)
        except ProtocolError:
            return None
        self.end(results.ending(raw))
        return result

    def bridged(self, raw: Raw) -> bytes | Raw:
        """Return a complete result in the client's era. Raises :class:`ProtocolError` for junk."""
        return results.bridged(raw, self.request.method, to_modern=self.caller.modern, from_modern=self.modern)

    def resume(self, request: Request, caller: Caller) -> None:
        """Go on in the name of the client's next request, which answers questions."""
        self.request = request
        self.caller = caller
        self.talk.resume(request, caller, rounds.responses(request.params))
        if self.talk.open:  # some answers are missing: they are asked for again ("Error Handling")
            self.call.pause()

    def end(self, ending: Ending, error: BaseException | None = None) -> None:
        """Write down how it ended; the first time counts."""
        account, self.account = self.account, None
        if account is not None:
            account.note(ending, monotonic() - self.began)
            if self.after is not None:
                self.after(self, ending)
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.ended(ending, error)

    def tell(self, after: After) -> None:
        """Have ``after`` called when it has ended, with how it did."""
        before = self.after

        def both(asked: Asked, ending: Ending) -> None:
            if before is not None:
                before(asked, ending)
            after(asked, ending)

        self.after = after if before is None else both

    def close(self) -> None:
        """Give the call up unless it is answered; nobody is asked any more."""
        self.call.give_up()
        self.talk.close()
        if self.lease is not None:
            self.lease.give_back()
