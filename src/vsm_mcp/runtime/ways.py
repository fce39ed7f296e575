"""Other ways of starting a program that its own words name: a command, a switch, where it listens. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from vsm_mcp.model.trial import Retry

SERVES: Final = ("stdio", "serve", "server", "mcp", "start", "run")
"""Commands that serve MCP over the standard streams where a program has one of them, the likeliest first."""
_MOST: Final = 2

_STDIO: Final = re.compile(r"(?<![\w-])--stdio\b")
_CHOICE: Final = re.compile(
    r"(?<![\w-])(?P<flag>--(?:mcp-)?(?:transport|mode|protocol|transport-type|server-type))\b[ =]?"
    r"[^\n]{0,120}(?:\n[^\n]{0,160})?\bstdio\b",
    re.IGNORECASE,
)
_URL: Final = re.compile(
    r"\b(?P<scheme>https?|wss?)://(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|\*):(?P<port>\d{2,5})(?P<path>/[\w./-]*)?"
)
_PORT: Final = re.compile(
    r"\b(?:port:?|0\.0\.0\.0:|127\.0\.0\.1:|localhost:|(?:listening|running|started|serving) (?:on|at):? :?)\s?"
    r"(?P<port>\d{2,5})\b",
    re.IGNORECASE,
)
_SSE: Final = re.compile(r"\bsse\b", re.IGNORECASE)
_PATHS: Final = ("/mcp", "/sse")


def by_command(names: Iterable[str]) -> tuple[Retry, ...]:
    """Return the commands among ``names`` that are likely to serve."""
    known = set(names)
    return tuple(Retry(arguments=(name,)) for name in SERVES if name in known)[:_MOST]


def by_switch(text: str) -> tuple[Retry, ...]:
    """Return the options of a help that make a program speak over its standard streams."""
    ways = [Retry(arguments=("--stdio",))] if _STDIO.search(text) else []
    chosen = _CHOICE.search(text)
    if chosen:
        ways.append(Retry(arguments=(chosen["flag"], "stdio")))
    return tuple(ways)


def by_address(text: str) -> tuple[Retry, ...]:
    """Return where a program says it listens; where it names no path, the usual ones of MCP."""
    said = [*_URL.finditer(text)]
    for url in said:
        path = (url["path"] or "").rstrip("/.")
        if path:
            return (_at("ws" if url["scheme"].startswith("ws") else "http", url["port"], path),)
    port = said[0]["port"] if said else next((match["port"] for match in _PORT.finditer(text)), "")
    if not port:
        return ()
    paths = _PATHS[::-1] if _SSE.search(text) else _PATHS
    return tuple(_at("http", port, path) for path in paths)


def _at(scheme: str, port: str, path: str) -> Retry:
    """Return an address inside the sandbox, where the whole port space is the program's own."""
    return Retry(listens=f"{scheme}://127.0.0.1:{port}{path}")
