"""Events go out here: to those who subscribed for good, and to the operation in whose name they happened."""

from __future__ import annotations

from contextvars import ContextVar

from vsm_mcp.events import Emit, Event

_operation: ContextVar[Emit | None] = ContextVar("operation", default=None)


class Bus:
    """``emit`` hands an event to every subscriber, and to the listener of the current operation (by context)."""

    def __init__(self) -> None:
        self._subscribers: list[Emit] = []

    def subscribe(self, listener: Emit) -> None:
        """Call ``listener`` with every event from now on; it must neither block nor raise."""
        self._subscribers.append(listener)

    def emit(self, event: Event) -> None:
        """Publish one event."""
        for listener in self._subscribers:
            listener(event)
        current = _operation.get()
        if current is not None:
            current(event)

    def listen(self, listener: Emit) -> None:
        """Let ``listener`` hear what happens in the name of the current task and of those it starts."""
        _operation.set(listener)
