"""Whoever looks at calls of servers, for traces and logs: where nobody does, the call path only asks whether.

An observer sees names, never arguments or results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vsm_mcp.model.ending import Ending

if TYPE_CHECKING:
    from vsm_mcp.gateway.asked import Asked
    from vsm_mcp.gateway.caller import Caller
    from vsm_mcp.gateway.messages import Request
    from vsm_mcp.routing.table import Route


class Watch(Protocol):
    """One call that is looked at."""

    def ended(self, ending: Ending, error: BaseException | None) -> None:
        """Take note of how it ended, once; ``error`` is what was raised, if anything."""
        ...


class Observer(Protocol):
    """Looks at every call that is made of a server. It must neither wait nor raise."""

    def begun(self, asked: Asked) -> Watch | None:
        """Take note of a call just before it is sent; ``asked.params`` may be replaced.

        ``None``: how it ends is of no interest.
        """
        ...

    def unreached(self, route: Route, request: Request, caller: Caller, since: float, error: BaseException) -> None:
        """Take note of a call that did not come so far; ``since`` is when it was made (``time.monotonic``)."""
        ...
