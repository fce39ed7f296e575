"""A plug-in: three methods, whatever is behind them; and what can go wrong with an external server there. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.errors import HttpRefused, LoginNeeded, ProtocolError, RequestTimeout, RpcError, UsageError, VsmError
from vsm_mcp.wire.post import SessionGone

LONGEST_SECONDS: Final = 60.0


class ErrorKind(StrEnum):
    """What kind of thing went wrong: who to ask is not the same for each.

    ``connection``: the server cannot be reached, or broke. ``protocol``: it was reached, and what it says is no MCP, or
    is a refusal. ``timeout``: it did not answer in time. ``session``: it does not know us (any more).
    """

    CONNECTION = "connection"
    PROTOCOL = "protocol"
    TIMEOUT = "timeout"
    SESSION = "session"


class PluginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One tool to be called.

    ``repeatable`` says whether it may be carried out twice, so that it is asked for again when nobody knows whether it
    was; where nobody says, it is as the tool says of itself (``readOnlyHint``, ``idempotentHint``).
    """

    tool: str
    arguments: dict[str, Any] = {}
    repeatable: bool | None = None


class PluginError(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer; ``code`` and ``hint`` are those of :mod:`vsm_mcp.errors`."""

    kind: ErrorKind
    message: str
    code: str = ""
    hint: str = ""


class PluginResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: ``content`` and ``structured`` as the tool gave them, or an ``error``.

    ``failed`` says that the tool itself reports a failure, which is an answer. ``attempts`` counts the first one, too.
    """

    content: list[dict[str, Any]] = []
    structured: Any = None
    failed: bool = False
    error: PluginError | None = None
    attempts: int = 1
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the tool did what it was asked for, as far as it says."""
        return self.error is None and not self.failed


class Plugin(Protocol):
    """What a host needs of a plug-in."""

    async def initialize(self) -> None:
        """Get ready. Raises :class:`VsmError` when that fails for good."""
        ...

    async def handle(self, request: PluginRequest) -> PluginResponse:
        """Answer one request; what goes wrong is in the response."""
        ...

    async def shutdown(self) -> None:
        """Leave nothing behind. Idempotent."""
        ...


def delay(attempt: int) -> float:
    """Return for how many seconds to wait after a failed attempt (the first is 1): 1, 2, 4 … 60."""
    return min(2.0 ** min(attempt - 1, 10), LONGEST_SECONDS)


def kind_of(error: VsmError) -> ErrorKind:
    """Return what kind of thing went wrong."""
    cause = str(getattr(getattr(error, "cause", None), "code", ""))
    if isinstance(error, (SessionGone, LoginNeeded)) or cause == LoginNeeded.code:
        return ErrorKind.SESSION
    if isinstance(error, RequestTimeout) or cause in {"hung", "not_listening", RequestTimeout.code}:
        return ErrorKind.TIMEOUT
    if isinstance(error, (ProtocolError, UsageError, HttpRefused)) or cause in {"protocol", "not_a_server"}:
        return ErrorKind.PROTOCOL
    return ErrorKind.CONNECTION


def may_be_tried_again(error: VsmError, *, sent: bool, repeatable: bool) -> bool:
    """Return whether another attempt makes sense and does no harm.

    ``sent`` says that the request may have reached the server. A refusal stays one; what was sent may have been done.
    """
    if kind_of(error) is ErrorKind.PROTOCOL:
        return False
    return repeatable or not sent or isinstance(error, SessionGone)


def error_of(error: VsmError) -> PluginError:
    """Return what a host is told."""
    message = f"{error.message} ({error.rpc_code})" if isinstance(error, RpcError) else error.message
    return PluginError(kind=kind_of(error), message=message, code=error.code, hint=error.hint)
