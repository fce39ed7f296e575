"""What the gateway needs from whoever keeps the servers running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Raw

from vsm_mcp.wire.dialogue import Dialogue


class Awaited(Protocol):
    """Something a server works on: a call in flight, or a task that is driven in the place of one."""

    async def answer(self) -> Raw | None:
        """Await the raw result; ``None`` when the call was paused.

        Raises :class:`vsm_mcp.errors.RpcError`, :class:`RequestTimeout` or :class:`TransportError`.
        """
        ...

    def pause(self) -> None:
        """Wake whoever awaits the answer; the call goes on."""
        ...

    def put_off(self, seconds: float) -> None:
        """Let it wait for ``seconds`` from now on."""
        ...

    def give_up(self) -> None:
        """Cancel it at the server unless it is answered. Idempotent."""
        ...


class Call(Awaited, Protocol):
    """One call in flight: :class:`vsm_mcp.wire.call.Call`, as far as it is used here."""

    @property
    def result(self) -> Raw | None:
        """The raw result, if there is one by now."""
        ...

    def when_settled(self, tell: Callable[[], None] | None) -> None:
        """Have ``tell`` called once, when there is an outcome or a pause (soon, if there is already)."""
        ...

    def about(self, task: str, dialogue: Dialogue | None) -> None:
        """Have ``dialogue`` hear what the server says and asks about one of its tasks, until this is given up."""
        ...


async def result_of(call: Awaited) -> Raw:
    """Await the result of a call that nobody pauses, and give it up in the end. Raises what its answer raises."""
    try:
        while (raw := await call.answer()) is None:
            pass
        return raw
    finally:
        call.give_up()


class Channel(Protocol):
    """One conversation with one server: :class:`vsm_mcp.wire.connection.Connection`, as far as it is used here."""

    capabilities: dict[str, Any]
    closed: asyncio.Future[str]
    """Resolves to the reason when nothing will be answered any more."""

    @property
    def era(self) -> str:
        """``modern`` or ``legacy``."""
        ...

    def begin(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float,
        limit: float = 0.0,
        dialogue: Dialogue | None = None,
    ) -> Call:
        """Ask; ``timeout`` (seconds) may be put off by progress until ``limit``. Raises :class:`TransportError`."""
        ...

    def want_logs(self, level: str) -> None:
        """Have log messages sent from ``level`` on."""
        ...


class Upstream(Protocol):
    """Gives a conversation with a server, starting the server when it must."""

    def ready(self, server: str, session: str = "") -> Channel | None:
        """Return what :meth:`connection` would, if it can be had at once, or ``None``."""
        ...

    async def connection(self, server: str, timeout: float, session: str = "") -> Channel:
        """Return a ready conversation with ``server``, within ``timeout`` seconds; ask again for each call.

        ``session`` is an opaque key of the client that asks, empty for none in particular. A stateful server has a
        process for each, every other one ignores it.

        Raises any :class:`vsm_mcp.errors.VsmError` that says why there is none: :class:`ServerDown` as a rule,
        :class:`Overloaded` when a stateful server has no process left for one more session.
        """
        ...

    def stateful(self, server: str) -> bool:
        """Return whether a server has a process for each session."""
        ...

    def end_session(self, session: str) -> None:
        """Take note that a client is gone for good: what runs for it alone is ended, calls in flight or not.

        Does not wait and may be repeated. A key that is used again afterwards is a new client's.
        """
        ...

    def tell(self, session: str, method: str) -> None:
        """Send a notification without params to every handshake server's process that works for ``session`` alone."""
        ...

    def observe_stateful(self, server: str) -> None:
        """Take note that ``server`` was seen to need a process for each client, as one does that asks its client.

        From now on each session gets one (calls in flight stay where they are), unless a person said otherwise.
        """
        ...

    def watch(self, name: str, uri: str) -> None:
        """Have ``uri`` of a server watched, now and whenever it is started: the gateway's ``updated`` is called."""
        ...

    def unwatch(self, name: str, uri: str) -> None:
        """Have it watched no longer. Idempotent."""
        ...
