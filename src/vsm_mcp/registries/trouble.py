"""Why a request failed before there was an answer, in words that hold nothing of its address or headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vsm_mcp.deferred import deferred

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = deferred("aiohttp")


def trouble(error: BaseException) -> str:
    """Return what an exception of a request means; of one that is not known here, its name."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect ({error.os_error.strerror or error.os_error})"
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return "the connection broke before all was there"
    return type(error).__name__
