"""What MCP says in HTTP headers and statuses; pure.

Sources: specification 2026-07-28, "Transports: Streamable HTTP" (standard and custom headers); RFC 9110 for statuses.
"""

from __future__ import annotations

import base64
import functools
import re
from typing import Final

from vsm_mcp.errors import HttpRefused, Throttled, TransportError
from vsm_mcp.wire.transport import Head

_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_SENTINEL: Final = re.compile(r"=\?base64\?.*\?=")
_AGAIN: Final = frozenset({408, 425, 429})
STATUS_DECIDES: Final = _AGAIN | {401, 403, 407}
"""Statuses that mean the same whatever the body says."""
_REMEMBERED: Final = 200
_MORE_SCOPE: Final = re.compile(r"\berror\s*=\s*\"?insufficient_scope\b", re.IGNORECASE)


def encode(value: str) -> str:
    """Return a header's value; what would not survive the way is wrapped as ``=?base64?…?=``."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _SENTINEL.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="


def of_message(head: Head) -> bytes:
    """Return the header lines that repeat what a message says about itself."""
    lines = (_version(head.version) if head.version else b"") + head.trace
    if not head.modern:
        return lines
    name = head.name or ""
    if len(head.method) + len(name) <= _REMEMBERED:
        lines += _routing(head.method, head.name)
    else:  # a resource's URI can be of any length: too much to keep thousands of
        lines += _routing.__wrapped__(head.method, head.name)
    for argument, value in head.arguments.items():
        lines += _line(f"Mcp-Param-{argument}", value)
    return lines


@functools.lru_cache(maxsize=4096)
def _routing(method: str, name: str | None) -> bytes:
    return _line("Mcp-Method", method) + (b"" if name is None else _line("Mcp-Name", name))


@functools.lru_cache(maxsize=16)
def _version(version: str) -> bytes:
    return _line("MCP-Protocol-Version", version)


def _line(name: str, value: str) -> bytes:
    return f"{name}: {encode(value)}\r\n".encode()


def wants_authorization(status: int, challenge: str) -> bool:
    """Return whether authorization would help: none was given, or one for less (RFC 6750, section 3.1)."""
    return status == 401 or (status == 403 and _MORE_SCOPE.search(challenge) is not None)


def refusal(status: int, retry_after: str, place: str) -> TransportError:
    """Return the error that a status without a message means; ``place`` names the server without its secrets."""
    if status == 401:
        return HttpRefused(status, f"{place} wants authorization (401)", "give its token as a header or a secret")
    if status == 403:
        return HttpRefused(
            status, f"{place} forbids it (403)", "the token given lacks the right, or the origin is refused"
        )
    if status == 407:
        return HttpRefused(status, "a proxy on the way wants authorization (407)", "see HTTPS_PROXY")
    if status in _AGAIN or status >= 500:
        wait = f"it asks to wait {retry_after} s" if retry_after.isdigit() else "try again later"
        kind = Throttled if status == 429 else TransportError
        trouble = kind(f"{place} is not able to answer now ({status})", wait)
        if isinstance(trouble, Throttled) and retry_after.isdigit():
            trouble.after = float(retry_after[:9])
        return trouble
    return HttpRefused(status, f"{place} refused with status {status}", "is this the URL of an MCP endpoint?")
